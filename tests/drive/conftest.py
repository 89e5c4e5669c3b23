"""What the tests of the operator's commands stand on; see operator_desk.py."""

from operator_desk import client, cota, environment, lab, make_drive, number, operator

__all__ = ["client", "cota", "environment", "lab", "make_drive", "number", "operator"]
