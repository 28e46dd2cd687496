"""Faults that cost minutes to try: `make faults`, apart from `make test`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # helpers that the tests share
