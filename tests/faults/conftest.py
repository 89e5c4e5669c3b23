"""The worlds of the end-to-end tests and the courses of the power-cut sweep, for faults of all kinds."""

import importlib.util
import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
for _folder in ("e2e", "powercut"):
    if str(_TESTS / _folder) not in sys.path:
        sys.path.append(str(_TESTS / _folder))
# Under a name of its own: each folder of tests has a module `conftest`.
_spec = importlib.util.spec_from_file_location("e2e_fixtures", _TESTS / "e2e" / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
lab = _fixtures.lab
client = _fixtures.client
make_world = _fixtures.make_world
world = _fixtures.world
gateway = _fixtures.gateway
