"""ConvAE: the report's networks to the parameter, targets and regions."""

from functools import partial

import pytest
import torch

from inpainting.errors import InputError
from inpainting.images.algebra import erase
from inpainting.losses import squared_error
from inpainting.methods.conv_ae import ConvAE
from inpainting.nn.conv_ae import ColourAutoencoder, DigitAutoencoder


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def method(**changes) -> ConvAE:
    torch.manual_seed(0)
    settings = {
        "channels": 1,
        "fixed_size": 28,
        "network": DigitAutoencoder(),
        "loss": "squared_error",
        "frequency_weight": 0.0,
        "region": "image",
        "target": "clean",
        "ema_decay": 0.0,
        "optimizer": partial(torch.optim.Adam, lr=1e-3),
    }
    return ConvAE(**{**settings, **changes}).eval()


def batch() -> dict[str, torch.Tensor]:
    mask = torch.zeros(4, 1, 28, 28)
    mask[..., 10:20, 10:20] = 1
    return {"image": torch.rand(4, 1, 28, 28), "mask": mask}


def test_the_digit_networks_parameters_are_the_reports() -> None:
    sizes = {latent: count(DigitAutoencoder(latent=latent)) for latent in (2, 4, 16, 32, 64)}
    assert sizes == {2: 86_611, 4: 87_125, 16: 90_209, 32: 94_321, 64: 102_545}


def test_the_colour_networks_parameters_are_the_reports() -> None:
    network = ColourAutoencoder()
    assert count(network) == 1_137_379
    image = torch.rand(2, 3, 512, 512)
    assert network.decoder(network.encoder(image)).shape == image.shape  # nothing to resize


@pytest.mark.parametrize(
    ("network", "size"),
    [(DigitAutoencoder, size) for size in (9, 20, 28, 31, 32, 64)]
    + [(ColourAutoencoder, size) for size in (33, 64, 100, 256)],
)
def test_networks_take_other_sizes_and_channels(network: type, size: int) -> None:
    out = network(3, size)(torch.rand(2, 3, size, size))
    assert out.shape == (2, 3, size, size) and out.min() >= 0 and out.max() <= 1


def test_the_target_is_the_clean_image_unless_the_reports_code_is_wanted() -> None:
    data = batch()
    erased = erase(data["image"], data["mask"])
    for target, image in (("clean", data["image"]), ("erased", erased)):
        one = method(target=target)
        expected = squared_error(one.network(erased), image)
        assert torch.allclose(one.reconstruction(data, one.network(erased)), expected)


def test_the_region_and_the_frequency_term() -> None:
    data = batch()
    hole = method(region="hole")
    prediction = hole.network(erase(data["image"], data["mask"]))
    expected = squared_error(prediction, data["image"], data["mask"])
    assert torch.allclose(hole.reconstruction(data, prediction), expected)
    plain, more = method(), method(frequency_weight=1.0)
    assert (more.reconstruction(data, prediction) > plain.reconstruction(data, prediction)).all()


def test_a_wrong_choice_is_named() -> None:
    with pytest.raises(InputError, match="model.target=blurred: type clean or erased"):
        method(target="blurred")
    with pytest.raises(InputError, match="model.frequency_weight=-1"):
        method(frequency_weight=-1)
    with pytest.raises(InputError, match="model.network.latent=0"):
        DigitAutoencoder(latent=0)
    for network, least in ((DigitAutoencoder, 9), (ColourAutoencoder, 33)):
        with pytest.raises(InputError, match=f"type data.image_size={least}"):
            network(image_size=least - 1)


def test_trains_on_digits_that_come_with_scikit_learn(command, tmp_path) -> None:
    command(
        "train",
        "model=conv_ae",
        "trainer=cpu",
        "trainer.max_epochs=1",
        "callbacks.progress=null",
        "model.val_completions=0",  # then validation has the loss alone
        "hydra.run.dir=run",
        "against=[mean_fill,telea]",
    )
    assert "digit/" in (tmp_path / "run/per_image.csv").read_text()
