"""Every yaml composes and instantiates."""

import re
from pathlib import Path

import pytest
import torch
from conftest import skip_without_plugin
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from inpainting import CONF
from inpainting.runs.checked import check_values
from inpainting.runs.settings import flat
from inpainting.tasks.tokenizer import settle_tokenizer


def options(group: str) -> list[str]:
    folder = Path(CONF) / group
    return [
        path.relative_to(folder).with_suffix("").as_posix()
        for path in sorted(folder.rglob("*.yaml"))
    ]


@pytest.fixture
def composed(composed):
    """Compose as the command line would, and check the values as it would."""

    def checked(*overrides: str) -> DictConfig:
        config = composed(*overrides)
        if "???" not in OmegaConf.to_yaml(config):  # a run that a test puts in later
            check_values(config)
        return config

    return checked


def resolved(config: DictConfig, key: str) -> DictConfig:
    return OmegaConf.create(OmegaConf.to_container(config, resolve=True))[key]


@pytest.mark.parametrize("name", options("mask"))
def test_masks(composed, name: str, tmp_path: Path) -> None:
    from PIL import Image

    image = Image.new("L", (8, 8))
    image.paste(255, (2, 2, 5, 5))
    image.save(tmp_path / "mask.png")
    path = [f"mask.path={tmp_path}"] if name == "files" else []
    config = composed(f"mask={name}", *path)
    assert callable(instantiate(config.mask, _convert_="all"))


@pytest.mark.parametrize("name", [name for name in options("data") if name != "base"])
def test_data(composed, name: str) -> None:
    data = instantiate(composed(f"data={name}").data, _convert_="all")
    assert data.mask(1, 64, 64, _generator()).shape == (1, 1, 64, 64)


def _generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", [name for name in options("model") if "/" not in name])
def test_models(composed, name: str) -> None:
    small = ["model.width=4"] if name == "glcic" else []
    config = composed(f"model={name}", *small)
    assert config.name == name
    assert config.monitor in (None, "last") or config.monitor.startswith("val/")
    method = instantiate(config.model, _convert_="all")
    assert method.channels == config.data.channels
    if method.trained:
        method.configure_optimizers()


@pytest.mark.parametrize("guidance", options("model/sampler/guidance"))
@pytest.mark.parametrize(
    "name", [name for name in options("model/sampler") if not name.startswith("guidance/")]
)
def test_samplers(composed, name: str, guidance: str) -> None:
    typed = [f"model/sampler={name}", f"model/sampler/guidance={guidance}"]
    sampler = instantiate(composed("model=ddpm", *typed).model.sampler, _convert_="all")
    assert sampler.network_calls >= sampler.steps


