"""The log file of a command."""

import logging
import sys

from inpainting.errors import NOTHING_WRITTEN


class LogFile(logging.FileHandler):
    """A log file, but a full disk costs its lines alone.

    What a line says is in the terminal too, and the next checkpoint or result says that the disk is
    full. Python's own handler would print a traceback for every line. Other faults it prints here
    as well.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (Python's name)
        """Print a traceback, except for a full disk."""
        error = sys.exception()
        if not (isinstance(error, OSError) and error.errno in NOTHING_WRITTEN):
            super().handleError(record)
