"""Tokens: FSQ, what a hole hides, transformers against torch's, decoding with a cache."""

import json
from importlib.util import find_spec
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from completing import completed
from conftest import small
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from PIL import Image
from torch import Tensor, nn
from torchs_transformer import torchs_decoder, torchs_encoder

from inpainting import CONF
from inpainting.data.augment import Flip
from inpainting.errors import InputError
from inpainting.metrics.texture import Texture, axis_energy
from inpainting.nn.places import first_places
from inpainting.nn.token_transformers import TokenEncoder, TokenEncoderDecoder, start_from
from inpainting.nn.transformer import DecoderLayer, EncoderLayer
from inpainting.rng import image_generators
from inpainting.runs.settings import check_same
from inpainting.tokens.dalle import DalleTokenizer
from inpainting.tokens.dalle_weights import dalle_weights
from inpainting.tokens.decoding import Filled, TokenDrawing, holes_of, in_rounds, one_by_one
from inpainting.tokens.dvae import DiscreteAutoencoder, logit_laplace, squeezed, uniform_divergence
from inpainting.tokens.fsq import FSQTokenizer, Quantizer
from inpainting.tokens.masking import hidden_tokens
from inpainting.tokens.sampling import drawn, filtered, hidden_after, kept_hidden

GREEDY = TokenDrawing(0.0, None, None)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_transformers_have_the_reports_parameters() -> None:
    assert count(TokenEncoder(8192, mask_token=0)) == 27_311_104
    assert count(TokenEncoder(8192, mask_token=None)) == 27_311_104 + 512
    assert count(TokenEncoderDecoder(8192)) == 52_535_808


@pytest.mark.parametrize("levels", [[8, 8, 8, 16], [5, 3], [2, 2, 2], [7, 5, 4]])
def test_every_token_stands_for_a_code_and_comes_back_from_it(levels: list[int]) -> None:
    quantizer = Quantizer(levels)
    tokens = torch.arange(quantizer.vocab_size)
    codes = quantizer.codes(tokens)
    assert codes.shape == (quantizer.vocab_size, len(levels))
    assert codes.min() == -1 and codes.max() <= 1
    assert len(codes.unique(dim=0)) == quantizer.vocab_size
    # vectors from far below to far above reach every level, and no others
    z = torch.linspace(-8, 8, 4001)[:, None].expand(-1, len(levels))
    found = quantizer.levels(z).round()
    for number, level in enumerate(levels):
        assert found[:, number].unique().tolist() == list(range(level))
    torch.testing.assert_close(
        quantizer.codes(quantizer.tokens(z)), quantizer.scaled(found), atol=0, rtol=0
    )


def test_the_gradient_passes_the_rounding() -> None:
    z = torch.zeros(1, 2, requires_grad=True)
    Quantizer([5, 5]).levels(z).sum().backward()
    # of tanh at 0 times half of the four steps between five levels
    torch.testing.assert_close(z.grad, torch.full((1, 2), 2.002))
    with pytest.raises(InputError, match=r"tokenizer\.levels=\[5, 1\]"):
        Quantizer([5, 1])


def test_a_token_sees_its_own_patch_alone() -> None:
    torch.manual_seed(0)
    tokenizer = FSQTokenizer(3, 8, [8, 8, 8], 16).eval()
    image = torch.rand(1, 3, 32, 40)
    other = image.clone()
    other[..., 8:16, 16:24] = torch.rand(1, 3, 8, 8)
    changed = tokenizer.encode(image) != tokenizer.encode(other)
    assert changed.nonzero().tolist() in ([[0, 1, 2]], [])
    assert tokenizer.encode(image).shape == (1, 4, 5)
    assert tokenizer(image).shape == tokenizer.decode(tokenizer.encode(image)).shape == image.shape
    torch.testing.assert_close(tokenizer(image), tokenizer.decode(tokenizer.encode(image)))
    with pytest.raises(InputError, match=r"tokenizer\.stride=6"):
        FSQTokenizer(3, 6, [8], 16)


def test_a_token_is_hidden_by_any_pixel_of_its_patch_or_within_reach() -> None:
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 15, 16] = 0.1  # in the patch (1, 2), beside the patches (2, 2), (1, 1) and (2, 1)
    assert hidden_tokens(mask, 8, 0).nonzero().tolist() == [[0, 1, 2]]
    assert hidden_tokens(mask, 8, 1).nonzero().tolist() == [
        [0, y, x] for y in (1, 2) for x in (1, 2)
    ]
    # an aligned hole of 64x64 px hides 64 of 400 tokens; one that is not hides 81
    square = torch.zeros(2, 1, 160, 160)
    square[0, :, 40:104, 48:112] = 1
    square[1, :, 43:107, 50:114] = 1
    assert hidden_tokens(square, 8, 0).sum((1, 2)).tolist() == [64, 81]


