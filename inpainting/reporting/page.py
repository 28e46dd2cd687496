"""The report as one HTML file that needs no other."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from inpainting.reporting.tables import Table


@dataclass(frozen=True)
class Drawing:
    """An image of the page.

    Args:
        title: above it
        caption: what it shows
        path: its PNG file
    """

    title: str
    caption: str
    path: Path

    @property
    def encoded(self) -> str:
        """The file, so that the page needs no other."""
        return base64.b64encode(self.path.read_bytes()).decode()


@dataclass
class Section:
    """A table of settings with what belongs to it.

    Args:
        table: the settings
        figures: drawn of the same rows
        tracking: rank correlations with validation loss, None without logs
    """

    table: Table
    figures: list[Drawing] = field(default_factory=list)
    tracking: Table | None = None


def write_page(
    path: Path, title: str, source: str, sections: Sequence[Section], tables: Sequence[Table]
) -> None:
    """Write the page: the sections, then further tables; `source` says how it was made."""
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
