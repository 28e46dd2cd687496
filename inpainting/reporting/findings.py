"""What a report is made of, as its tables, captions and files share it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inpainting.reporting.human import Panel
from inpainting.reporting.rows import Row
from inpainting.runs.measured import Conditions, Missing


@dataclass(frozen=True)
class Findings:
    """Everything that was found in the folders of a report.

    Args:
        tables: the rows of each table, by the conditions under which they were measured
        metrics: names of the metrics whose differences to the base row are shown
        panel: the scores that people gave to the completions
        missing: the jobs without numbers
    """

    tables: Mapping[Conditions, Sequence[Row]]
    metrics: Sequence[str]
    panel: Panel
    missing: Sequence[Missing]

    def on_same_holes(self, conditions: Conditions) -> list[Conditions]:
        """Return the conditions of all tables with the same holes and images, in table order.

        The list includes `conditions`.
        """
        return [other for other in self.tables if other.mask_hash == conditions.mask_hash]
