"""Recoveries broken on purpose, to see that the sweep sees it: text of device/lib/ota/redo.py, what stands there instead, and where it
shows. `only_by_cuts` says that a course without a cut still goes well."""

from dataclasses import dataclass, replace

from course import Job
from shapes import SHAPES

from cota.drive.strip import strip
from cota.drive.tree import device_tree

_PATH = "lib/ota/redo.py"


@dataclass(frozen=True)
class Mutant:
    """A broken recovery.

    Attributes:
        name: What is wrong with it.
        changes: (text as it stands, text instead), each found exactly once.
        shape: The shape that shows it.
        bad: Whether it shows while a bad release is undone.
        only_by_cuts: Whether nothing shows as long as the power stays on.
    """

    name: str
    changes: tuple[tuple[str, str], ...]
    shape: str
    bad: bool = False
    only_by_cuts: bool = True

    def job(self) -> Job:
        """The course that shows it.

        Raises:
            AssertionError: the recovery has changed, and the text is not there.
        """
        source = (device_tree() / _PATH).read_text(encoding="utf-8")
        for old, new in self.changes:
            assert source.count(old) == 1, f"{self.name}: redo.py has {source.count(old)} times: {old}"
            source = source.replace(old, new)
        shape = SHAPES[self.shape]
        return replace(Job(shape.old, shape.new, settled=True, bad=self.bad), device={_PATH: strip(source).encode()})


_APPLY = '            _apply(journal, "fmh")\n'
_UNDO = '        _apply(journal, "FMH")\n'
_WRITE_HEAD = "    old = _size(path)\n    grows ="

MUTANTS = (
    Mutant(
        "says that it is through before it begins",
        ((_APPLY, '            journal["p"] = "T"\n            save(journal)\n' + _APPLY),),
        "renamed",
    ),
    Mutant(
        "says that it has undone before it begins",
        ((_UNDO, '        journal["p"] = "I"\n        save(journal)\n' + _UNDO),),
        "renamed",
        bad=True,
    ),
    Mutant(
        "takes a file of the right length for right",
        (("        return _digest(file, length) == digest\n", "        return True\n"),),
        "changed, same size",
        only_by_cuts=False,
    ),
    Mutant(
        "takes a name for a file",
        (("turn == last and not _is_right(path, length, digest)", "turn == last and _size(path) < length"),),
        "changed, same size",
        only_by_cuts=False,
    ),
    Mutant("cannot delete twice", (("            if _size(path) >= 0:\n", "            if True:\n"),), "deleted"),
    Mutant(
        "cannot make a folder twice",
        (("            if exc.args[0] != 17:", "            if exc.args[0]:"),),
        "nested folders made",
        only_by_cuts=False,
    ),
    Mutant("leaves the remains of torn long names", (('if "~" in shown and', "if False and"),), "long names, moved by 5"),
    Mutant(
        "lets folders grow into old bytes",
        (("            pool.write(_VIEW[:_SECTOR])\n", "            pass\n"),),
        "full folder of 512-byte clusters",
    ),
    Mutant(
        "renames",
        (
            (
                _WRITE_HEAD,
                '    with open("/t.new", "wb") as file:\n        _copy(arena, offset, file, length)\n'
                "    if _size(path) >= 0:\n        os.remove(path)\n"
                '    os.rename("/t.new", path)\n    return\n' + _WRITE_HEAD,
            ),
        ),
        "renamed",
    ),
    Mutant(
        "removes before it writes, and forgets what is not there",
        (
            (
                "    for last in range(len(_LAST) + 1):\n",
                '    for last in range(len(_LAST) + 1):\n        if _size("/a.py") == -1:\n            return\n',
            ),
            (_WRITE_HEAD, "    if _size(path) >= 0:\n        os.remove(path)\n" + _WRITE_HEAD),
        ),
        "changed, same size",
    ),
    Mutant(
        "throws the arena away before it says that it is through",
        (('    journal["p"] = "T"\n    journal["s"]', '    os.remove(_STATE + "a")\n    journal["p"] = "T"\n    journal["s"]'),),
        "changed, same size",
    ),
    Mutant("leaves emptied folders", (("while folders and removed:", "while False:"),), "nested folders emptied", only_by_cuts=False),
    Mutant("never undoes", (("FAILURES = 3", "FAILURES = 30000"),), "one file added", bad=True, only_by_cuts=False),
    Mutant(
        "skips the trial",
        (('    journal["p"] = "T"\n    journal["s"]', '    journal["p"] = "I"\n    journal["s"]'),),
        "one file added",
        bad=True,
        only_by_cuts=False,
    ),
    Mutant(
        "writes before it deletes",
        (
            ("        _delete(arena, plan)\n", ""),
            ("        _write_all(arena, plan, cluster)\n", "        _write_all(arena, plan, cluster)\n        _delete(arena, plan)\n"),
        ),
        "file to folder",
        only_by_cuts=False,
    ),
    Mutant("keeps a file's old length", (("    if length < old or old < 0 or", "    if old < 0 or"),), "shrunk", only_by_cuts=False),
)
# For every run: those that are seen soonest, and of them those that only cuts show.
QUICK_MUTANTS = tuple(
    mutant for mutant in MUTANTS if mutant.name.startswith(("cannot delete", "lets folders", "removes before", "says that it is through"))
)