def test_hidden_tokens_come_in_the_order_of_reading() -> None:
    hidden = torch.tensor([[[True, False, True], [False, False, True]]])
    places, present = first_places(hidden.flatten(1), 4)
    assert places.tolist() == [[0, 2, 5, 1]] and present.tolist() == [[True, True, True, False]]


def test_tokenizers_of_other_levels_are_told_apart() -> None:
    """Their weights have the same shapes, so that the cache must not take one for the other."""
    one, other = (FSQTokenizer(3, 8, levels, 16) for levels in ([8, 8, 8, 16], [5, 5, 5, 5]))
    assert str(one) != str(other)
    assert repr(Flip()) == repr(Flip())  # which is in the key of cached tokens


def test_unlikely_tokens_are_left_out() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    assert filtered(logits, 2, None).isfinite().tolist() == [[True, True, False, False]]
    assert filtered(logits, None, 0.5).isfinite().tolist() == [[True, False, False, False]]
    assert filtered(logits, None, 0.51).isfinite().tolist() == [[True, True, False, False]]
    assert filtered(logits, None, 1.0).isfinite().all()
    many = drawn(logits.expand(20_000, 4), 1.0, torch.rand(20_000, 4), None, None)
    shares = many.bincount(minlength=4) / 20_000
    torch.testing.assert_close(shares, logits.exp()[0], atol=0.012, rtol=0)
    cold = drawn(logits.expand(100, 4), 0.05, torch.rand(100, 4), None, None)
    assert (cold == 0).float().mean() > 0.95
    for wrong in ((-1, None, None), (1, 0, None), (1, None, 1.5)):
        with pytest.raises(InputError, match=r"model\.drawing\."):
            TokenDrawing(*wrong)


def test_the_rounds_follow_a_cosine_and_reveal_one_token_at_least() -> None:
    hidden = torch.tensor([64, 3, 0])
    left = [hidden_after(r, 8, hidden).tolist() for r in range(1, 9)]
    assert [one[0] for one in left] == [62, 59, 53, 45, 35, 24, 12, 0]
    assert [one[1] for one in left] == [2, 1, 0, 0, 0, 0, 0, 0]
    assert all(one[2] == 0 for one in left)


def test_rounds_keep_what_is_certain_and_fill_everything() -> None:
    hidden = torch.zeros(1, 2, 3, dtype=torch.bool)
    hidden[0, :, 1:] = True
    tokens = torch.tensor([[[9, 9, 9], [9, 9, 9]]])
    calls = []

    def logits_of(grid: Tensor, still: Tensor, places: Tensor) -> Tensor:
        calls.append(still.clone())
        logits = torch.zeros(1, 2, 3, 10)
        # the token of a position is its column; the second row is more certain than the first
        for y, x in still[0].nonzero().tolist():
            logits[0, y, x, x] = 5.0 * (1 + y)
        return logits.flatten(1, 2)[:, places[0]]

    holes = holes_of(tokens, hidden)
    filled = in_rounds(logits_of, holes, GREEDY, 4, 0.0, None).tokens
    assert filled.tolist() == [[[9, 1, 2], [9, 1, 2]]]
    assert [int(still.sum()) for still in calls] == [4, 3, 2, 1]
    assert calls[2][0, 0].tolist() == [False, True, True]  # the first row is left for later
    calls.clear()
    in_rounds(logits_of, holes, GREEDY, 1, 0.0, None)
    assert len(calls) == 1

    def of_round(grid: Tensor, still: Tensor, places: Tensor) -> Tensor:
        return logits_of(grid, still, places) + len(calls)

    calls.clear()
    kept = in_rounds(of_round, holes, GREEDY, 4, 0.0, None).logits[0, :, 0]
    # places 1 and 2 are filled in the rounds 3 and 4, those of the second row in 1 and 2
    assert sorted(kept[:2].tolist()) == [3, 4] and sorted(kept[2:].tolist()) == [1, 2]


def test_some_hidden_tokens_are_revealed_as_the_rounds_would() -> None:
    hidden = torch.ones(2, 2, 3, dtype=torch.bool)
    hidden[1, 0] = False  # three are hidden
    holes = holes_of(torch.full((2, 2, 3), 9), hidden)
    places = torch.rand(2, 6)
    for far, counts in ((0.0, [6, 3]), (2 / 3, [3, 2]), (0.999, [1, 1])):  # cos 60 degrees is 1/2
        kept = kept_hidden(torch.full((2,), far), places, holes.present)
        assert kept.sum(1).tolist() == counts
    target = torch.arange(20, 32).view(2, 2, 3)
    some = holes.revealed(target, torch.tensor([[True, False] * 3, [False, True, True] * 2]))
    assert some.hidden.tolist() == [
        [[True, False, True], [False, True, False]],
        [[False, False, False], [False, True, True]],
    ]
    assert some.tokens.tolist() == [[[9, 21, 9], [23, 9, 25]], [[9, 9, 9], [29, 9, 9]]]
    assert torch.equal(some.at_places(some.hidden), some.present)


