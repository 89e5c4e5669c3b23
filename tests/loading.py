"""Modules that no import statement reaches: one of several files of one name, and the device library."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARY = Path(__file__).parents[1] / "device/lib/ota"
_PACKAGE = "device_ota"  # not `ota`, which no host code imports; its __init__ is left out, because that is the client


def load(path: Path, name: str) -> ModuleType:
    """Load a file as a module under a name of its own: each folder of tests has a module `conftest`."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def device(name: str) -> Any:
    """Give a module of the device library, with what it imports from there."""
    if _PACKAGE not in sys.modules:
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(LIBRARY)]
        package.__version__ = "0"  # type: ignore[attr-defined]
        sys.modules[_PACKAGE] = package
    return importlib.import_module(f"{_PACKAGE}.{name}")
