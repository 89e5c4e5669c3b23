"""Load a pure device module by itself: the host never imports the package `ota`."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

LIBRARY = Path(__file__).parents[3] / "device/lib/ota"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"device_{name}", LIBRARY / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
