"""The worlds of the end-to-end tests and the courses of the power-cut sweep, for faults of all kinds."""

import sys
from pathlib import Path

from loading import load

_TESTS = Path(__file__).parents[1]
for _folder in ("e2e", "powercut"):
    if str(_TESTS / _folder) not in sys.path:
        sys.path.append(str(_TESTS / _folder))
_fixtures = load(_TESTS / "e2e" / "conftest.py", "e2e_fixtures")
lab = _fixtures.lab
client = _fixtures.client
make_world = _fixtures.make_world
world = _fixtures.world
gateway = _fixtures.gateway
