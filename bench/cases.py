"""The cases that several groups look at."""

from dataclasses import replace

from bench import releases
from bench.outcome import Outcome
from bench.rig import Case, Rig, with_heap
from cota.sim import find_profile

PICO_W = find_profile("pico-w")
# Some cases do not fit on a Pico W's drive, staged and with a way back; its heap is what matters.
LARGE_DRIVE = replace(PICO_W, drive_bytes=find_profile("esp32-s3").drive_bytes, cluster=find_profile("esp32-s3").cluster)
OURS, PLAIN = "updater_main.py", "plain_main.py"
# With this a program that holds a listing and a file whole can go on, and its traffic be counted.
AMPLE_HEAP = 2040 * 1024

EXAMPLE = Case([releases.example()], OURS, calls=1000)
EXAMPLE_PLAIN = Case([releases.example()], PLAIN)

FILES = 200
CHANGED = "pkg3/module_080.py"
CHANGED_BYTES = 6_000
TREE = {**releases.files(FILES, 500), CHANGED: releases.content(CHANGED, CHANGED_BYTES)}
ONE_CHANGED = releases.with_changes(TREE, {CHANGED: CHANGED_BYTES})


def with_enough_heap(rig: Rig, case: Case) -> tuple[Outcome, str]:
    """Run a case; where it runs out of memory, once more with an ample heap.

    Returns:
        The outcome, complete, and what was in the way of the first try ("" for nothing).
    """
    outcome = rig.run_once(case)
    if outcome.complete or outcome.trouble != "out of memory":
        return outcome.require(), ""
    return rig.run(replace(case, profile=with_heap(case.profile, AMPLE_HEAP))).require(), outcome.trouble
