"""The bench is a folder of the checkout, not an installed package."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from bench.rig import Rig, running_rig  # noqa: E402


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    pytest.importorskip("micropython_unix", reason="the MicroPython VM is not installed")
    with running_rig() as running:
        yield running
