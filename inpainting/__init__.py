"""Train, measure and compare image inpainting methods."""

from pathlib import Path

from inpainting import budget

_HERE = Path(__file__).resolve().parent

# A wheel carries conf/ inside the package; a checkout has it beside the package. The path is
# absolute, so that commands work from any folder and Lightning can start further processes.
CONF = str(_HERE / "conf" if (_HERE / "conf").is_dir() else _HERE.parent / "conf")
budget.register_sizes()