@pytest.mark.parametrize("name", options("trainer"))
def test_trainers(composed, name: str) -> None:
    config = composed(f"trainer={name}").trainer
    there = {"gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(config.accelerator, True):
        config.accelerator, config.devices = "cpu", 1
        config.strategy = "auto"
    assert instantiate(config, logger=False).max_epochs == 20


@pytest.mark.parametrize("name", options("logger"))
def test_loggers(composed, name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    for logger in (composed(f"logger={name}").logger or {}).values():
        instantiate(logger)


@pytest.mark.parametrize("name", options("callbacks"))
def test_callbacks(composed, name: str) -> None:
    for callback in composed(f"callbacks={name}").callbacks.values():
        instantiate(callback, _convert_="all")


@pytest.mark.parametrize("name", options("metrics"))
def test_metrics(composed, name: str) -> None:
    instantiate(composed(f"metrics={name}").metrics, _convert_="all")


@pytest.fixture
def dvae_run(composed, tmp_path: Path) -> Path:
    """The folder of a finished run of model=dvae, whose weights are untrained."""
    typed = ["data=photos", "model.network.width=8", "model.network.vocab_size=64"]
    config = composed("model=dvae", *typed)
    (tmp_path / "checkpoints").mkdir()
    OmegaConf.save(config, tmp_path / "config.yaml", resolve=True)
    state = instantiate(config.model, _convert_="all").state_dict()
    torch.save({"state_dict": state}, tmp_path / "checkpoints/best.ckpt")
    (tmp_path / "metrics.json").write_text('{"method": "dvae"}')
    return tmp_path


@pytest.mark.parametrize("name", options("tokenizer"))
def test_tokenizers(composed, dvae_run: Path, name: str) -> None:
    config = composed("model=token_bert", f"tokenizer={name}")
    if "run" in list(config.tokenizer):
        config.tokenizer.run = str(dvae_run)
    settle_tokenizer(config)
    tokenizer = instantiate(config.model.tokenizer, _convert_="all")
    side = 2 * tokenizer.stride
    tokens = tokenizer.encode(torch.rand(1, 3, side, side))
    assert tokens.shape == (1, 2, 2) and tokens.max() < tokenizer.vocab_size
    assert tokenizer.decode(tokens).shape == (1, 3, side, side)


@pytest.mark.parametrize("name", options("experiment"))
def test_experiments(composed, dvae_run: Path, name: str) -> None:
    config = composed(f"experiment={name}")
    if "run" in config.get("tokenizer", {}):  # which is there once the sweep's first job is done
        config.tokenizer.run = str(dvae_run)
    settle_tokenizer(config)
    OmegaConf.to_container(config, resolve=True)
    with torch.device("meta"):  # without memory or initial weights
        method = instantiate(config.model, _convert_="all")
    method.configure_optimizers()
    instantiate(config.data, _convert_="all")


@pytest.mark.parametrize("name", options("sweep"))
def test_sweeps(composed, name: str) -> None:
    skip_without_plugin([f"sweep={name}"])
    OmegaConf.to_container(composed(f"sweep={name}"), resolve=True)


@pytest.mark.parametrize("name", options("debug"))
def test_debugs(composed, name: str) -> None:
    config = composed(f"debug={name}")
    if config.trainer.accelerator == "auto":
        instantiate(config.trainer, logger=False)


def unexplained(text: str) -> list[str]:
    """Keys of a yaml whose value has no reason beside it.

    A reason is a comment on the line of the value, on the line above it, or on the line of a key
    that the value lies under. The comment that a file begins with is about the file as a whole. A
    value that is another key's has its reason there, and a name needs none.
    """
    lines, found = text.splitlines(), []
    body = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    explained: dict[int, bool] = {}  # indentation to whether the key there has a reason
    for i, line in enumerate(lines[body:], body):
        bare = line.split(" #")[0].rstrip()
        if not bare or bare.lstrip().startswith("#"):
            continue
        indent = len(bare) - len(bare.lstrip())
        above = i > body and lines[i - 1].strip().startswith("#")
        inherited = any(yes for level, yes in explained.items() if level < indent)
        explained = {level: yes for level, yes in explained.items() if level < indent}
        explained[indent] = " #" in line or above or inherited
        key, colon, value = bare.strip().partition(":")
        if key == "defaults":  # a list of files, which explain themselves
            explained[indent] = True
        technical = key.startswith("_") or not colon or key in ("name", "row", "compared_with")
        technical = technical or re.fullmatch(r"\$\{[^{}]+\}", value.strip()) is not None
        if value.strip() and not technical and not explained[indent]:
            found.append(bare.strip())
    return found


def test_a_value_without_a_reason_is_found() -> None:
    text = "# About the file.\na: 1\nb: 2  # why\n# why\nc: 3\nd:  # why\n  e: 4\nf:\n  g: 5\n"
    assert unexplained(text) == ["a: 1", "g: 5"]


@pytest.mark.parametrize("path", sorted(Path(CONF).rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_value_of_every_yaml_has_a_reason(path: Path) -> None:
    assert path.read_text().startswith("#")
    assert unexplained(path.read_text()) == []


def test_what_comes_with_a_model_gives_way_to_the_command_line(composed) -> None:
    assert composed("model=glcic", "data=folder").data._target_.endswith("FolderDataModule")
    assert composed("experiment=quickstart", "data=folder").data._target_.endswith(
        "FolderDataModule"
    )
    assert composed("experiment=quickstart", "model.width=7").model.width == 7


def test_the_report_experiment_is_the_reports_network(composed) -> None:
    method = instantiate(composed("experiment=glcic/report").model, _convert_="all")
    assert sum(p.numel() for p in method.parameters()) == 34_222_340
    rates = [group["lr"] for o in method.configure_optimizers() for group in o.param_groups]
    assert rates == [0.01, 0.001, 0.001]


@pytest.mark.parametrize("experiment", ["report", "iizuka"])
def test_the_reports_and_the_papers_glcic_have_none_of_the_later_options(
    composed, experiment: str
) -> None:
    model = composed(f"experiment=glcic/{experiment}").model
    options = {key: model[key] for key in ("skips", "residual", "ema_decay", "flip_average")}
    assert not any(options.values()) and model.fill != "smooth"
    own = {key: model.adversary[key] for key in ("loss", "penalty_weight", "feature_weight")}
    assert own == {"loss": "logistic", "penalty_weight": 0, "feature_weight": 0}
    assert not model.adversary.augment


def test_each_row_of_the_ladder_changes_little_of_the_row_that_it_is_compared_with(
    composed,
) -> None:
    """A cumulative row that lost an option of another row would be credited with that loss."""
    models: dict[str, dict] = {}
    for name in ["base", "smooth", "residual", "skips"]:
        config = composed(f"experiment=glcic_small_data/{name}")
        assert config.row == name
        models[name] = flat(OmegaConf.to_container(config.model, resolve=True))
        below = models.get(config.compared_with)
        if below is not None:
            changed = {key for key, value in models[name].items() if value != below[key]}
            assert len(changed) == 1, (name, changed)


def test_the_default_glcic_takes_the_mask_as_a_fourth_channel(composed) -> None:
    method = instantiate(composed("model=glcic", "budget=full").model, _convert_="all")
    assert sum(p.numel() for p in method.parameters()) == 34_223_940


def test_small_data_choose_networks_for_a_laptop(composed) -> None:
    widths = [
        composed("model=glcic", *typed).model.width
        for typed in ([], ["budget=full"], ["data=mnist"], ["data=mnist", "budget=laptop"])
    ]
    assert widths == [16, 64, 64, 16]
    assert composed("model=glcic", "model.width=5").model.width == 5
    with pytest.raises(InterpolationResolutionError, match="budget=big: type laptop or full"):
        _ = OmegaConf.create({"budget": "big", "width": "${by_budget:1,2}"}).width


def test_lists_reach_constructors_as_lists(composed) -> None:
    method = instantiate(composed("model=glcic", "model.width=4").model, _convert_="all")
    assert not isinstance(method.phase_stop, ListConfig)


def test_evaluation_constants_do_not_follow_the_seed(composed) -> None:
    one, two = composed("seed=1"), composed("seed=2")
    assert one.data.split_seed == two.data.split_seed
    assert one.data.eval_mask_seed == two.data.eval_mask_seed
    assert one.data.seed != two.data.seed
