"""Updates with one fault in each: the host's side of vm/fault_worker.py."""

import ast
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course import _LEAST_HEAP, GEOMETRIES, Files, Job, standing_files
from course import PROGRAM as LOOP
from shapes import text

from cota.sim.vm import SHIMS, find_vm

_VM = Path(__file__).parent / "vm"
_POWERCUT_VM = Path(__file__).parents[1] / "powercut" / "vm"
# start.py must fit one sector, and boot.py fill one.
_NOT_MARKED = ("lib/ota/start.py", "boot.py", "safemode.py", "settings.toml")
_BLOCKS = ("body", "orelse", "finalbody")

# The update loop of the power-cut sweep, telling what it sees.
PROGRAM = LOOP.replace(b"            if updater.step()", b"            STEP()\n            if updater.step()").replace(
    b"    if not updating:\n", b"    except Exception as problem:\n        LEAKED(problem)\n        raise\n    if not updating:\n"
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A statement of the device code."""

    number: int
    path: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} in {self.function}"


class _Marker(ast.NodeVisitor):
    """Puts a call of SITE(number) before each statement of a function, and lists the statements."""

    def __init__(self, path: str, first: int) -> None:
        self.sites: list[Site] = []
        self._path = path
        self._first = first
        self._function = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer, self._function = self._function, node.name
        self.generic_visit(node)
        self._function = outer

    def generic_visit(self, node: ast.AST) -> None:
        super().generic_visit(node)
        if self._function:
            for name in _BLOCKS:
                block = getattr(node, name, None)
                if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                    setattr(node, name, [part for statement in block for part in (self._mark(statement), statement)])

    def _mark(self, statement: ast.stmt) -> ast.stmt:
        number = self._first + len(self.sites)
        self.sites.append(Site(number, self._path, statement.lineno, self._function))
        return ast.parse(f"SITE({number})").body[0]


def marked_files() -> tuple[dict[str, bytes], dict[int, Site]]:
    """What is on the drive besides the releases, with every statement of the library's functions marked, and the marks."""
    files = dict(standing_files())
    sites: dict[int, Site] = {}
    for path in sorted(files):
        if path.endswith(".py") and path.startswith("lib/ota/") and path not in _NOT_MARKED:
            tree = ast.parse(files[path])
            marker = _Marker(path, len(sites))
            marker.visit(tree)
            sites.update({site.number: site for site in marker.sites})
            files[path] = ast.unparse(ast.fix_missing_locations(tree)).encode()
    return files, sites


def small_update(standing: Files | None = None) -> Job:
    """An update that adds, changes, deletes and keeps, and has a .cotaignore; of a board that had one before."""
    old = {"a.py": text("1", 700), "gone.py": text("g", 300), "keep.py": text("k", 100)}
    new = {"a.py": text("2", 1500), "pkg/b.py": text("b", 2500), "keep.py": old["keep.py"], ".cotaignore": b"*.md\n"}
    return Job(old, new, settled=True, standing=standing, program=PROGRAM)


def run(job: Job, faults: Sequence[Row]) -> tuple[Row, list[Row]]:
    """Live a course without a fault, and once with each of these.

    Returns:
        The row of the course without one, and a row a fault.

    Raises:
        RuntimeError: the VM ended before it was through.
    """
    with tempfile.TemporaryDirectory(prefix="cota-faults-") as folder:
        request = Path(folder) / "job.json"
        request.write_text(json.dumps({**job.request(None), "faults": list(faults)}), encoding="utf-8")
        script = Path(folder) / "start.py"
        paths = [str(_VM), str(_POWERCUT_VM), str(SHIMS)]
        script.write_text(f"import sys\nsys.path[:0] = {paths!r}\nimport fault_worker\nfault_worker.main({str(request)!r})\n")
        heap = _LEAST_HEAP + 6 * GEOMETRIES[job.geometry].kib * 1024
        done = subprocess.run(
            find_vm("micropython").argv(script, heap), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not rows or rows[-1]["kind"] != "end":
        raise RuntimeError(f"the VM ended: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return rows[0], rows[1:-1]