def test_a_mean_of_tokens_is_painted_from_their_probabilities() -> None:
    hidden = torch.tensor([[[True, False]], [[True, True]]])
    tokens = torch.tensor([[[0, 2]], [[1, 1]]])
    holes = holes_of(tokens, hidden)
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]).log().expand(2, 2, 3)
    shares = Filled(tokens, logits).shares(holes).permute(0, 2, 3, 1)
    torch.testing.assert_close(shares[0, 0], torch.tensor([[0.5, 0.25, 0.25], [0, 0, 1.0]]))
    torch.testing.assert_close(shares[1, 0], logits.exp()[0])


def test_a_mixture_is_painted_as_its_tokens_are() -> None:
    torch.manual_seed(0)
    one, other = torch.randint(30, (2, 2, 3, 4))
    first, second = (F.one_hot(grid, 30).permute(0, 3, 1, 2).float() for grid in (one, other))
    fsq = FSQTokenizer(3, 8, [5, 3, 2], 16).eval()
    small_dalle = {"n_hid": 8, "n_blk_per_group": 1, "vocab_size": 30}
    dalle = [DalleTokenizer(3, n_init=8, **small_dalle)] if find_spec("dall_e") else []
    for tokenizer in (fsq, DiscreteAutoencoder(3, 30, 8, 2, 8).eval(), *dalle):
        torch.testing.assert_close(tokenizer.decode_mixed(first), tokenizer.decode(one))
    mean = (fsq.quantizer.codes(one) + fsq.quantizer.codes(other)) / 2
    torch.testing.assert_close(fsq.decode_mixed((first + second) / 2), fsq._image(mean))


