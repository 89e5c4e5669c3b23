"""Cuts inside the writing of a page: what becomes of the board, with cOTA and with temp + rename of the same files.

`python tests/powercut/report.py` sweeps a few shapes with both and prints the table; the exhaustive run adds its own counts. Both write
`.cache/powercut/torn/`. `--exhaustive` sweeps nothing: it adds up what the exhaustive run has kept. It is a report: a page whose writing
is cut holds neither its old nor its new bytes, and no program on the board can mend the boot sector, the FAT and the root folder, of
which FatFs keeps one copy. What is asserted (see sweep.py): only those pages cost the volume.
"""

import json
import re
import sys
from collections import Counter
from typing import Any

from cache import FOLDER, kept
from course import Job
from peer import peer_job
from plans import HOW_TORN, Plan, all_plans
from shapes import SHAPES
from sweep import Verdict, sweep

_CLASSES = ("as if nothing had been", "broken, healed itself", "hands needed", "volume lost")
_SHAPES = ("one file added", "grown by clusters", "py to mpy and back")
_FOLDER = FOLDER / "torn"  # a file a course, because test processes run side by side


def add_torn(plan: Plan, verdict: Verdict) -> None:
    """Keep the counts of a sweep with cuts inside writes."""
    if verdict.classes:
        _keep(plan.name, {"cOTA": verdict.classes})


def _keep(name: str, found: dict[str, Any]) -> None:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    path = _FOLDER / (re.sub(r"\W+", "-", name) + ".json")
    path.write_text(json.dumps({"name": name, **found}, indent=1, sort_keys=True), encoding="utf-8")


def _model(plan: Plan) -> str:
    if plan.job.how == HOW_TORN:
        return "inside a write"
    return "between writes, and the recovery again" if plan.job.double else "between writes"


def add_up() -> int:
    """Print what the exhaustive run has kept; returns 1 where a course is missing or has a fault."""
    found: dict[str, Counter[str]] = {}
    missing = 0
    for plan in all_plans():
        verdict = kept(plan)
        if verdict is None:
            missing += 1
            continue
        row = found.setdefault(_model(plan), Counter())
        row.update(courses=1, writes=verdict.writes, cuts=verdict.candidates, images=verdict.cuts, faults=len(verdict.faults))
        row.update(verdict.classes if verdict.classes else verdict.between)
        row["most clusters lost"] = max(row["most clusters lost"], verdict.lost)
    for model, row in found.items():
        print(f"{model}: " + ", ".join(f"{name} {count:,}" for name, count in row.items()))
    if missing:
        print(f"{missing} courses have not been swept since something changed", file=sys.stderr)
    return 1 if missing or any(row["faults"] for row in found.values()) else 0


def main() -> None:
    """Sweep, print, keep."""
    print(f"{'shape':24}{'updater':16}{'cut':10}{'writes':>8}{'cuts':>6}" + "".join(f"{name:>24}" for name in _CLASSES))
    for name in _SHAPES:
        shape = SHAPES[name]
        job = Job(shape.old, shape.new, settled=True, how=("before", *HOW_TORN))
        found: dict[str, Any] = {}
        for updater, one in (("cOTA", job), ("temp + rename", peer_job(job))):
            verdict = sweep(one)
            for where, counts in (("between", verdict.between), ("inside", verdict.classes)):
                found[f"{updater}, {where}"] = {**counts, "writes": verdict.writes}
                print(f"{name:24}{updater:16}{where:10}{verdict.writes:8}{sum(counts.values()):6}", end="")
                print("".join(f"{counts.get(kind, 0):24}" for kind in _CLASSES))
        _keep(name, found)


if __name__ == "__main__":
    if sys.argv[1:] == ["--exhaustive"]:
        sys.exit(add_up())
    main()
