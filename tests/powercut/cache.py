"""What earlier runs of the exhaustive sweep found, so that one that was stopped goes on. A change of anything that counts starts anew."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from course import Job
from plans import Plan
from sweep import Verdict

_HERE = Path(__file__).parent
FOLDER = _HERE.parent.parent / ".cache" / "powercut"


def _key(job: Job) -> str:
    """What decides the verdict: the job, with all that is on the drive, and the code of the sweep."""
    hasher = sha256(json.dumps(job.request(None), sort_keys=True).encode())
    for path in sorted(_HERE.rglob("*.py")):
        if not path.name.startswith(("test_", "report", "cache", "mutants", "conftest", "plans", "shapes", "peer")):
            hasher.update(path.read_bytes())
    return hasher.hexdigest()[:24]


def kept(plan: Plan) -> Verdict | None:
    """The verdict of an earlier run where nothing has changed since."""
    path = FOLDER / f"{_key(plan.job)}.json"
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))["verdict"]
    return Verdict(**{**found, "pages": set(found["pages"])})


def remembered(plan: Plan, sweep: Callable[[Job], Verdict]) -> Verdict:
    """The verdict of an earlier run where nothing has changed since, else a new one."""
    known = kept(plan)
    if known is not None:
        return known
    path = FOLDER / f"{_key(plan.job)}.json"
    verdict = sweep(plan.job)
    FOLDER.mkdir(parents=True, exist_ok=True)
    entry = {"name": plan.name, "verdict": {**asdict(verdict), "pages": sorted(verdict.pages)}}
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(entry), encoding="utf-8")
    fresh.replace(path)
    return verdict
