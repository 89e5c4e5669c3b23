"""A course with all its cuts, judged: what must hold after each of them, and the counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import oracle
from course import Job, run

# A cut may lose the clusters of one file that is deleted or written anew, and of the pool of zeros.
_POOL = 24
_CLUSTER = 512  # or more


@dataclass
class Verdict:
    """What a sweep found.

    Attributes:
        writes: Writes of the course without a cut.
        candidates: Cuts.
        cuts: Different images that they left, from each of which the board was switched on.
        faults: Sentences about cuts that ended as they must not.
        classes: Cuts inside a write, by what became of them.
        between: Cuts between two writes, likewise.
        pages: Pages inside whose writing a cut lost the volume.
        lost: The most clusters lost by one image.
        most: The most that a cut may lose.
        shared: Pages of boot sector, FAT and root.
    """

    writes: int = 0
    candidates: int = 0
    cuts: int = 0
    faults: list[str] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)
    between: dict[str, int] = field(default_factory=dict)
    pages: set[int] = field(default_factory=set)
    lost: int = 0
    most: int = 0
    shared: int = 0


def sweep(job: Job, first_fault: bool = False) -> Verdict:
    """Run a course, cut it as the job says, and judge; with `first_fault` no longer than up to that."""
    verdict = Verdict()
    request = job.request(None)
    goal: Mapping[str, str] = request["trees"][request["goal"]]
    verdict.most = _POOL + max(len(data) for data in [*job.old.values(), *job.new.values()]) // _CLUSTER
    for row in run(job):
        if row["kind"] == "trouble":
            verdict.faults.append(f"the drive could not be prepared: {row}")
        elif row["kind"] == "course":
            verdict.writes = row["writes"]
            if row["end"] != "idle" or row["tree"] != request["goal"]:
                verdict.faults.append(f"without any cut: {_short(row)}")
            verdict.shared = oracle.shared_pages(Path(row["image"]))
            verdict.faults += _image_faults(row, goal, 0, verdict)
        elif row["kind"] == "end":
            verdict.candidates = row["candidates"]
        else:
            verdict.cuts += 1
            _judge(row, goal, verdict)
        if first_fault and verdict.faults:
            break
    return verdict


def _judge(row: Mapping[str, Any], goal: Mapping[str, str], verdict: Verdict) -> None:
    kind = class_of(row)
    counts = verdict.between if row["how"] == "before" else verdict.classes
    counts[kind] = counts.get(kind, 0) + 1
    if row["how"] != "before":
        if kind == "volume lost":
            verdict.pages.add(row["page"])
            if row["page"] >= verdict.shared:
                verdict.faults.append(f"a page beyond the root's cost the volume: {_short(row)}")
        return
    if row["end"] != "idle":
        verdict.faults.append(f"does not come to rest: {_short(row)}")
    elif row["booted"] not in ("old", "new"):
        verdict.faults.append(f"neither release after the recovery: {_short(row)}")
    elif not row["works"]:
        verdict.faults.append(f"takes no further release: {_short(row)}")
    if row["image"]:
        verdict.faults += _image_faults(row, goal, len(row["cut"]), verdict)


def class_of(row: Mapping[str, Any]) -> str:
    """What became of a board after a cut."""
    if row["end"] == "volume lost":
        return "volume lost"
    if row["end"] != "idle" or not row["works"]:
        return "hands needed"
    return "as if nothing had been" if row["booted"] in ("old", "new") else "broken, healed itself"


def _image_faults(row: Mapping[str, Any], goal: Mapping[str, str], cuts: int, verdict: Verdict) -> list[str]:
    path = Path(row["image"])
    faults = []
    lost, said = oracle.fsck(path)
    verdict.lost = max(verdict.lost, lost)
    if said:
        faults.append(f"fsck.fat: {said[:4]} {_short(row)}")
    if lost > verdict.most * cuts:
        faults.append(f"{lost} clusters lost: {_short(row)}")
    if row["end"] == "idle":
        try:
            found = oracle.tree(path)
        except oracle.UNREADABLE as exc:
            return [*faults, f"FatFs on the host: {exc!r} {_short(row)}"]
        found.pop("ballast.bin", None)
        if found != goal:
            names = sorted(set(found.items()) ^ set(goal.items()))[:4]
            faults.append(f"FatFs on the host reads another tree, {names}: {_short(row)}")
    return faults


def _short(row: Mapping[str, Any]) -> str:
    shown = {key: row[key] for key in ("cut", "how", "end", "booted", "tree", "works", "said", "next", "console") if key in row}
    return str(shown)[:1200]
