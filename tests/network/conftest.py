"""The two servers that all cases of a process share, and the updater's modules under a name of their own."""

import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from origin import Origin

LIBRARY = Path(__file__).parents[2] / "device/lib/ota"


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="session")
def ota() -> Callable[[str], ModuleType]:
    """Gives a module of the device library, which this process knows as the package `device_ota`: the host never imports `ota`."""
    name = "device_ota"
    if name not in sys.modules:
        spec = importlib.util.spec_from_loader(name, None, is_package=True)
        assert spec is not None
        package = importlib.util.module_from_spec(spec)
        package.__path__ = [str(LIBRARY)]
        package.__version__ = "0"  # type: ignore[attr-defined]
        sys.modules[name] = package
    return lambda module: importlib.import_module(f"{name}.{module}")


@pytest.fixture(scope="module", autouse=True)
def _quick_collection() -> Iterator[None]:
    """The updater collects garbage at every connection; a test process has so many objects that this alone would take most of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