def scrambled(layer: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in layer.parameters():
        parameter.data = torch.randn_like(parameter) * 0.2
    return layer


def test_the_encoder_layer_is_torchs() -> None:
    ours = scrambled(EncoderLayer(32, 4, 64, 0.0))
    x, seen = torch.randn(3, 7, 32), torch.rand(3, 7) > 0.3
    seen[:, 0] = True
    theirs = torchs_encoder(ours)
    torch.testing.assert_close(ours(x, seen), theirs(x, src_key_padding_mask=~seen))
    torch.testing.assert_close(ours(x), theirs(x))


def test_the_decoder_layer_is_torchs_at_once_and_step_by_step() -> None:
    ours = scrambled(DecoderLayer(32, 4, 64, 0.0)).eval()
    theirs = torchs_decoder(ours).eval()
    x, memory, seen = torch.randn(2, 5, 32), torch.randn(2, 7, 32), torch.rand(2, 7) > 0.3
    seen[:, 0] = True
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    wanted = theirs(x, memory, tgt_mask=causal, tgt_is_causal=True, memory_key_padding_mask=~seen)
    keys_values = ours.to_memory.keys_values(memory)
    torch.testing.assert_close(ours(x, keys_values, seen), wanted)
    cache = ours.empty_cache(x, 5)
    steps = [ours.step(x[:, i : i + 1], i, cache, keys_values, seen) for i in range(5)]
    torch.testing.assert_close(torch.cat(steps, 1), wanted)


@pytest.mark.parametrize("seed", range(3))
def test_cached_and_uncached_decoding_write_the_same_tokens(seed: int) -> None:
    torch.manual_seed(seed)
    network = TokenEncoderDecoder(50, 32, 2, 4, 64, 0.0).eval()
    tokens, hidden = torch.randint(50, (4, 5, 6)), torch.rand(4, 5, 6) > 0.6
    hidden[3] = True  # no token is known
    holes = holes_of(tokens, hidden)
    _, places, present, _ = holes
    with torch.no_grad():
        written = network.written(tokens, hidden, places)
        cached = one_by_one(written, holes, GREEDY, None).tokens
        grid = torch.where(hidden, 0, tokens)
        for i in range(places.shape[1]):  # the whole model for each token
            token = network(grid, hidden, places)[:, i].argmax(-1, keepdim=True)
            new = grid.flatten(1).scatter(1, places[:, i : i + 1], token).view_as(grid)
            grid = torch.where(present[:, i].view(-1, 1, 1), new, grid)
    assert torch.equal(cached, grid)
    assert torch.equal(cached[~hidden], tokens[~hidden])


def test_no_transformer_reads_what_is_hidden() -> None:
    torch.manual_seed(0)
    tokens, hidden = torch.randint(50, (2, 4, 4)), torch.rand(2, 4, 4) > 0.5
    other = torch.where(hidden, torch.randint(50, (2, 4, 4)), tokens)
    every = torch.arange(16).expand(2, 16)
    bert = TokenEncoder(50, None, 32, 2, 4, 64, 0.0).eval()
    torch.testing.assert_close(bert(tokens, hidden, every), bert(other, hidden, every))
    gpt = TokenEncoderDecoder(50, 32, 2, 4, 64, 0.0).eval()
    places, _ = first_places(hidden.flatten(1), 3)
    first = [gpt(grid, hidden, places)[:, 0] for grid in (tokens, other)]
    torch.testing.assert_close(*first)
    later = tokens.flatten(1).scatter(1, places[:, 2:], 7).view_as(tokens)  # the third token
    torch.testing.assert_close(gpt(tokens, hidden, places), gpt(later, hidden, places))


def test_positions_are_told_apart() -> None:
    torch.manual_seed(0)
    bert = TokenEncoder(50, None, 32, 2, 4, 64, 0.0).eval()
    nothing = torch.full((1, 3, 4), 7), torch.ones(1, 3, 4, dtype=torch.bool)
    logits = bert(*nothing, torch.arange(12)[None])[0]
    assert len(logits.unique(dim=0)) == 12


def test_like_tokens_start_with_like_vectors_and_rows_of_the_head() -> None:
    torch.manual_seed(0)
    network, quantizer = TokenEncoder(1000, None, 256, 1, 4, 64, 0.0), Quantizer([8, 5, 5, 5])
    start_from(network, quantizer.codes(torch.arange(1000)))
    own, head = network.embedding.vectors.weight.detach(), network.head.weight.detach()
    # the next level on the first of four scales, against the other end of all of them
    near, far = (F.cosine_similarity(own[0], own[i], dim=0) for i in (1, 999))
    assert near > 0.9 and far < -0.8
    assert 0.9 < own[:1000].std() < 1.1 and own[1000].std() > 0.8  # that of the mask is its own
    torch.testing.assert_close(head, own[:1000] / 16)


def test_weights_that_were_loaded_are_not_started_anew(command, tmp_path: Path) -> None:
    typed = [*small("token_bert"), "trainer.max_epochs=1", "tests=null", "against=null"]
    command("train", *typed, "hydra.run.dir=first")
    command("train", *typed, "init_from=first", "model.optimizer.lr=0", "hydra.run.dir=second")
    first, second = (
        torch.load(tmp_path / name / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
        for name in ("first", "second")
    )
    name = "network.embedding.vectors.weight"
    assert torch.equal(first[name], second[name])


@pytest.mark.parametrize("model", ["token_bert", pytest.param("token_gpt", marks=pytest.mark.slow)])
def test_a_run_keeps_its_tokenizer(command, tmp_path: Path, model: str) -> None:
    command("train", *small(model), "trainer.max_epochs=1", "hydra.run.dir=run")
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert numbers["tokenizer_psnr"] > 5 and 0 < numbers["tokenizer_usage"] < 1
    state = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert not any("tokenizer" in name or "quantizer" in name for name in state)
    (cached,) = (tmp_path / "cache/tokenizers").glob("*/tokenizer.pt")
    cached.unlink()  # the run has its own
    command("evaluate", "run=run", "trainer=cpu", "hydra.run.dir=again")
    again = json.loads((tmp_path / "again/metrics.json").read_text())
    assert again["psnr_hole"] == numbers["psnr_hole"]
    hole = np.zeros((32, 32), np.uint8)
    hole[4:14, 9:20] = 255
    Image.fromarray(hole).save(tmp_path / "mask.png")
    picture = "run/images/test/00000_target.png"
    command("predict", "run=run", f"input={picture}", "masks=mask.png", "out=filled")
    before, after = (
        np.array(Image.open(tmp_path / name)) for name in (picture, "filled/00000_target.png")
    )
    assert (before == after)[hole == 0].all() and (before != after)[hole > 0].any()


def test_an_image_size_that_is_no_multiple_of_the_patch_is_refused(failure) -> None:
    error = failure("train", *small("token_bert"), "data.image_size=30")
    assert "data.image_size=32" in error


SIZES = {"n_hid": 64, "n_blk_per_group": 1, "vocab_size": 512}


@pytest.fixture
def pickled(tmp_path: Path) -> dict[str, str]:
    """Files of the package's own pickled modules, as small as it makes them and as old ones are."""
    dall_e = pytest.importorskip("dall_e")
    torch.manual_seed(0)
    paths = {}
    decoder = dall_e.Decoder(n_init=16, **SIZES)
    for module in decoder.modules():
        if isinstance(module, nn.Upsample):
            del module.recompute_scale_factor  # OpenAI's were pickled before torch had it
    for name, network in (("encoder", dall_e.Encoder(**SIZES)), ("decoder", decoder)):
        paths[name] = str(tmp_path / f"{name}.pkl")
        torch.save(network, paths[name])
    return paths


def dalle(pickled: dict[str, str], cache: Path, **changes) -> tuple[DalleTokenizer, dict]:
    tokenizer = DalleTokenizer(3, n_init=16, **SIZES)
    settings = {"cache": cache, "download": False, "sha256": {}, **pickled, **changes}
    return tokenizer, dalle_weights(tokenizer, None, **settings)


def test_the_dalle_tokenizer_computes_what_the_package_does(pickled, tmp_path: Path) -> None:
    from dall_e import map_pixels, unmap_pixels

    tokenizer, facts = dalle(pickled, tmp_path / "cache")
    image = torch.rand(2, 3, 24, 32)
    encoder, decoder = (torch.load(path, weights_only=False) for path in pickled.values())
    tokens = encoder(map_pixels(image)).argmax(1)
    assert torch.equal(tokenizer.encode(image), tokens) and tokens.shape == (2, 3, 4)
    for module in decoder.modules():
        if isinstance(module, nn.Upsample):
            module.recompute_scale_factor = None
    one_hot = nn.functional.one_hot(tokens, 512).permute(0, 3, 1, 2).float()
    wanted = unmap_pixels(decoder(one_hot)[:, :3].sigmoid())
    torch.testing.assert_close(tokenizer.decode(tokens), wanted)
    assert len(facts["tokenizer_encoder_sha256"]) == 64
    # from now on the pickles are not opened
    for part in ("encoder", "decoder"):
        assert len(list((tmp_path / "cache/dalle").glob(f"{part}-*.safetensors"))) == 1


def test_openais_sizes_have_openais_parameters() -> None:
    pytest.importorskip("dall_e")
    with torch.device("meta"):
        tokenizer = DalleTokenizer(3)
    assert count(tokenizer.encoder) == 53_786_240 and count(tokenizer.decoder) == 43_829_766


def test_a_pickle_of_anything_else_is_not_opened(pickled, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.write_text, (tmp_path / "opened", "x"))

    torch.save(Evil(), pickled["encoder"])
    with pytest.raises(InputError, match=r"is not the DALL-E package's encoder"):
        dalle(pickled, tmp_path / "cache")
    assert not (tmp_path / "opened").exists()


def test_what_is_missing_of_dalle_is_said(pickled, tmp_path: Path, monkeypatch) -> None:
    nothing = {"encoder": None, "decoder": None}
    with pytest.raises(
        InputError, match=r"put https://.*encoder.pkl and https://.*decoder.pkl into"
    ):
        dalle(nothing, tmp_path / "cache")

    def unreachable(address: str, file: str) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    with pytest.raises(InputError, match=r"cannot be fetched \(no network\): put https://"):
        dalle(nothing, tmp_path / "cache", download=True)
    with pytest.raises(InputError, match=r"tokenizer\.weights\.encoder=.*there is no such file"):
        dalle({**pickled, "encoder": "nowhere.pkl"}, tmp_path / "cache")
    with pytest.raises(InputError, match=r"not tokenizer\.weights\.sha256\.encoder=00"):
        dalle(pickled, tmp_path / "cache", sha256={"encoder": "00"})
    with pytest.raises(InputError, match="network of another size"):
        settings = {"cache": tmp_path / "cache", "download": False, "sha256": {}, **pickled}
        dalle_weights(DalleTokenizer(3, n_init=32, **SIZES), None, **settings)
    with pytest.raises(InputError, match="3 channels"):
        DalleTokenizer(1)


def test_token_bert_trains_on_dalles_tokens(pickled, command, tmp_path: Path) -> None:
    sizes = [f"+tokenizer.module.{name}={size}" for name, size in SIZES.items()]
    paths = [f"tokenizer.weights.{name}={path}" for name, path in pickled.items()]
    typed = [text for text in small("token_bert") if not text.startswith("tokenizer.")]
    typed += ["tokenizer=dalle", "+tokenizer.module.n_init=16", *sizes, *paths]
    command("train", *typed, "trainer.max_epochs=1", "hydra.run.dir=run")
    assert not (tmp_path / "run/checkpoints/tokenizer.pt").exists()
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert len(numbers["tokenizer_decoder_sha256"]) == 64
    command("evaluate", "run=run", "trainer=cpu", "hydra.run.dir=again")
    again = json.loads((tmp_path / "again/metrics.json").read_text())
    assert again["psnr_hole"] == numbers["psnr_hole"]


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_a_dvaes_token_sees_as_far_as_it_says(halvings: int) -> None:
    torch.manual_seed(0)
    network = DiscreteAutoencoder(3, 64, 8, halvings, 8)
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    place = 64 // network.stride
    (slope,) = torch.autograd.grad(network.logits(image)[0, :, place, place].sum(), image)
    rows = slope.abs().sum((0, 1, 3)).nonzero()
    assert rows.min() == 64 - network.reach
    assert rows.max() == 64 + network.stride - 1 + network.reach


def test_the_dvaes_losses_have_the_values_computed_by_hand() -> None:
    even = torch.zeros(1, 8, 2, 2)
    assert uniform_divergence(even).item() == pytest.approx(0, abs=1e-6)
    certain = torch.zeros(1, 8, 2, 2)
    certain[:, 0] = 100.0
    assert uniform_divergence(certain).item() == pytest.approx(4 * log(8), rel=1e-5)
    # level 0.5 stays 0.5, whose logit is 0: |0 - 1| / e + 1 + ln(2 * 0.5 * 0.5)
    half, one = torch.full((1, 1, 1, 1), 0.5), torch.ones(1, 1, 1, 1)
    found = logit_laplace(one, one, half).item()
    assert found == pytest.approx(exp(-1) + 1 + log(0.5))
    # white is painted by what decodes to white, not to the level that it is squeezed to
    decoded = torch.linspace(0.01, 0.999, 990).view(-1, 1, 1, 1)
    errors = logit_laplace(
        squeezed(decoded.logit()), torch.zeros_like(decoded), one.expand(990, -1, -1, -1)
    )
    assert decoded[errors.argmin()].item() == pytest.approx(0.999)
    # the density integrates to 1 over the levels from 0.1 to 0.9 and beyond
    x = torch.linspace(1e-4, 1 - 1e-4, 20_001)
    level = ((x - 0.1) / 0.8).view(-1, 1, 1, 1)
    wide = torch.zeros(20_001, 1, 1, 1)
    density = (-logit_laplace(wide, wide, level)).exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-3)


def test_relaxed_tokens_become_one_hot_as_it_gets_colder() -> None:
    network = DiscreteAutoencoder(3, 16, 8, 1, 8)
    logits = torch.randn(64, 16, 4, 4)
    warm, cold = (network.relaxed(logits, t, torch.Generator().manual_seed(0)) for t in (1.0, 0.01))
    torch.testing.assert_close(warm.sum(1), torch.ones(64, 4, 4))
    assert cold.max(1).values.mean() > 0.98 > warm.max(1).values.mean()
    # the most likely relaxed token is a sample of the logits' softmax
    shares = torch.nn.functional.one_hot(cold.argmax(1), 16).float().mean((0, 1, 2))
    torch.testing.assert_close(shares, logits.softmax(1).mean((0, 2, 3)), atol=0.03, rtol=0)


@pytest.mark.slow
def test_a_dvae_that_was_trained_here_is_taken_as_tokenizer(
    command, failure, tmp_path: Path
) -> None:
    command("train", *small("dvae"), "trainer.max_epochs=1", "hydra.run.dir=dvae")
    typed = [text for text in small("token_bert") if not text.startswith("tokenizer.")]
    typed += ["tokenizer=dvae", "trainer.max_epochs=1"]
    command("train", *typed, "tokenizer.run=dvae", "hydra.run.dir=run")
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert numbers["tokenizer_run"] == "dvae"
    assert numbers["tokenizer_psnr"] > 5 and 0 < numbers["tokenizer_usage"] <= 1
    # A sweep that is typed again must know its row.
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONF, version_base="1.3"):
        here, cache = f"paths.run={tmp_path}/run", f"paths.cache={tmp_path}/cache"
        same, other = (
            compose("train", [*typed, f"tokenizer.run={run}", here, cache])
            for run in ("dvae", "other")
        )
    check_same(same, tmp_path / "run")
    with pytest.raises(InputError, match=r"tokenizer\.run is dvae there and other now"):
        check_same(other, tmp_path / "run")
    (tmp_path / "dvae").rename(tmp_path / "moved")  # the run has its own copy
    command("evaluate", "run=run", "trainer=cpu", "hydra.run.dir=again")
    again = json.loads((tmp_path / "again/metrics.json").read_text())
    for name in ("psnr_hole", "tokenizer_psnr", "tokenizer_usage", "tokenizer_run"):
        assert again[name] == numbers[name]
    state = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert state["network.head.weight"].shape[0] == 64
    command("train", "resume=run", "trainer.max_epochs=2")
    assert json.loads((tmp_path / "run/metrics.json").read_text())["epochs"] == 2
    grey = ["data.channels=1", "tokenizer.run=moved"]
    assert "data.channels is 1; type data.channels=3" in failure("train", *typed, *grey)
    assert "tokenizer.run is missing: type tokenizer.run=" in failure("train", *typed)
    fill = ["run=moved", "input=photo.png", "masks=mask.png"]
    for name in ("photo.png", "mask.png"):
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    assert "fills no holes" in failure("predict", *fill)
    (tmp_path / "moved/metrics.json").unlink()
    error = failure("train", *typed, "tokenizer.run=moved")
    assert "its training is not finished; type python -m inpainting.train resume=moved" in error
    command("train", *small("glcic"), "trainer.max_epochs=1", "hydra.run.dir=glcic")
    error = failure("train", *typed, "tokenizer.run=glcic")
    assert "its model is no tokenizer" in error


