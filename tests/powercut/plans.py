"""Which courses are swept, and when: the few of every run, the sample, the exhaustive list."""

import os
import random
from dataclasses import dataclass, replace

from course import GEOMETRIES, Job, standing_files
from shapes import SHAPES, Shape

HOW_TORN = ("erased", "half")
# All cuts of these are in every run.
MAIN = ("one file added", "shrunk", "everything at once")
# Clusters of a Pico W's drive that are taken where it shall be nearly full, without what the shape itself takes in tree and arena.
_NEARLY_FULL = 838
_SAMPLED = 10  # courses
_WINDOW = 6  # writes in a row of each
_PARTS = 4  # of a large course
SHARD_VARIABLE = "COTA_SHARD"


@dataclass(frozen=True)
class Plan:
    """A course with a name."""

    name: str
    job: Job


def _plan(shape: str, geometry: str, **options: object) -> Plan:
    found = SHAPES[shape]
    words = [shape, geometry] + [key if value is True else f"{key} {value}" for key, value in options.items() if value is not False]
    return Plan(", ".join(words), replace(Job(found.old, found.new, geometry), **options))  # type: ignore[arg-type]


def main_plans() -> list[Plan]:
    """What every run sweeps in full."""
    plans = [_plan(shape, "pico-w", settled=True) for shape in MAIN]
    return [*plans, _plan("one file added", "pico-w"), _plan("grown by clusters", "pico-w", settled=True, bad=True)]


def all_plans() -> list[Plan]:
    """Every course."""
    plans = []
    for shape, found in SHAPES.items():
        for geometry in GEOMETRIES:
            if geometry != "pico-w" and shape.startswith("long names, moved"):
                continue  # the place of an entry does not depend on the drive
            for settled in (False, True):
                for bad in (False, True):
                    if found.large:
                        plans += _parts(shape, geometry, settled, bad, len(plans))
                    else:
                        plans.append(_plan(shape, geometry, settled=settled, bad=bad))
        if not found.large:
            plans.append(_plan(shape, "pico-w", settled=True, how=HOW_TORN))
        if found.small:
            plans += [_plan(shape, geometry, settled=True, double=True) for geometry in ("pico-w", "esp-4mb")]
            plans.append(_plan(shape, "pico-w", settled=True, bad=True, double=True))
            plans.append(_plan(shape, "pico-w", settled=True, fill=_fill(found)))
    return plans


def _parts(shape: str, geometry: str, settled: bool, bad: bool, turn: int) -> list[Plan]:
    """A course of thousands of writes, by parts; where the drive or the undoing is like another's, one of them, each time another."""
    whole = geometry in ("pico-w", "esp-4mb") and not bad
    numbers = range(_PARTS) if whole else (turn % _PARTS,)
    return [_plan(shape, geometry, settled=settled, bad=bad, part=(number, _PARTS)) for number in numbers]


def shard(plans: list[Plan]) -> list[Plan]:
    """The share that COTA_SHARD, such as 2/3, gives to this machine; all where it is not set.

    Raises:
        ValueError: it is not of that form.
    """
    share, _, machines = (os.environ.get(SHARD_VARIABLE) or "1/1").partition("/")
    if not (share.isdigit() and machines.isdigit() and 1 <= int(share) <= int(machines)):
        raise ValueError(f"{SHARD_VARIABLE} must be such as 2/3, the second of three shares")
    return plans[int(share) - 1 :: int(machines)]


def _fill(shape: Shape) -> int:
    changed = sum(len(data) for path, data in shape.old.items() if shape.new.get(path) != data)
    changed += 2 * sum(len(data) for path, data in shape.new.items() if shape.old.get(path) != data)
    standing = sum(-(-len(data) // 512) for data in standing_files().values())
    return _NEARLY_FULL - standing - changed // 512


def sample(seed: int) -> list[Plan]:
    """Some windows of some of the courses, as `seed` chooses."""
    choice = random.Random(seed)
    found = [plan for plan in all_plans() if not plan.job.double and plan.job.geometry != "fat16" and "200" not in plan.name]
    windows = []
    for plan in choice.sample(found, _SAMPLED):
        first = choice.randrange(0, 80)
        only = (first, first + _WINDOW)
        windows.append(Plan(f"{plan.name}, writes {only[0]} to {only[1]}", replace(plan.job, only=only)))
    return windows
