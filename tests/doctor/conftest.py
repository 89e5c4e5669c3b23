"""What the tests of the operator's commands stand on, shared with tests/drive."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "drive"))

from operator_desk import client, cota, environment, lab, make_drive, number, operator

__all__ = ["client", "cota", "environment", "lab", "make_drive", "number", "operator"]
