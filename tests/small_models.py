"""Every model that trains, small and trained for a moment."""

from pathlib import Path

from omegaconf import OmegaConf

from inpainting import CONF
from inpainting.runs.settings import flat

# Images that need no download, and a training short enough for a test.
SHORT = [
    "data=photos",
    "data.image_size=32",
    "data.patches=[64,12,10]",
    "data.batch_size=8",
    "data.eval_batch_size=8",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=2",
    "trainer.num_sanity_val_steps=0",
    "callbacks.grids.count=4",
    "callbacks.progress=null",
]


def trained_models() -> dict[str, list[str]]:
    """Every model of conf/model that trains, with what to type for a small one: `small`.

    Its tokenizer, if it brings one, has a `small` too.
    """
    found = {}
    for path in sorted((Path(CONF) / "model").glob("*.yaml")):
        config = OmegaConf.to_container(OmegaConf.load(path))
        if config.get("monitor") is not None:
            values = flat(config.get("small") or {})
            for default in config.get("defaults", []):
                if "override /tokenizer" in default:
                    tokenizer = Path(CONF) / "tokenizer" / f"{default['override /tokenizer']}.yaml"
                    values |= flat(OmegaConf.to_container(OmegaConf.load(tokenizer).small))
            found[path.stem] = [f"{key}={value}" for key, value in values.items() if key]
    return found


SMALL = trained_models()


def small(model: str) -> list[str]:
    """What to type for a small one of a model, trained for a moment."""
    return [f"model={model}", *SHORT, *SMALL[model]]


NARROW = small("glcic")
