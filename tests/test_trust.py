"""A run's folder may come from a stranger: what of it is built, composed and read."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from inpainting.errors import InputError
from inpainting.runs.stored import read_config, read_lines, read_overrides, read_stored
from inpainting.runs.trust import is_offered, trusted_overrides, trusted_part

FOLDER = Path("run")
OFFERED = ["torch.optim.SGD", "torch.nn.Linear", "torch.nn.modules.loss.MSELoss"]
OFFERED += ["torch.optim.lr_scheduler.StepLR", "inpainting.methods.glcic.GLCIC"]
OFFERED += ["inpainting.diffusion.betas.linear_betas", "inpainting.schedules.OneCycle"]
OFFERED += ["lightning.Trainer", "inpainting.tasks.classifier.trained_classifier"]
STRANGE = [
    "os.system",
    "builtins.eval",
    "torch.hub.load",
    "torch.load",
    "numpy.load",
    "joblib.load",
]
STRANGE += ["site.addsitedir", "shutil.copy", "builtins.open", "subprocess.run", "pickle.loads"]
STRANGE += ["torch.nn.functional.relu", "torch.optim.Optimizer.step", "torch.nn.modules.module.os"]
STRANGE += ["torch.nn.modules.module.os.system", "torch.nn", "inpainting", "mypackage.Mine", "", 3]
STRANGE += ["inpainting.atomic.write_text", "inpainting.sweeps.job.run_to_end", "torch..nn.Linear"]
STRANGE += ["inpainting.sweeps.job.subprocess.run", "inpainting.data.arrays.shutil.rmtree", None]
STRANGE += ["inpainting.data.arrays.writing", "inpainting.methods.glcic.torch", {"a": 1}]
STRANGE += [
    "inpainting.methods.glcic.Inpainter",
    "inpainting.train.main",
    "${name}",
    "functools.partial",
]


@pytest.mark.parametrize("name", OFFERED)
def test_what_the_package_and_torch_offer_is_built(name: str) -> None:
    assert is_offered(name)


@pytest.mark.parametrize("name", STRANGE, ids=str)
def test_nothing_else_is(name: object) -> None:
    assert not is_offered(name)
    stored = OmegaConf.create({"model": {"network": [{"deep": {"_target_": name}}]}})
    if name is not None and "$" not in str(name):
        with pytest.raises(InputError, match=r"config.yaml in run names .*type trust=true"):
            trusted_part(stored, "model", OmegaConf.create(), FOLDER)


def test_what_the_command_itself_names_or_trusts_is_built() -> None:
    mine = {"_target_": "test_values.Part", "width": 1, "rate": 1.0, "mode": "fast"}
    stored = OmegaConf.create({"model": mine})
    for now in ({"model": {"_target_": "test_values.Part"}}, {"trust": True}):
        assert trusted_part(stored, "model", OmegaConf.create(now), FOLDER) == mine
    with pytest.raises(InputError, match="test_values.Part"):
        trusted_part(stored, "model", OmegaConf.create({"trust": False}), FOLDER)


def test_a_stored_part_computes_nothing_and_its_values_are_checked() -> None:
    betas = {"_target_": "inpainting.diffusion.betas.linear_betas"}
    for values, named in (
        ({"timesteps": "\\${oc.create:'{_target_: os.system}'}"}, "computes model.timesteps"),
        ({"timesteps": "${oc.create:'{_target_: os.system}'}"}, "names os.system"),
        ({"timesteps": 0}, "model.timesteps=0: type a whole number, 1 or more"),
        ({"timesteps": "${nowhere}"}, "has no readable model"),
    ):
        stored = OmegaConf.create({"model": betas | values})
        with pytest.raises(InputError, match=named):
            trusted_part(stored, "model", OmegaConf.create(), FOLDER)
    with pytest.raises(InputError, match="has no readable model"):
        trusted_part(OmegaConf.create({}), "model", OmegaConf.create(), FOLDER)


TAKEN = ["model=glcic", "trainer.max_epochs=2", "data.shares=[0.5,0.3,0.2]", "+model.new=3"]
TAKEN += [
    "+mask@mask.kinds.half=half",
    "data.root=../data",
    "~callbacks.grids",
    "against=[telea,../x]",
]
TAKEN += ["model.optimizer._target_=torch.optim.SGD", "experiment=glcic/small_data", "resume=../x"]
TAKEN += ["model.network={width:8,latent:16}", "+tests.mouth=['mask=mouth']", 'data.root="Möwe, a"']
TAKEN += ["model.lr_schedule={_target_:inpainting.schedules.OneCycle}", "init_from=../x/best.ckpt"]
TAKEN += ["metrics=[labels,perceptual]", "paths.outputs=/data/x", "data.root=${oc.env:HOME}/x"]
REFUSED = {
    "model._target_=os.system": "names what neither",
    "+callbacks.x={_target_:os.system,command:ls}": "names what neither",
    "+a={b:[{_target_:builtins.open}]}": "names what neither",
    "model.network={_target_:${evil}}": "names what neither",
    "+x._target_={a:1}": "names what neither",
    "+hydra.callbacks.x._target_=os.system": "sets Hydra",
    "++hydra.job_logging.x=1": "sets Hydra",
    "hydra/launcher=joblib": "sets Hydra",
    "hydra.searchpath=[/evil]": "sets Hydra",
    "mask@hydra.callbacks.x=rectangle": "sets Hydra",
    "--config-dir=/evil": "no setting",
    "-m": "no setting",
    "model=../../evil": "from another place",
    "+experiment=../../x": "from another place",
    "experiment=/abs/x": "from another place",
    "metrics=[labels,../../evil]": "from another place",
    "mask@mask.x=../../evil": "from another place",
    "model.x=${oc.decode:'1'}": "computes settings",
    "model.x=${oc.create:1}": "computes settings",
    "callbacks.last.path=/home/me/.bashrc": "where files are written",
    "callbacks.last={path:/x}": "where files are written",
    "paths.run=/x": "where files are written",
    "seed=0,1": "several values",
    "+tests.x=['hydra.run.dir=/x']": "sets Hydra",
    "+tests.x=['--config-dir=/evil']": "no setting",
    "+tests.x=['model._target_=os.system']": "names what neither",
    "+tests.x=['trust=true']": "asks to be trusted",
}


@pytest.mark.parametrize("override", TAKEN)
def test_a_stored_override_that_only_sets_values_is_composed(override: str) -> None:
    assert trusted_overrides([override], False, FOLDER) == [override]


@pytest.mark.parametrize(("override", "reason"), REFUSED.items())
def test_any_other_stored_override_is_refused(override: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"overrides.yaml in run .*{reason}.*trust=true"):
        trusted_overrides([override], False, FOLDER)
    assert trusted_overrides([override], True, FOLDER) == [override]


def test_a_stored_override_cannot_ask_for_trust() -> None:
    for text in ("trust=true", "+trust=true", "++trust=true"):
        assert trusted_overrides([text, "seed=1"], False, FOLDER) == ["seed=1"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "refers to its own parts"),
        (b"a: [1, 2", "cannot be read"),
        (b"\x00\xff\xfe", "cannot be read"),
        (b"a: ${b", "cannot be read"),
        (b"[1, 2]", "not the configuration of a run"),
        (b"", "not the configuration of a run"),
        (b"x: " + b"y" * 1_000_001, "too large"),
    ],
)
def test_a_broken_yaml_is_named(tmp_path: Path, text: bytes, named: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text)
    with pytest.raises(InputError, match=f"config.yaml .*{named}"):
        read_config(path)


def test_missing_and_unfit_overrides_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing"):
        read_overrides(tmp_path / "overrides.yaml")
    (tmp_path / "overrides.yaml").write_text("a: 1\n")
    with pytest.raises(InputError, match="no list of settings"):
        read_overrides(tmp_path / "overrides.yaml")
    (tmp_path / "overrides.yaml").write_text("- a=1\n")
    assert list(read_stored(tmp_path / "overrides.yaml")) == ["a=1"]


def test_a_torn_last_line_of_a_table_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n3,0.12")
    assert read_lines(path) == [["a", "b"], ["1", "2"]]
    path.write_bytes(b"a,b\n\x00\xff\n")
    with pytest.raises(InputError, match=r"table.csv is no table of text"):
        read_lines(path)
