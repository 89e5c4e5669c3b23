"""The rig of the bench, for its own tests."""

from collections.abc import Iterator

import pytest
from bench.rig import Rig, running_rig


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    pytest.importorskip("micropython_unix", reason="the MicroPython VM is not installed")
    with running_rig() as running:
        yield running
