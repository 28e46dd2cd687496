"""The report as one self-contained HTML file."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from inpainting.images.whole import check_whole_image
from inpainting.reporting.tables import Table


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Args:
        title: heading above the figure
        caption: what the figure shows
        path: PNG file of the figure
    """

    title: str
    caption: str
    path: Path

    @property
    def encoded(self) -> str:
        """The content of the file in base64, which the page embeds.

        Raises:
            InputError: the file is not a whole image.
        """
        check_whole_image(self.path)
        return base64.b64encode(self.path.read_bytes()).decode()


@dataclass
class Section:
    """A table of settings with its figures.

    Args:
        table: the table of settings
        figures: figures of the same rows
        tracking: table of rank correlations with validation loss, None without logs
    """

    table: Table
    figures: list[Drawing] = field(default_factory=list)
    tracking: Table | None = None


def write_page(
    path: Path, title: str, source: str, sections: Sequence[Section], tables: Sequence[Table]
) -> None:
    """Write the page.

    Args:
        path: file to write
        title: title and first heading of the page
        source: sentence that says how the page was made
        sections: sections of the page, in order
        tables: tables after the sections
    """
    environment = Environment(
        loader=PackageLoader("inpainting.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
    )
    template = environment.get_template("page.html.j2")
    path.write_text(
        template.render(title=title, source=source, sections=sections, tables=tables),
        encoding="utf-8",
    )
