"""Call depth: how many frames the library puts on the stack below a program's call."""

from bench import releases
from bench.cases import OURS
from bench.figures import Figure
from bench.rig import Case, Rig

GROUP = "call depth"
_BAR = 10
_NOTE = (
    "The same device code on CPython, every call traced: frames of lib/ota below the method that the program calls. What a board has built "
    "in makes no frame. A list comprehension is one on boards and up to CPython 3.11. Deepest: {}."
)
_RECOVERY = "boot.py"
_OLD = releases.files(30, 300) | {"left/over/by/the/old.py": b"1\n", ".cotaignore": b"*.md\n"}
_NEW = releases.with_changes(_OLD, {"pkg0/module_003.py": 5_000, "new/folder/file.py": 100, "README.md": 50})
del _NEW["left/over/by/the/old.py"]


def measure(rig: Rig) -> list[Figure]:
    """Trace a first install and an update with new, changed, deleted and ignored files."""
    outcome = rig.run(Case([_OLD, _NEW], OURS, vm="cpython", depth=True, calls=2, ignored=frozenset(["README.md"])))
    deepest: dict[str, list[str]] = {}
    for mark in outcome.require().all("run end"):
        for public, chain in mark.said["depth"].items():
            if len(chain) > len(deepest.get(public, [])):
                deepest[public] = chain
    recovery = deepest.pop(_RECOVERY)
    worst = max(deepest, key=lambda public: len(deepest[public]))
    note = _NOTE.format(" > ".join([worst, *deepest[worst]]))
    rows = [Figure(GROUP, f"frames below {public}()", len(chain), _BAR, note=note) for public, chain in sorted(deepest.items())]
    return [*rows, Figure(GROUP, "frames of the recovery below boot.py", len(recovery), _BAR)]
