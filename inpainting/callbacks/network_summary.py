"""The table of a method's networks at the start of a training."""

from typing import Any

from lightning.pytorch.callbacks import ModelSummary
from lightning.pytorch.utilities.model_summary import get_human_readable_count
from rich.console import Console
from rich.table import Table


class NetworkSummary(ModelSummary):
    """Lightning's summary without what is zero for every method here.

    Lightning counts operations only for a method that gives it an example input, and modules in
    evaluation mode only tell an averaged network, which the table names anyway.
    """

    @staticmethod
    def summarize(
        summary_data: list[tuple[str, list[str]]],
        total_parameters: int,
        trainable_parameters: int,
        model_size: float,
        total_training_modes: dict[str, int],
        total_flops: int,
        **options: Any,
    ) -> None:
        """Print each network's class and parameters, and the sums.

        Args:
            summary_data: Lightning's columns by title, of which some are shown
            total_parameters: of all networks
            trainable_parameters: those that an optimiser may change
            model_size: of all parameters, in MB
            total_training_modes: not shown
            total_flops: not shown
            options: not used
        """
        columns = dict(summary_data)
        table = Table("Network", "Class", header_style="bold")
        table.add_column("Parameters", justify="right")
        for row in zip(columns["Name"], columns["Type"], columns["Params"], strict=True):
            table.add_row(*(text.strip() for text in row))
        console = Console()
        console.print(table)
        line = f"{get_human_readable_count(trainable_parameters)} parameters to train"
        if total_parameters > trainable_parameters:
            others = get_human_readable_count(total_parameters - trainable_parameters)
            line += f", {others} others"
        console.print(" ".join(f"{line}, {model_size:.1f} MB".split()), highlight=False)