def batch(hole: slice) -> dict[str, Tensor]:
    torch.manual_seed(1)
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, hole, hole] = 1
    return {"image": torch.rand(2, 3, 32, 32), "mask": mask, "index": torch.arange(2)}


@pytest.mark.parametrize("name", ["token_bert", "token_gpt"])
@pytest.mark.parametrize("vectors", ["tokenizer", "random"])
def test_what_the_vectors_start_from(composed, name: str, vectors: str) -> None:
    config = composed(*small(name), f"model.vectors={vectors}", "model.network.width=256")
    torch.manual_seed(0)
    method = instantiate(config.model, _convert_="all")
    method._weighted = True  # those that it was made with
    method.setup("fit")
    own = method.network.embedding.vectors.weight
    near = F.cosine_similarity(own[0], own[1], dim=0).item()
    assert near > 0.9 if vectors == "tokenizer" else abs(near) < 0.3


def test_a_mean_is_painted_where_it_is_asked_for(composed) -> None:
    config = composed(*small("token_bert"))
    method = instantiate(config.model, _convert_="all").eval()
    image, mask = (batch(slice(8, 24))[name] for name in ("image", "mask"))
    found = []
    for painting in ("drawn", "mean"):
        method.painting = painting
        generators = image_generators(torch.arange(2), image.device, 0)
        with torch.no_grad():
            found.append((method.predict(image, mask, None, generators), method._filled))
    (drawn_image, drawn_tokens), (mean_image, mean_tokens) = found
    assert torch.equal(drawn_tokens, mean_tokens)
    assert not torch.allclose(drawn_image[0], mean_image[0])
    torch.testing.assert_close(drawn_image[1], mean_image[1])  # it has no hole


