"""F5 and F10 as sweeps: an update with one fault in it, at any write of the flash, any step, any statement of the device code.

The real device code runs on FatFs in the VM; flash, clock and servers are simulated as in the power-cut sweep. COTA_EXHAUSTIVE=1 tries all.
"""

import os
import random
from collections.abc import Sequence
from functools import cache

import pytest
from injected import Row, Site, marked_files, run, small_update

EXHAUSTIVE = os.environ.get("COTA_EXHAUSTIVE") == "1"
_SEED_VARIABLE = "COTA_SEED"
_SITES_ONCE, _SITES_ALWAYS, _WRITES, _STEPS = 40, 16, 16, 8  # of a sample
_SHARDS = 8  # of the whole
# What the library calls outside its handlers, or in them: a MemoryError there reaches the program as it is, and the guard starts it again.
_IN_HANDLERS = ("_failed", "_drop", "_ask", "_ours", "seconds", "feed")

pytestmark = pytest.mark.timeout(300)


@cache
def course() -> Row:
    """The course without a fault: what there is to fail."""
    found, _ = run(small_update(marked_files()[0]), [])
    assert (found["end"]["end"], found["end"]["tree"]) == ("idle", "new"), found
    return found


def chosen(faults: Sequence[Row], count: int) -> list[Row]:
    """A seeded sample; its seed is printed."""
    seed = int(os.environ.get(_SEED_VARIABLE) or random.SystemRandom().randrange(1_000_000))
    print(f"{_SEED_VARIABLE}={seed} takes this sample of {count} of {len(faults)} again")
    return random.Random(seed).sample(list(faults), min(count, len(faults)))


def sites_once() -> list[Row]:
    """Each statement fails once: the first time, and in the midst of its work."""
    faults = []
    for number, times in course()["sites"]:
        faults.append({"kind": "site", "at": number})
        if times > 1:
            faults.append({"kind": "site", "at": number, "skip": times // 2})
    return faults


def sites_always() -> list[Row]:
    """Each statement fails until the power is switched off: the heap is too small for it."""
    return [{"kind": "site", "at": number, "every": True} for number, _ in course()["sites"]]


def writes_once() -> list[Row]:
    return [{"kind": "write", "at": number} for number in range(1, course()["writes"] + 1)]


def writes_always() -> list[Row]:
    return [{"kind": "write", "at": number, "every": True} for number in range(1, course()["writes"] + 1)]


def steps() -> list[Row]:
    return [{"kind": "full", "at": number} for number in range(1, course()["steps"] + 1)]


def is_new(end: Row) -> bool:
    return end["end"] == "idle" and end["tree"] == "new"


def is_excused(leaked: list[str]) -> bool:
    """Whether a foreign exception came from the few statements of the public functions that no handler covers."""
    *way, kind = leaked
    return kind == "MemoryError" and (len(way) == 1 or way[0] == "restart" or way[1] in _IN_HANDLERS)


def told(row: Row, sites: dict[int, Site]) -> str:
    fault = row["fault"]
    where = sites[fault["at"]] if fault["kind"] == "site" else ""
    return f"{fault} {where}: {row}"[:1500]


def check_once(faults: list[Row]) -> None:
    """The update completes in the same power-on, and no exception but the library's own reached the program, save `is_excused`."""
    files, sites = marked_files()
    _, rows = run(small_update(files), faults)
    assert sum(row["hit"] for row in rows) > len(rows) * 3 // 4  # the course after a fault may differ
    wrong = [told(row, sites) for row in rows if not is_new(row["first"]) or not all(map(is_excused, row["leaked"]))]
    assert not wrong, f"{len(wrong)} of {len(rows)}:\n" + "\n".join(wrong[:5])


def check_always(faults: list[Row], may_be_mixed: tuple[str, ...] = ()) -> None:
    """As long as it lasts the tree is whole; when it is over the update completes, by itself or by cota_retry."""
    files, sites = marked_files()
    _, rows = run(small_update(files), faults)
    wrong = []
    for row in rows:
        fault = row["fault"]
        mixed = fault["kind"] == "site" and sites[fault["at"]].path in may_be_mixed
        after = row.get("retried") or row.get("healed") or row["first"]
        if not is_new(after) or (not mixed and row["first"]["tree"] not in ("old", "new")):
            wrong.append(told(row, sites))
    assert not wrong, f"{len(wrong)} of {len(rows)}:\n" + "\n".join(wrong[:5])


# F10.


def test_f10_a_memory_error_at_any_statement_costs_one_try() -> None:
    check_once(chosen(sites_once(), _SITES_ONCE))


def test_f10_a_heap_too_small_for_any_one_statement_leaves_a_whole_tree_and_the_update_completes_with_a_larger_one() -> None:
    check_always(chosen(sites_always(), _SITES_ALWAYS), may_be_mixed=("lib/ota/redo.py",))


# F5.


def test_f5_a_write_that_fails_once_costs_one_try() -> None:
    writes = writes_once()
    check_once(chosen(writes, _WRITES) + writes[-3:])  # the last ones confirm the release


def test_f5_a_drive_that_is_full_from_any_step_on_keeps_a_whole_tree_and_takes_the_release_when_there_is_room() -> None:
    check_always(chosen(steps(), _STEPS))


# All of them.


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not EXHAUSTIVE, reason="all faults take an hour; make test runs a seeded sample of them, make test-exhaustive all")
@pytest.mark.parametrize("shard", range(_SHARDS))
def test_so_it_is_everywhere(shard: int) -> None:
    check_once((sites_once() + writes_once())[shard::_SHARDS])
    check_always((sites_always() + steps())[shard::_SHARDS], may_be_mixed=("lib/ota/redo.py",))
