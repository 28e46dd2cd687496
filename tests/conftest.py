"""What tests share: real data where it is present, composed configurations, short trainings."""

import gc
import pickle
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from commands import typed_in
from hydra import compose, initialize_config_dir
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig
from small_models import NARROW, SHORT, SMALL, small  # noqa: F401  tests import them from here

from inpainting import CONF

DATA = Path(__file__).parents[2] / "shared" / "data"

# What every data module needs, with a mask that covers all
DATA_SETTINGS = {
    "mask": lambda count, height, width, generator: torch.ones(count, 1, height, width),
    "image_size": 16,
    "channels": 3,
    "batch_size": 4,
    "eval_batch_size": 4,
    "num_workers": 0,
    "seed": 0,
    "split_seed": 2020,
    "eval_mask_seed": 1,
}

# Hydra's plugins are extras; what is typed to use each.
PLUGINS = {
    "sweep=glcic_optuna": "hydra_optuna_sweeper",
    "hydra/launcher=parallel": "hydra_joblib_launcher",
    "hydra/launcher=slurm": "hydra_submitit_launcher",
}


def skip_without_plugin(typed: Sequence[str]) -> None:
    """Skip a test of a command line that needs a plugin of Hydra that is not installed."""
    for text in typed:
        name = PLUGINS.get(text)
        if name and not (find_spec("hydra_plugins") and find_spec(f"hydra_plugins.{name}")):
            pytest.skip(f"{text} needs {name}, an extra that is not installed here")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Two cores run two tests; more threads each would only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def no_search_among_what_stays() -> None:
    """Spare Python's garbage collector the million objects of the packages, a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def configurations_are_read_once() -> Iterator[None]:
    """Keep what Hydra reads of our own configuration files, a third of composing's time."""
    Plugins.instance()  # finds the classes that read files
    source = SourcesRegistry.instance().resolve("file")
    read = source.load_config
    kept: dict[tuple[str, str], bytes] = {}

    def load_config(self: ConfigSource, config_path: str) -> ConfigResult:
        if self.path != CONF:  # a user's, which a test may change
            return read(self, config_path)
        key = (self.provider, config_path)
        if key not in kept:
            kept[key] = pickle.dumps(read(self, config_path))
        return pickle.loads(kept[key])  # a new one for each, as Hydra changes it

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "load_config", load_config)
        yield


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """The path of a real data set, or a skip that says which one is missing."""

    def path(name: str) -> Path:
        if not (DATA / name).exists():
            pytest.skip(f"needs the real images of shared/data/{name}, which are not here")
        return DATA / name

    return path


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Callable[..., DictConfig]]:
    """Compose a configuration from overrides, as the command line would."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONF, version_base="1.3"):
        yield lambda *overrides, name="train": compose(
            name, [f"paths.run={tmp_path}", *overrides], return_hydra_config=False
        )


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Run an entry point in this process, as typed, in an empty folder."""
    with typed_in(tmp_path) as run:
        yield run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, for all tests: copy it before changing anything in it."""
    folder = tmp_path_factory.mktemp("trained")
    # Enough batches for the batch norms, without which the network answers all images alike.
    alive = ["model.width=8", "data.batch_size=2", "trainer.max_epochs=1"]
    with typed_in(folder) as run:
        run("train", *NARROW, *alive, "hydra.run.dir=run")
    return folder / "run"


@pytest.fixture
def failure(command: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run an entry point that must refuse its input; returns its one sentence."""

    def run(name: str, *arguments: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            command(name, *arguments)
        assert stopped.value.code == 2
        lines = [
            line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")
        ]
        assert len(lines) == 1
        return lines[0]

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that at the end no process waits for another one's."""
    longest = ("sweeps", "resume", "devices", "score", "ddpm", "readme")
    order = {f"test_{name}.py": place for place, name in enumerate(longest)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