def test_some_of_a_hole_is_revealed_in_training_alone(composed) -> None:
    config = composed(*small("token_bert"))
    method = instantiate(config.model, _convert_="all")
    target = torch.arange(16).view(1, 4, 4).expand(64, 4, 4)
    holes = method.holes(torch.zeros_like(target), torch.ones(64, 1, 32, 32))
    torch.manual_seed(0)
    some = method.to_predict(target, holes)
    assert 0.5 < some.present.float().mean() < 0.8  # 2 / pi, and a little more for rounding up
    assert torch.equal(some.tokens[~some.hidden], target[~some.hidden])
    method.reveal = False
    assert method.to_predict(target, holes) is holes


def test_attentions_gradient_is_the_same_in_float32() -> None:
    layer, x = scrambled(EncoderLayer(32, 4, 64, 0.0)), torch.randn(3, 7, 32)
    layer(x).square().sum().backward()
    wanted = layer.attention.into.weight.grad.clone()
    layer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    found.float().square().sum().backward()
    found = layer.attention.into.weight.grad
    assert F.cosine_similarity(found.flatten(), wanted.flatten(), dim=0) > 0.999
    layer.double()(x.double()).sum().backward()


@pytest.mark.parametrize("name", ["token_bert", "token_gpt"])
def test_the_numbers_of_tokens_are_counted(composed, name: str) -> None:
    config = composed(*small(name))
    method = instantiate(config.model, _convert_="all").eval()
    inputs = batch(slice(8, 24))  # four tokens of the first image, none of the second
    completed = method.test_step(inputs, 0).completed
    target = method.encoded(inputs["image"])
    holes = method.holes(target, inputs["mask"])
    hidden = holes.hidden
    assert hidden.sum((1, 2)).tolist() == [4, 0]
    # a network that gives each true token the third highest logit
    true = holes.at_places(target)[..., None]
    logits = torch.zeros(2, 4, 8192).scatter_(-1, true, 1.0)
    logits.scatter_(-1, (true + 1) % 8192, 3.0)
    logits.scatter_(-1, (true + 2) % 8192, 2.0)
    method.logits = lambda *_: logits
    method._filled = torch.where(hidden, 7, target)
    numbers = completed.numbers()
    assert numbers["token_top1"][0] == 0 and numbers["token_top5"][0] == 1
    assert numbers["collapse"][0] == 1 and numbers["tokens_changed"][0] == 0
    assert all(values[1].isnan() for values in numbers.values())
    method._filled[0, 1, 1] = 8
    assert completed[:1].numbers()["collapse"].tolist() == [0]


