"""A downloaded run executes nothing, whichever of its files says so, unless trust=true is typed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

pytestmark = pytest.mark.slow

# Each would leave the file `opened` behind, or do something else that a test can see.
TARGETS = {
    "os.system": {"command": "touch opened"},
    "subprocess.run": {"args": ["touch", "opened"]},
    "builtins.open": {"file": "opened", "mode": "w"},
    "pathlib.Path.touch": {"_args_": ["opened"]},
    "shutil.copy": {"src": "photo.png", "dst": "opened"},
    "torch.hub.load": {"repo_or_dir": ".", "model": "x", "source": "local"},
    "torch.load": {"f": "x", "weights_only": False},
    "numpy.load": {"file": "x", "allow_pickle": True},
    "joblib.load": {"filename": "x"},
    "site.addsitedir": {"sitedir": "."},
    "builtins.eval": {"_args_": ["__import__('os').system('touch opened')"]},
    "inpainting.atomic.write_text": {"path": "opened", "text": ""},
    "inpainting.sweeps.job.run_to_end": {"command": ["touch", "opened"]},
    "inpainting.sweeps.job.subprocess.run": {"args": ["touch", "opened"]},
    "mine.Network": {},
}
PLACES = {
    "model.network": {"_partial_": False},
    "model.optimizer_joint": {"_partial_": True},
    "model.lr_schedule": {},
    "model": {},
}
OVERRIDES = [
    "+hydra.callbacks.x={_target_:os.system,command:'touch opened'}",
    "+callbacks.x={_target_:os.system,command:'touch opened'}",
    "data._target_=os.system",
    "+mask.kinds.x={_target_:builtins.open,file:opened,mode:w}",
    "model=../../../evil",
    "hydra.searchpath=[.]",
    "--config-dir=.",
    "+tests.x=['+hydra.callbacks.x={_target_:os.system}']",
    "+tests.x=['trust=true']",
    "model.width=${oc.create:'{_target_: os.system}'}",
    "callbacks.last.path=opened",
]
COMMANDS = {
    "evaluate": ["run=run"],
    "predict": ["run=run", "input=photo.png", "masks=hole.png", "out=filled"],
    "against": ["model=telea", "data=photos", "against=[run]"],
    "train": ["resume=run"],
}


@pytest.fixture
def stranger(trained: Path, tmp_path: Path) -> Path:
    """A run that a stranger may have changed, beside an image and a hole."""
    Image.new("RGB", (32, 32), "grey").save(tmp_path / "photo.png")
    hole = Image.new("L", (32, 32))
    hole.paste(255, (4, 4, 12, 12))
    hole.save(tmp_path / "hole.png")
    return shutil.copytree(trained, tmp_path / "run")


@pytest.mark.parametrize("entry", ["evaluate", "predict", "against"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target", TARGETS)
def test_a_stored_configuration_builds_nothing_of_a_strangers(
    failure: Callable[..., str],
    stranger: Path,
    tmp_path: Path,
    target: str,
    place: str,
    entry: str,
) -> None:
    config = OmegaConf.load(stranger / "config.yaml")
    OmegaConf.update(
        config, place, {"_target_": target, **PLACES[place], **TARGETS[target]}, force_add=True
    )
    OmegaConf.save(config, stranger / "config.yaml")
    name = "evaluate" if entry == "against" else entry
    message = failure(name, *COMMANDS[entry])
    assert f"names {target}, which neither" in message and "type trust=true" in message
    assert not (tmp_path / "opened").exists() and not (tmp_path / "filled").exists()


@pytest.mark.parametrize("entry", ["evaluate", "predict", "train"])
@pytest.mark.parametrize("override", OVERRIDES)
def test_stored_overrides_compose_nothing_of_a_strangers(
    failure: Callable[..., str], stranger: Path, tmp_path: Path, override: str, entry: str
) -> None:
    path = stranger / ".hydra" / "overrides.yaml"
    OmegaConf.save([*OmegaConf.load(path), override, "trust=true"], path)
    message = failure(entry, *COMMANDS[entry])
    assert "overrides.yaml" in message and "type trust=true" in message
    assert not (tmp_path / "opened").exists() and not (tmp_path / "filled").exists()


def test_typed_trust_builds_what_the_folder_names(
    command: Callable[..., None],
    failure: Callable[..., str],
    stranger: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "of_a_stranger.py").write_text(
        "open('opened', 'w').close()\ndef rate(progress): return 1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = OmegaConf.load(stranger / "config.yaml")
    config.model.lr_schedule = {"_target_": "of_a_stranger.rate", "_partial_": True}
    OmegaConf.save(config, stranger / "config.yaml")
    assert "trust=true" in failure("predict", *COMMANDS["predict"])
    assert not (tmp_path / "opened").exists()
    command("predict", *COMMANDS["predict"], "trust=true")
    assert (tmp_path / "opened").exists() and (tmp_path / "filled" / "photo.png").exists()


@pytest.mark.parametrize("entry", ["evaluate", "predict", "train"])
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
        ("config.yaml", "a: [1"),
        ("config.yaml", ""),
        ("config.yaml", "name: glcic\n"),
        (".hydra/overrides.yaml", None),
        (".hydra/overrides.yaml", "a: 1\n"),
        (".hydra/overrides.yaml", "\x00"),
        (".hydra/hydra.yaml", None),
        (".hydra/hydra.yaml", "[1"),
    ],
)
def test_a_broken_file_of_a_run_is_named(
    failure: Callable[..., str], stranger: Path, file: str, content: str | None, entry: str
) -> None:
    (stranger / file).unlink()
    if content is not None:
        (stranger / file).write_text(content)
    if entry == "predict" and file == ".hydra/hydra.yaml":
        pytest.skip("predict reads no choice of a group")
    assert Path(file).name in failure(entry, *COMMANDS[entry])
