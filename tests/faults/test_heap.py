"""F10 on boards with real heaps: they shrink step by step, or are in pieces. The old or the new release stays whole, and is updated."""

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from world import World

from cota.drive.tree import device_tree
from cota.sim.board import BoardOptions
from cota.sim.profiles import Profile

EXHAUSTIVE = os.environ.get("COTA_EXHAUSTIVE") == "1"
_SEED_VARIABLE = "COTA_SEED"
_SAMPLED = 4
# Bytes of a board's heap: from where not even the guard starts to where all goes well. Bytes that a program leaves: likewise.
_HEAPS = range(96_000, 118_000, 500)
_LEFT = range(4_000, 26_000, 500)
_MAIN = (device_tree() / "main.py").read_bytes()
_OLD = {"old.py": b"1\n", "keep.py": b"k\n"}
_NEW = {"main.py": _MAIN, "app.py": b"x = 1\n" * 400, "pkg/part.py": b"y = 2\n" * 90, "keep.py": b"k\n", "empty.py": b""}
_SETTINGS = {"COTA_POLL_SECONDS": "20", "COTA_TRIAL_SECONDS": "0"}
_SPEED = 20.0
# What a board with too little heap comes to: a release, a failure that it told, or a program that the guard starts again and again.
_FAILURES = 3
_ENDS = ("update: out of memory", "MemoryError", "memory allocation failed")

MakeWorld = Callable[..., World]


def chosen(sizes: range) -> list[int]:
    """All of them, or a seeded sample."""
    if EXHAUSTIVE:
        return list(sizes)
    seed = int(os.environ.get(_SEED_VARIABLE) or random.SystemRandom().randrange(1_000_000))
    print(f"{_SEED_VARIABLE}={seed} takes this sample of {_SAMPLED} of {len(sizes)} again")
    return sorted(random.Random(seed).sample(sizes, _SAMPLED))


def comes_through(world: World, files: dict[str, bytes], shrink: Callable[[], None], restore: Callable[[], None]) -> str:
    """Give the board a release and a small heap, then its own; gives what it came to with the small one."""
    before = world.drive()
    world.assign(world.publish(files))
    shrink()
    world.start()

    def has_ended() -> bool:
        failures = sum(part in line for line in list(world.lines) for part in _ENDS)
        return world.telemetry().get("fw_state") == "UPDATED" or failures >= _FAILURES

    world.wait_until(has_ended, "an end with a small heap")
    world.damaged = True  # it may be switched off in the midst of a try
    world.stop()
    found = world.drive()
    found.pop("sd/left", None)
    goal = world.whole(files)
    assert found in (before, goal), sorted(set(found.items()) ^ set(before.items()))
    state = str(world.telemetry().get("fw_state", "no word"))
    for error in world.errors():
        assert error.startswith(("later: memory ", "memory ", "undone MemoryError")), error
    restore()
    world.start()
    world.wait_until(lambda: world.telemetry().get("fw_state") in ("UPDATED", "FAILED"), "an end with the whole heap")
    if world.telemetry()["fw_state"] == "FAILED":  # the heap did not suffice for the trial: that counts against a release
        world.set_retry("r-1")
    world.wait_until(lambda: world.telemetry().get("fw_state") == "UPDATED", "UPDATED with the whole heap")
    assert world.drive() == world.whole(files)
    return state


@pytest.mark.timeout(3600 if EXHAUSTIVE else 180)
def test_f10_a_heap_that_falls_leaves_a_whole_tree_and_the_update_completes_once_it_is_back(make_world: MakeWorld) -> None:
    for heap in chosen(_HEAPS):
        world = make_world(settings=_SETTINGS, options=BoardOptions(speed=_SPEED), extra=_OLD)
        normal = world.board.profile

        def shrink(world: World = world, heap: int = heap) -> None:
            world.board.profile = replace(world.board.profile, heap=heap)

        def restore(world: World = world, normal: Profile = normal) -> None:
            world.board.profile = normal

        print(heap, comes_through(world, _NEW, shrink, restore))
        world.stop()


# Leaves as many bytes as /sd/left says when an update begins; each block is small, so that what is left lies in one piece.
_HOG = b"""import gc


def hog():
    global kept
    try:
        with open("/sd/left") as file:
            left = int(file.read())
    except OSError:
        return
    kept = []
    gc.collect()
    while gc.mem_free() > left:
        kept.append(bytearray(200))
    gc.collect()


"""
_BEGIN = b"            updater.begin()\n"


@pytest.mark.timeout(3600 if EXHAUSTIVE else 180)
def test_f10_a_program_that_leaves_less_and_less_heap_is_updated_once_it_leaves_enough(make_world: MakeWorld) -> None:
    main = _HOG + _MAIN.replace(_BEGIN, b"            hog()\n" + _BEGIN)
    assert b"    hog()" in main
    files = {**_NEW, "main.py": main}
    for left in chosen(_LEFT):
        world = make_world(settings=_SETTINGS, options=BoardOptions(speed=_SPEED), extra={**_OLD, "main.py": main})

        def shrink(world: World = world, left: int = left) -> None:
            world.board.volume.write({"sd/left": str(left).encode()})

        def restore(world: World = world) -> None:
            world.board.volume.remove("sd/left")

        print(left, comes_through(world, files, shrink, restore))
        world.stop()


_PIECES = b"""import alarm, gc, ota

if not alarm.sleep_memory[0]:
    alarm.sleep_memory[0] = 1
    def hog():
        global kept
        kept = []
        gc.collect()
        try:
            while True:
                kept.append(bytearray(400))
        except MemoryError:
            pass
        for number in range(0, len(kept), 2):
            kept[number] = None
        gc.collect()
        print("the heap is in pieces")
else:
    def hog():
        pass
"""


def test_f10_a_heap_in_pieces_costs_two_tries_and_then_one_start_of_the_program(make_world: MakeWorld) -> None:
    main = _PIECES + _MAIN.replace(_BEGIN, b"            hog()\n" + _BEGIN)
    assert b"            hog()" in main
    world = make_world(settings=_SETTINGS, options=BoardOptions(speed=_SPEED), extra={**_OLD, "main.py": main})
    package = world.publish({**_NEW, "main.py": main})
    world.install(package)
    assert "the heap is in pieces" in world.said()
    assert [error.startswith("later: memory ") for error in world.errors()] == [True, True]
