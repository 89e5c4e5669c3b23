"""Heap of an update: the live heap's peak above the idle loop's, and the smallest heap in which an update works."""

from collections.abc import Callable
from dataclasses import replace

from bench import releases
from bench.cases import AMPLE_HEAP, LARGE_DRIVE, OURS, PICO_W, PLAIN
from bench.figures import Figure, Value, ratio, same_within
from bench.outcome import Outcome
from bench.rig import Case, Rig, with_heap

GROUP = "peak heap of an update"
SMALLEST = "smallest heap"
# The VM's words are twice a board's. Buffers of bytes are not, so that half is a little less than what a board needs.
_WORDS = 2
_BAR = 12_000
_SAME = 0.05
_KIB = 1024
# Below this not even the simulator's own modules start.
_LEAST_HEAP = 4 * _KIB
_SEARCH_PATIENCE = 60.0
_PEAK_NOTE = (
    "Peer: the plain updater. gc.mem_alloc() after gc.collect(), looked at between steps and at every send, receive, sector read and "
    "sector write, less the same between two idle polls of the same run; ÷ 2, because the VM's words are twice a board's. Every file "
    "of the release is new content over an old file. A Pico W's heap; a drive of 3.7 MiB, where all cases fit."
)
_SMALLEST_NOTE = (
    "Peer: the plain updater. Found by halving, to 1 KiB: what the 64-bit VM gives the program, with the simulator's own part taken "
    "off. It holds boot.py with the recovery, compiling the library from its source, and the update; nothing is halved, so a board "
    "needs less."
)

# Name, files, bytes of each, files of a folder, whether its peak is held to the bar.
_FILE_COUNTS = (("1 file of 1 kB", 1, 1_000), ("50 files of 600 B", 50, 600), ("500 files of 600 B", 500, 600))
_FILE_SIZES = (("1 file of 1 kB", 1, 1_000), ("1 file of 100 kB", 1, 100_000), ("1 file of 1 MB", 1, 1_000_000))
_SEARCHED = (*_FILE_COUNTS, ("1 file of 100 kB", 1, 100_000))


def _case(program: str, count: int, size: int, per_folder: int = releases.FOLDER_FILES) -> Case:
    old, new = (releases.files(count, size, version, per_folder) for version in (1, 2))
    return Case([new], program, seeded=old, profile=LARGE_DRIVE, polls=1, calls=1, seams=True)


def peak(outcome: Outcome, *, between_steps: bool = False) -> int | None:
    """Bytes of a board by which the live heap rose above the idle loop's; None where the update did not finish."""
    if not outcome.complete:
        return None
    idle = outcome.all("assign")[0].said["rest"]
    ends = [mark.said for mark in outcome.all("run end") if mark.said["run"] == "code" and mark.said["rest"]]
    return int(ends[0]["steps" if between_steps else "peak"] - idle) // _WORDS


def recovery_peak(outcome: Outcome) -> int:
    """Bytes of a board by which the live heap of the boot that recovered rose above that of the boot before it."""
    before, after = (mark.said["peak"] for mark in outcome.all("run end") if mark.said["run"] == "boot")
    return int(after - before) // _WORDS


def _shown(outcome: Outcome) -> Value:
    found = peak(outcome)
    return outcome.trouble if found is None else found


def measure(rig: Rig) -> list[Figure]:
    """Measure the peak for several numbers and sizes of files, with cOTA and with the plain updater."""
    outcomes: dict[str, Outcome] = {}
    found: list[Figure] = []
    for name, count, size in dict.fromkeys(_FILE_COUNTS + _FILE_SIZES):
        outcomes[name] = rig.run(_case(OURS, count, size)).require()
        plain = rig.run(_case(PLAIN, count, size))
        found.append(Figure(GROUP, f"{name}: bytes", _shown(outcomes[name]), _BAR, _shown(plain), note=_PEAK_NOTE))
    for what, cases in (("1, 50 and 500 files", _FILE_COUNTS), ("1 kB, 100 kB and 1 MB", _FILE_SIZES)):
        for between, how, bar in ((True, "apart by, between steps, ±", _SAME), (False, "apart by, inside steps too, ±", _SAME)):
            peaks = [peak(outcomes[name], between_steps=between) or 0 for name, _, _ in cases]
            # Inside steps the figure wavers by some hundred bytes from run to run (one folder's names, blocks of 32 bytes): only reported.
            found.append(Figure(GROUP, f"{what}: {how}", round(same_within(peaks), 3), bar, report_only=not between))
    recovery = recovery_peak(outcomes["500 files of 600 B"])
    found.append(Figure(GROUP, "the recovery in boot.py, above a boot without one: bytes", recovery, _BAR))
    # A folder comes as one list from os.listdir, so that its names are in RAM at once: reported, not held to the bar.
    flat_case = _case(OURS, 500, 600, per_folder=500)
    flat = rig.run(flat_case)
    found.append(Figure(GROUP, "500 files of 600 B in one folder: bytes", _shown(flat), _BAR, report_only=True))
    if not flat.complete:
        roomy = replace(flat_case, profile=with_heap(LARGE_DRIVE, AMPLE_HEAP))
        found.append(Figure(GROUP, "the same with a heap of 2 MB: bytes", _shown(rig.run(roomy)), _BAR, report_only=True))
    return found + _held(rig)


def _held(rig: Rig) -> list[Figure]:
    """What the libraries hold while idle, above a program that does nothing."""
    bare, ours, plain = (
        rig.run(Case([], program, polls=1, calls=1)).require().all("rest" if program == "bare_main.py" else "assign")[0].said["rest"]
        for program in ("bare_main.py", OURS, PLAIN)
    )
    return [Figure(GROUP, "what the idle library holds, compiled from .py: bytes", (ours - bare) // _WORDS, None, (plain - bare) // _WORDS)]


def smallest(works: Callable[[int], bool], low: int, high: int, grain: int) -> int | None:
    """The smallest heap in (low, high] that works, to `grain` bytes; None where not even `high` does."""
    if not works(high):
        return None
    while high - low > grain:
        middle = (low + high) // 2
        if works(middle):
            high = middle
        else:
            low = middle
    return high


def measure_smallest(rig: Rig) -> list[Figure]:
    """Search for the smallest heap, for the idle loop and for updates."""

    def search(case: Case) -> Value:
        def works(heap: int) -> bool:
            return rig.run(replace(case, profile=with_heap(case.profile, heap), seams=False, patience=_SEARCH_PATIENCE)).complete

        found = smallest(works, _LEAST_HEAP, PICO_W.heap, _KIB)
        return "more than a Pico W's" if found is None else round(found / _KIB)

    rows = [("the idle loop alone", *(search(Case([], program, polls=1, calls=1)) for program in (OURS, PLAIN)))]
    for name, count, size in _SEARCHED:
        rows.append((f"an update of {name}", search(_case(OURS, count, size)), search(_case(PLAIN, count, size))))
    found = [Figure(SMALLEST, f"{what}: KiB", ours, PICO_W.heap / _KIB, plain, note=_SMALLEST_NOTE) for what, ours, plain in rows]
    idle, *updates = (row[1] for row in rows)
    numbers = [value for value in updates if not isinstance(value, str)]
    if numbers and not isinstance(idle, str):
        found.append(Figure(SMALLEST, "the largest of these updates ÷ the idle loop alone", ratio(max(numbers), idle)))
    return found
