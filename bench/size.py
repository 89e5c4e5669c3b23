"""The size of the device library, as the rules of the project count it."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure
from bench.rig import Rig
from cota.errors import CotaError
from cota.sim import device_tree

GROUP = "code size"
_LIBRARY_BAR = 60_000
_RECOVERY_BAR = 12_000
_RULES = Path(__file__).parents[1] / "tests" / "host" / "device_rules.py"
_NOTE = "Peer: the plain updater. Bytes of .py without comments, docstrings and blank lines, as tests/host/device_rules.py counts them."


def _rule() -> Callable[[str], int]:
    """The count that the tests hold the modules to, so that there is one definition.

    Raises:
        CotaError: the tests are not beside the bench.
    """
    spec = importlib.util.spec_from_file_location("device_rules", _RULES)
    if spec is None or spec.loader is None or not _RULES.is_file():
        raise CotaError("The bench counts code as tests/host/device_rules.py does, and that file is missing.", "Run it from a checkout.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rule: Callable[[str], int] = module.code_bytes
    return rule


def measure(_rig: Rig) -> list[Figure]:
    """Count the library and the recovery."""
    code_bytes = _rule()
    sizes = {path.name: code_bytes(path.read_text(encoding="utf-8")) for path in sorted((device_tree() / "lib" / "ota").glob("*.py"))}
    plain = code_bytes((Path(__file__).parent / "plain_updater.py").read_text(encoding="utf-8"))
    return [
        Figure(GROUP, "lib/ota: bytes", sum(sizes.values()), _LIBRARY_BAR, plain, note=_NOTE),
        Figure(GROUP, "the recovery, lib/ota/redo.py: bytes", sizes["redo.py"], _RECOVERY_BAR),
    ]
