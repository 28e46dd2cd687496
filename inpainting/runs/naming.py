"""Names of the folders of evaluations that `evaluate -m` starts: which run, and what was asked."""

import hashlib
from pathlib import Path

from omegaconf import ListConfig, OmegaConf

from inpainting.runs.settings import is_display

LONGEST = 120  # characters; file systems allow 255


def run_name(run: str | None, name: str) -> str:
    """Return the name of what is evaluated: glcic_2026-01-31_12-00-00, or a model's name.

    Args:
        run: folder of the run; None for a model without training
        name: of the composed configuration
    """
    return name if run is None else _file_name("_".join(Path(run).absolute().parts[-2:]))


def asked(overrides: ListConfig, kept: ListConfig) -> str:
    """Return what an evaluation was asked for: mask=half,model.rounds=8.

    Args:
        overrides: of the job
        kept: keys that are left out: those that come from the run
    """
    texts = (text.lstrip("+") for text in overrides)
    own = [text for text in texts if text.split("=")[0] not in kept]
    own = [text for text in own if not is_display(text.split("=")[0])]
    return _file_name(",".join(sorted(own)) or "as_trained")


def _file_name(text: str) -> str:
    """Return a text without slashes; the end of a long one becomes a hash."""
    text = text.replace("/", ".")
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 9]}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def register_names() -> None:
    """Let evaluate.yaml name the folders of its jobs."""
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("asked", asked, replace=True)
