"""The size of the device library, as it lies on a drive."""

import ast
from pathlib import Path

from bench.figures import Figure
from bench.rig import Rig
from cota.drive.strip import strip
from cota.sim import device_tree

GROUP = "code size"
_LIBRARY_BAR = 60_000
_RECOVERY_BAR = 12_000
_RECOVERY = ("redo.py", "drive.py")  # run by boot.py, apart from the library
_NOTE = "Peer: the plain updater. Bytes of .py as `cota` puts them on a drive: no comments, docstrings or wide layout, every name kept."
_ORDINARY_NOTE = "The same in ordinary layout: four spaces a level, one statement a line, no comments, docstrings or blank lines."


def _in_ordinary_layout(source: str) -> int:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return len(ast.unparse(tree).encode())


def measure(_rig: Rig) -> list[Figure]:
    """Count the library and the recovery."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted((device_tree() / "lib" / "ota").glob("*.py"))}
    sizes = {name: len(strip(source).encode()) for name, source in sources.items()}
    recovery = sum(sizes[name] for name in _RECOVERY)
    plain = len(strip((Path(__file__).parent / "plain_updater.py").read_text(encoding="utf-8")).encode())
    ordinary = sum(_in_ordinary_layout(source) for name, source in sources.items() if name not in _RECOVERY)
    return [
        Figure(GROUP, "lib/ota without the recovery, on a drive: bytes", sum(sizes.values()) - recovery, _LIBRARY_BAR, plain, note=_NOTE),
        Figure(
            GROUP, "lib/ota without the recovery, in ordinary layout: bytes", ordinary, _LIBRARY_BAR, report_only=True, note=_ORDINARY_NOTE
        ),
        Figure(GROUP, "the recovery, on a drive: bytes", recovery, _RECOVERY_BAR),
    ]
