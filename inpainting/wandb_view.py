"""Save a view of a sweep in Weights & Biases: its runs beside each other, nothing to click.

python -m inpainting.wandb_view ENTITY/PROJECT group=glcic_table

Needs the key of that account (wandb login), and pip install 'inpainting[wandb]'.
"""

import argparse
from typing import Any

from inpainting.errors import InputError, exits_with_one_sentence


def parse(arguments: list[str] | None = None) -> tuple[str, str, str]:
    """Entity, project and group of a command line.

    Raises:
        InputError: one of them is missing.
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
    """The view, not yet saved: the sweep's test, images and validation, then all it logged.

    Raises:
        InputError: wandb's library for views is not installed.
    """
    try:
        import wandb_workspaces.reports.v2 as panels
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise InputError("views need a package: pip install 'inpainting[wandb]'") from error

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
        auto_generate_panels=True,  # the losses, whose names are each method's own
    )


@exits_with_one_sentence
def main() -> None:
    """Save the view and print its address."""
    place = parse()
    from inpainting.loggers.dashboard import has_key  # Lightning: not for --help

    if not has_key():
        raise InputError("there is no key for Weights & Biases here: type wandb login first")
    print(view(*place).save().url)


if __name__ == "__main__":
    main()
