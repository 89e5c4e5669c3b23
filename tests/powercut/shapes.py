"""Releases before and after, by what changes between them. Where a folder must grow or a long name crosses a sector, places are counted."""

from collections.abc import Callable
from dataclasses import dataclass

from course import PROGRAM, Files, standing_files

_LINE = "abcdefghijklmnopqrstuvwxyz 0123456789 ABCDEFGHIJKLMNOPQRSTUVWX\n"
_LONG = "a_rather_long_name_that_takes_entries"


def text(name: str, size: int) -> bytes:
    """`size` bytes that belong to `name` alone."""
    return ((name + " ") * 3 + _LINE * (size // len(_LINE) + 1)).encode()[:size]


def _files(**sizes: int) -> dict[str, bytes]:
    """Files by name, with __ for / and _dot_ for a point."""
    return {(path := name.replace("__", "/").replace("_dot_", ".")): text(path, size) for name, size in sizes.items()}


def _crowd(folder: str, count: int, size: int = 60) -> dict[str, bytes]:
    return {f"{folder}/f{number}.py": text(f"{folder}{number}", size) for number in range(count)}


@dataclass(frozen=True)
class Shape:
    """A kind of change.

    Attributes:
        old, new: The releases' files.
        small: Whether its recovery is cut twice as well.
        large: Whether it is only for the exhaustive run.
    """

    old: dict[str, bytes]
    new: dict[str, bytes]
    small: bool = False
    large: bool = False


def _with_library(change: Callable[[dict[str, bytes]], None]) -> Shape:
    """Releases that bring the device tree with them."""
    old = {path: data for path, data in standing_files().items() if path.startswith("lib/") or path in ("boot.py", "safemode.py")}
    new = dict(old)
    change(new)
    return Shape(old, new)


def _library(new: dict[str, bytes]) -> None:
    for name in ("client", "redo", "http", "guard"):
        new[f"lib/ota/{name}.py"] += b"# the next one\n"
    new["lib/ota/digest.py"] += b"#" * 1500 + b"\n"


def _boot(new: dict[str, bytes]) -> None:
    """Another boot.py of 512 bytes with the same hook: its last line is a comment."""
    assert new["boot.py"].endswith(b"#\n")
    new["boot.py"] = new["boot.py"][:-2] + b"-\n"


def _everything() -> Shape:
    base = _files(same_dot_py=900, grow_dot_py=700, far_dot_py=1000, shrink_dot_py=4000, gone_dot_py=800, pkg__a_dot_py=600)
    old = {**base, f"{_LONG}_gone.py": text("gone", 700), "thing": text("thing", 90), "Case.py": text("case", 80), "m.py": text("m", 500)}
    new = {
        "same.py": text("same2", 900),
        "grow.py": text("grow2", 1000),
        "far.py": text("far2", 5000),
        "shrink.py": text("shrink2", 300),
        "pkg/a.py": text("a", 600),
        "pkg/b.py": text("b", 1300),
        "deep/er/still.py": text("still", 100),
        f"{_LONG}_new.py": text("new", 700),
        "thing/inside.py": text("inside", 90),
        "case.py": text("case", 80),
        "m.mpy": text("m", 400),
        "empty.py": b"",
    }
    whole = _with_library(_library)
    _boot(whole.new)
    return Shape({**whole.old, **old}, {**whole.new, **new, "main.py": _other_program()})


def _other_program() -> bytes:
    return PROGRAM + b"# the next one\n"


_KEEP = {"keep.py": text("keep", 300), "pkg/keep.py": text("pkgkeep", 300)}


def _shape(old: Files, new: Files, small: bool = False, large: bool = False) -> Shape:
    return Shape({**_KEEP, **old}, {**_KEEP, **new}, small, large)


def _long_names(shift: int) -> Shape:
    """`shift` entries before them move each long name's entries along the sector's edge; in a folder and in the root."""
    crowd = {f"p/0{number}": b"" for number in range(shift)}  # laid down first, because names are laid down in order
    root = {f"0{number}": b"" for number in range(shift % 4)}
    names = [f"p/{_LONG}_{kind}.py" for kind in "abc"] + [f"{_LONG}_{kind}.py" for kind in "abc"]
    old = {**crowd, **root, **{name: text(name, 600) for name in names[::2]}}
    return _shape(old, {**crowd, **root, **{name: text(name, 600) for name in names[1::2]}})


def _full_folder(taken: int, added: int, hole: bool = False) -> Shape:
    """A folder of `taken` short names gets more. With a hole the cluster behind it is that of a file that goes."""
    old = _crowd("full", taken)
    if hole:
        old = {"full/a.py": b"a", "fulm.py": text("hole", 500), **old}
    new = {path: data for path, data in old.items() if path != "fulm.py"}
    return _shape(old, {**new, **{f"full/new{number}.py": text(f"n{number}", 200) for number in range(added)}})


SHAPES: dict[str, Shape] = {
    "one file added": _shape({}, {"pkg/new.py": text("new", 1500)}, small=True),
    "one file in the root added": _shape({}, {"new.py": text("new", 1500)}),
    "changed, same size": _shape({"a.py": text("1", 1500)}, {"a.py": text("2", 1500)}, small=True),
    "grown within its clusters": _shape({"a.py": text("1", 600)}, {"a.py": text("2", 1000)}, small=True),
    "grown by clusters": _shape({"a.py": text("1", 600)}, {"a.py": text("2", 30_000)}, small=True),
    "shrunk": _shape({"a.py": text("1", 9000)}, {"a.py": text("2", 600)}, small=True),
    "shrunk, large": _shape({"a.py": text("1", 40_000)}, {"a.py": text("2", 20_000)}),
    "deleted": _shape({"a.py": text("1", 9000), "pkg/b.py": text("b", 100)}, {}, small=True),
    "renamed": _shape({"a.py": text("1", 2000)}, {"pkg/b.py": text("1", 2000)}, small=True),
    "file to folder": _shape({"thing": text("1", 900)}, {"thing/inside.py": text("2", 900)}, small=True),
    "folder to file": _shape({"thing/inside.py": text("1", 900)}, {"thing": text("2", 900)}, small=True),
    "py to mpy and back": _shape({"m.py": text("m", 700), "n.mpy": text("n", 300)}, {"m.mpy": text("m", 400), "n.py": text("n", 800)}),
    "nested folders made": _shape({}, {"d/e/f/g.py": text("g", 700), "d/e/h.py": text("h", 100), "d2/i.py": text("i", 10)}, small=True),
    "nested folders emptied": _shape({"d/e/f/g.py": text("g", 700), "d/e/h.py": text("h", 100), "d2/i.py": text("i", 10)}, {}),
    "renamed by case alone": _shape({"Case.py": text("c", 700)}, {"case.py": text("c", 700)}, small=True),
    "empty files": _shape({"e.py": b"", "f.py": text("f", 100)}, {"e.py": text("e", 100), "f.py": b"", "pkg/g.py": b"", "h.py": b""}),
    "long names": _long_names(0),
    "full folder of 512-byte clusters": _full_folder(14, 3),
    "full folder of 1-KiB clusters": _full_folder(30, 3),
    "full folder of 2-KiB clusters": _full_folder(62, 3),
    "full folder before a hole": _full_folder(14, 3, hole=True),
    "full folder, a long way": _full_folder(13, 40),
    "main.py": _shape({}, {"main.py": _other_program()}),
    "the library itself": _with_library(_library),
    "boot.py": _with_library(_boot),
    "everything at once": _everything(),
    "200 files": Shape(_crowd("many", 200), {path: data + b"2\n" for path, data in _crowd("many", 200).items()}, large=True),
    **{f"long names, moved by {shift}": _long_names(shift) for shift in range(1, 16)},
}
