"""Save a view of a sweep in Weights & Biases that shows its runs side by side.

python -m inpainting.wandb_view ENTITY/PROJECT group=glcic_table

This needs the API key of the account (wandb login) and pip install 'inpainting[wandb]'.
"""

import argparse
from typing import Any

from inpainting.errors import InputError, exits_with_one_sentence


def parse(arguments: list[str] | None = None) -> tuple[str, str, str]:
    """Parse a command line into entity, project and group.

    Raises:
        InputError: one of the three is missing.
    """
    parser = argparse.ArgumentParser(
        "python -m inpainting.wandb_view",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("place", metavar="ENTITY/PROJECT")
    parser.add_argument("group", metavar="group=NAME")
    typed = parser.parse_args(arguments)
    entity, _, project = typed.place.partition("/")
    key, _, group = typed.group.partition("=")
    if not entity or not project or "/" in project:
        raise InputError(f"{typed.place}: type the account and the project, as in anna/inpainting")
    if key != "group" or not group:
        raise InputError(f"{typed.group}: type the name of a sweep, as in group=glcic_table")
    return entity, project, group


def view(entity: str, project: str, group: str) -> Any:
    """Build the view without saving it: test, images and validation, then everything else logged.

    Raises:
        InputError: wandb's library for views is not installed.
    """
    try:
        import wandb_workspaces.reports.v2 as panels
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise InputError(
            "views need a package that is not installed: type pip install 'inpainting[wandb]'"
        ) from error

    measured = ("psnr_hole", "ssim_hole")
    sections = {
        "Test": [
            *(panels.BarPlot(title=f"test {name}", metrics=[f"test/{name}"]) for name in measured),
            panels.WeavePanelSummaryTable(table_name="test/images"),
        ],
        "Images": [panels.MediaBrowser(media_keys=["images"], num_columns=2)],
        "Validation": [
            panels.LinePlot(title=f"validation {name}", x="batch", y=[f"val/{name}"])
            for name in (*measured, "loss")
        ],
    }
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"Sweep {group}",
        sections=[
            ws.Section(name=name, panels=shown, is_open=True) for name, shown in sections.items()
        ],
        settings=ws.WorkspaceSettings(x_axis="batch"),
        runset_settings=ws.RunsetSettings(filters=f"Group = '{group}'"),
        auto_generate_panels=True,  # for the losses, whose names differ between methods
    )


@exits_with_one_sentence
def main() -> None:
    """Save the view and print its address."""
    place = parse()
    # Imported here so that --help does not load Lightning.
    from inpainting.loggers.dashboard import has_key

    if not has_key():
        raise InputError("this machine has no API key for Weights & Biases: type wandb login first")
    print(view(*place).save().url)


if __name__ == "__main__":
    main()
