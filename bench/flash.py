"""What an update writes to flash, beside temp + rename of the same files."""

from dataclasses import dataclass, replace

from bench import releases
from bench.cases import OURS
from bench.figures import Figure, ratio
from bench.outcome import Flash, Outcome, update_window
from bench.releases import Release
from bench.rig import Case, Rig
from cota.sim import find_profile

GROUP = "flash"
_SECTOR = 512
_FILE = 6_000
_GROWN = 7_200
_COUNT = 10
# What an update may rewrite of page 0 whatever it changes.
_PAGE0_AN_UPDATE = 4
_HALF = 0.5
_NOTE = (
    "Peer: temp + rename of the same files on the same drive. Rewrites of 4 KiB pages, from the assignment to the first contact of "
    "the new release: stage, commit, recovery, confirm. RP2: one dirty page in RAM, written when another is touched, on any read, on "
    "close. Espressif: every write erases its page. The second of CircuitPython's timer is not modelled."
)
_FOLDER = [f"pkg/f{number}.py" for number in range(_COUNT)]
_ROOT = [f"r{number}.py" for number in range(_COUNT)]
_BASE = {name: releases.content(name, _FILE) for name in (*_FOLDER, *_ROOT)}


@dataclass(frozen=True)
class Shape:
    """A kind of change.

    Attributes:
        name: What changes.
        files: Path -> new length.
        page0: How often a file of it may rewrite page 0 on a Pico W.
    """

    name: str
    files: dict[str, int]
    page0: int


def _shape(name: str, paths: list[str], size: int, page0: int) -> Shape:
    return Shape(name, dict.fromkeys(paths, size), page0)


SHAPES = (
    _shape("1 file in a folder, same clusters", _FOLDER[:1], _FILE, 0),
    _shape("10 files in a folder, same clusters", _FOLDER, _FILE, 0),
    _shape("1 file in the root, same clusters", _ROOT[:1], _FILE, 1),
    _shape("10 files in the root, same clusters", _ROOT, _FILE, 1),
    _shape("1 file in a folder, grown", _FOLDER[:1], _GROWN, 2),
    _shape("10 files in a folder, grown", _FOLDER, _GROWN, 2),
    _shape("10 new files of 60 kB in a folder", [f"pkg/n{number}.py" for number in range(_COUNT)], _FILE, 1),
    _shape("10 new files of 60 kB in the root", [f"n{number}.py" for number in range(_COUNT)], _FILE, 3),
)
# Profile, how its flash is written, where Flash has its counts.
_BOARDS = (("pico-w", "RP2", "rp2"), ("esp32-s2", "Espressif", "esp"))


def measure(rig: Rig) -> list[Figure]:
    """Install a release, then change it in each shape, with cOTA and with temp + rename."""
    found: list[Figure] = []
    for profile_name, kind, attribute in _BOARDS:
        base = Case([_BASE], OURS, profile=find_profile(profile_name), calls=1)
        installed = rig.run(base).require()
        totals = Flash(), Flash()
        for shape in SHAPES:
            release = releases.with_changes(_BASE, shape.files)
            again = replace(base, start=installed.folder)
            ours = _spent(rig.run(replace(again, releases=[release])).require())
            changed = {path: release[path] for path in shape.files}
            renamed = rig.run(replace(again, releases=[], program="rename_main.py", payload=changed)).require()
            theirs = renamed.all("end")[0].flash.minus(renamed.all("contact")[0].flash)
            totals = totals[0].plus(ours), totals[1].plus(theirs)
            bar = shape.page0 * len(shape.files) + _PAGE0_AN_UPDATE if kind == "RP2" else None
            found += _rows(f"{kind}, {shape.name}", attribute, ours, theirs, bar)
            if kind == "RP2":
                found.append(_written(f"{kind}, {shape.name}", ours, theirs, changed))
        found += _ratios(f"{kind}, all shapes together", attribute, *totals)
    return found


def _spent(outcome: Outcome) -> Flash:
    before, after = update_window(outcome, 0)
    return after.flash.minus(before.flash)


def _rows(name: str, attribute: str, ours: Flash, theirs: Flash, page0_bar: int | None) -> list[Figure]:
    pages, page0 = getattr(ours, attribute), getattr(ours, f"{attribute}_page0")
    their_pages, their_page0 = getattr(theirs, attribute), getattr(theirs, f"{attribute}_page0")
    return [
        Figure(GROUP, f"{name}: rewrites of page 0", page0, page0_bar, their_page0, report_only=True, note=_NOTE),
        Figure(GROUP, f"{name}: page rewrites", pages, None, their_pages),
    ]


def _ratios(name: str, attribute: str, ours: Flash, theirs: Flash) -> list[Figure]:
    rows = []
    for what, counted in (("rewrites of page 0", f"{attribute}_page0"), ("page rewrites", attribute)):
        value = ratio(getattr(ours, counted), getattr(theirs, counted))
        rows.append(Figure(GROUP, f"{name}: {what} ÷ those of temp + rename", value, _HALF, report_only=True))
    return rows


def _written(name: str, ours: Flash, theirs: Flash, changed: Release) -> Figure:
    new = sum(-(-len(data) // _SECTOR) for data in changed.values())
    return Figure(GROUP, f"{name}: sectors written ÷ new sectors", ratio(ours.sectors, new), None, ratio(theirs.sectors, new))
