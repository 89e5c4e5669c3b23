"""The proof of the install: whatever write of an update the power goes at, the board comes back whole and goes on.

Each course is recorded once on a simulated flash; the real device code is then started from what the flash holds at every single write.
COTA_EXHAUSTIVE=1 sweeps every course of plans.py, cuts inside writes and cuts of the recovery too, and takes up what an earlier run found;
COTA_SHARD=1/2 does the first half of them.
"""

import os
import random
from dataclasses import replace

import pytest
from cache import remembered
from course import Job, run
from mutants import MUTANTS, QUICK_MUTANTS
from oracle import FSCK
from plans import SHARD_VARIABLE, all_plans, main_plans, sample, shard
from report import add_torn
from shapes import SHAPES
from sweep import Verdict, sweep

from cota.drive.strip import strip
from cota.drive.tree import device_tree
from cota.errors import CotaError
from cota.sim.vm import find_vm

EXHAUSTIVE = os.environ.get("COTA_EXHAUSTIVE") == "1"
# Which windows are sampled; a run prints its own, and takes another's from here.
_SEED_VARIABLE = "COTA_SEED"


def _has_vm() -> bool:
    try:
        find_vm("micropython")
    except CotaError:
        return False
    return True


pytestmark = [
    pytest.mark.skipif(not _has_vm(), reason="needs the MicroPython VM"),
    pytest.mark.skipif(FSCK is None, reason="needs fsck.fat (Debian: dosfstools)"),
]


def _check(verdict: Verdict) -> None:
    assert verdict.writes > 0
    assert not verdict.faults, "\n".join([f"{len(verdict.faults)} of {verdict.cuts} cuts:", *verdict.faults[:5]])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("plan", main_plans(), ids=lambda plan: plan.name)
def test_a_cut_at_any_write_leaves_the_old_or_the_new_release_and_the_update_goes_on(plan):
    verdict = sweep(plan.job)
    print(f"{plan.name}: {verdict.writes} writes, {verdict.cuts} different cuts, at most {verdict.lost} clusters lost")
    _check(verdict)
    assert verdict.cuts > verdict.writes // 3


@pytest.mark.timeout(600)
def test_so_it_is_in_a_sample_of_all_other_courses():
    seed = int(os.environ.get(_SEED_VARIABLE) or random.SystemRandom().randrange(1_000_000))
    print(f"{_SEED_VARIABLE}={seed} takes this sample again")
    for plan in sample(seed):
        verdict = sweep(plan.job)
        print(f"{plan.name}: {verdict.cuts} cuts, {verdict.classes or 'at the edges of writes'}")
        assert not verdict.faults, f"{_SEED_VARIABLE}={seed}, {plan.name}:\n" + "\n".join(verdict.faults[:3])


@pytest.mark.timeout(600)
def test_a_cut_while_the_arena_grows_hides_no_room_from_the_update_that_comes_again():
    shape = SHAPES["200 files"]  # more than half of the drive goes into the arena
    verdict = sweep(Job(shape.old, shape.new, settled=True, only=(42, 54)))
    _check(verdict)
    assert verdict.cuts == 12


@pytest.mark.parametrize("number", [5, 28])  # EIO, ENOSPC
def test_a_drive_that_fails_at_the_commit_costs_the_release_and_not_the_program(number):
    source = (device_tree() / "lib/ota/store.py").read_text(encoding="utf-8")
    head = "    def write_record(self, slot, record):\n"
    assert source.count(head) == 1
    broken = source.replace(head, head + f"        raise OSError({number})\n")
    plan = main_plans()[0]
    row = next(run(replace(plan.job, device={"lib/ota/store.py": strip(broken).encode()}, settled=False, only=(0, 0))))
    assert (row["end"], row["tree"]) == ("idle", "old"), row
    assert "FAILED" in row["said"], row


def test_shards_share_out_every_course_once(monkeypatch):
    names = [plan.name for plan in all_plans()]
    found = []
    for share in ("1/3", "2/3", "3/3"):
        monkeypatch.setenv(SHARD_VARIABLE, share)
        found += [plan.name for plan in shard(all_plans())]
    assert sorted(found) == sorted(names)
    assert len(set(names)) == len(names)
    monkeypatch.setenv(SHARD_VARIABLE, "4/3")
    with pytest.raises(ValueError, match="second of three"):
        shard([])


@pytest.mark.exhaustive
@pytest.mark.timeout(4 * 3600)
@pytest.mark.skipif(not EXHAUSTIVE, reason="takes hours; make test cuts a sample of them, make test-exhaustive all")
@pytest.mark.parametrize("plan", shard(all_plans()), ids=lambda plan: plan.name)
def test_so_it_is_in_every_course(plan):
    verdict = remembered(plan, sweep)
    add_torn(plan, verdict)
    _check(verdict)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS if EXHAUSTIVE else QUICK_MUTANTS, ids=lambda mutant: mutant.name)
def test_the_sweep_sees_a_recovery_that(mutant):
    verdict = sweep(mutant.job(), first_fault=True)
    assert verdict.faults, f"{verdict.cuts} cuts, and nothing was seen"
    if mutant.only_by_cuts:
        assert "without any cut" not in verdict.faults[0], "this one needs no cut to be seen"
