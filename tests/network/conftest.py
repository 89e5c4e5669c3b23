"""The two servers that all cases of a process share, and the updater's modules under a name of their own."""

import gc
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from loading import device
from origin import Origin


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="session")
def ota() -> Callable[[str], ModuleType]:
    """Gives a module of the device library."""
    return device


@pytest.fixture(scope="module", autouse=True)
def _quick_collection() -> Iterator[None]:
    """The updater collects garbage at every connection; a test process has so many objects that this alone would take most of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