@pytest.mark.parametrize("more", [[], ["model.loss_on=all"]])
def test_token_berts_objective_is_the_cross_entropy_of_what_it_says(composed, more: list) -> None:
    method = instantiate(composed(*small("token_bert"), *more).model, _convert_="all").eval()
    inputs = batch(slice(5, 21))
    target = method.encoded(inputs["image"])
    holes = method.holes(target, inputs["mask"])
    every = torch.arange(16).expand(2, 16)
    logits = method.network(target, holes.hidden, every).view(2, 4, 4, -1).permute(0, 3, 1, 2)
    error = nn.functional.cross_entropy(logits, target, reduction="none")
    wanted = (error * holes.hidden).sum((1, 2)) / holes.hidden.sum((1, 2)).clamp(min=1)
    if more:
        wanted = error.mean((1, 2))
    torch.testing.assert_close(method.token_loss(target, holes), wanted)


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("model.drawing.temperature=hot", "temperature=hot: type a number, 0 or more"),
        ("model.drawing.top_p=2", "top_p=2: type a number from 0 to 1"),
        ("model.reach=32", "model.reach=32: type a whole number from 0 to 31"),
    ],
)
def test_numbers_out_of_range_are_refused(failure, typed: str, named: str) -> None:
    assert named in failure("train", *small("token_bert"), typed)


