"""Which courses are swept, and when: the few of every run, the sample, the exhaustive list."""

import random
from dataclasses import dataclass, replace

from course import GEOMETRIES, Job
from shapes import SHAPES, Shape

HOW_TORN = ("erased", "half")
# All cuts of these are in every run.
MAIN = ("one file added", "shrunk", "everything at once")
# Clusters of a Pico W's drive that are filled where it shall be nearly full, less what the shape itself takes in tree and arena.
_NEARLY_FULL = 665
_SAMPLED = 10  # courses
_WINDOW = 6  # writes in a row of each


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
                    plans.append(_plan(shape, geometry, settled=settled, bad=bad))
        if not found.large:
            plans.append(_plan(shape, "pico-w", settled=True, how=HOW_TORN))
        if found.small:
            plans += [_plan(shape, geometry, settled=True, double=True) for geometry in ("pico-w", "esp-4mb")]
            plans.append(_plan(shape, "pico-w", settled=True, bad=True, double=True))
            plans.append(_plan(shape, "pico-w", settled=True, fill=_fill(found)))
    return plans


def _fill(shape: Shape) -> int:
    changed = sum(len(data) for path, data in shape.old.items() if shape.new.get(path) != data)
    changed += 2 * sum(len(data) for path, data in shape.new.items() if shape.old.get(path) != data)
    return _NEARLY_FULL - changed // 512


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