def test_a_hole_of_more_tokens_than_are_trained_is_refused(failure) -> None:
    error = failure("train", *small("token_gpt"), "model.train_tokens=2", "trainer.max_epochs=1")
    assert "model.train_tokens=2: a hole hides" in error and "type model.train_tokens=" in error


@pytest.mark.parametrize("name", ["token_bert", "token_gpt"])
def test_an_image_is_filled_alike_in_any_batch(composed, name: str) -> None:
    """Whatever the others' holes, drawn at a temperature, by its own generator."""
    typed = ["model.drawing.temperature=1.0", "mask=none"]
    method = instantiate(composed(*small(name), *typed).model, _convert_="all").eval()
    image, mask = torch.rand(3, 3, 32, 32), torch.zeros(3, 1, 32, 32)
    for number, side in enumerate((10, 20, 30)):
        mask[number, :, :side, :side] = 1
    index = torch.arange(3)
    with torch.no_grad():
        together = method.predict(image, mask, None, image_generators(index, image.device, 0))
        for number in range(3):
            one = slice(number, number + 1)
            generators = image_generators(index[one], image.device, 0)
            alone = method.predict(image[one], mask[one], None, generators)
            torch.testing.assert_close(together[one], alone)


def test_lines_along_the_axes_are_told_from_others() -> None:
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    upright, slanted = torch.sin(x), torch.sin(x + y)
    hole = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    for image, share in ((upright, 1.0), (slanted, 0.0)):
        along, every = axis_energy(image[None, None], hole)
        assert (along / every).item() == pytest.approx(share)
    inside, step = torch.zeros_like(hole), torch.zeros(1, 1, 16, 16)
    inside[..., 4:10, 4:10] = True
    step[inside] = 1.0
    assert axis_energy(step, inside) == (0, 0)  # the border of a hole is no line in it
    metric = Texture()
    metric.reset(torch.device("cpu"))
    first = (upright / 2 + 0.5)[None, None]
    metric.update(completed(first, (slanted / 2 + 0.5)[None, None], hole.float()))
    flat = torch.full((1, 1, 16, 16), 0.5)
    flat[..., 0] = 0.52
    metric.update(completed(torch.where(flat > 0.5, 0.6, 0.5), flat, hole.float()))
    numbers = metric.compute()
    assert numbers["axis_lines"] > 0.9
    assert numbers["flat_contrast"] == pytest.approx(5, rel=0.05)  # 0.1 against 0.02, in 8 bits


def test_a_run_measures_its_tokens(command, tmp_path: Path) -> None:
    command(
        "train", *small("token_gpt"), "trainer.max_epochs=1", "metrics=tokens", "hydra.run.dir=run"
    )
    numbers = json.loads((tmp_path / "run/metrics.json").read_text())
    assert 0 <= numbers["token_top1"] <= numbers["token_top5"] <= 1
    assert numbers["tokens_changed"] == 0 <= numbers["collapse"] <= 1
    masks = [
        np.array(Image.open(f)) for f in sorted((tmp_path / "run/images/test").glob("*_mask*"))
    ]
    assert 1 <= numbers["network_calls"] <= 16 and masks


FLIP = "++data.augment={_target_:inpainting.data.augment.Flip}"
ZOOM = "++data.augment={_target_:inpainting.data.augment.FlipZoom,zoom:1.5}"


def test_tokens_that_were_computed_beforehand_train_the_same_network(
    command, tmp_path: Path
) -> None:
    states = {}
    typed = ["train", *small("token_bert"), "trainer.max_epochs=2"]
    for name, more in {
        "cached": [FLIP],
        "again": [FLIP],
        "each": [FLIP, "model.token_grids=null"],
        "zoomed": [ZOOM],
    }.items():
        command(*typed, *more, f"hydra.run.dir={name}")
        path = tmp_path / name / "checkpoints/last.ckpt"
        states[name] = torch.load(path, weights_only=False)["state_dict"]
        said = (tmp_path / name / "train.log").read_text()
        assert ("lacks a token grid" in said) == (name == "cached")
        assert ("every step computes their tokens" in said) == (name == "zoomed")
    for name in ("again", "each"):
        assert all(torch.equal(value, states[name][key]) for key, value in states["cached"].items())
    (file,) = (tmp_path / "cache/token_grids").glob("*/tokens.npy")
    grids = np.load(file)
    assert grids.shape[0] == 2 and not np.array_equal(grids[0], grids[1])
