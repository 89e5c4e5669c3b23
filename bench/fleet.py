"""How an operator's look at a large fleet goes: requests, and the wait."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure
from bench.rig import Rig
from cota.lab.core import Core, Timing
from cota.lab.data.store import Store
from cota.lab.data.timeseries import Sample
from cota.lab.data.values import encode
from cota.lab.server import Lab, LabConfig, running_lab

GROUP = "fleet"
DEVICES = 5000
# Of every five boards three are updated, one is on its way, and one failed.
STATES = ("UPDATED", "UPDATED", "UPDATED", "DOWNLOADING", "FAILED")
KINDS = 3  # device profiles
_MAX_REQUESTS, _MAX_SECONDS = 6, 2
_RUNS = 5
_PASSWORD = "bench"  # of a lab that lives as long as this run
_STATUS = (sys.executable, "-c", "from cota.cli import main; main()", "status")
_NOTE = (
    f"Median of {_RUNS} runs: the processor's time of the command, its start with it, and of the lab, which take turns. It is the wait on "
    "a machine that does nothing else, and the machine's own."
)


def fill(path: Path, devices: int = DEVICES) -> None:
    """Make a lab's database with a fleet in the midst of an update."""
    store = Store(path)
    core = Core(store, Timing())
    with store.unit():
        for number in range(devices):
            device = core.devices.save({"name": f"board-{number:04}", "type": f"kind-{number % KINDS}"})
            told = {"fw_state": STATES[number % len(STATES)], "target_fw_title": "app", "target_fw_version": "v2"}
            told |= {"current_fw_title": "app", "current_fw_version": "v1"}
            told |= {"fw_error": "wifi x"} if told["fw_state"] == "FAILED" else {}
            core.timeseries.save(device, [Sample(1_700_000_000_000, key, encode(value)) for key, value in told.items()])
            core.attributes.save(device, "SHARED_SCOPE", [("fw_title", encode("app")), ("fw_version", encode("v2"))], 1)
            core.attributes.save(device, "SERVER_SCOPE", [("active", "true"), ("lastActivityTime", "1700000000000")], 1)
    store.commit()
    store.close()


def measure(_rig: Rig, devices: int = DEVICES) -> list[Figure]:
    """Ask a lab of its own, in a process as an operator's."""
    with tempfile.TemporaryDirectory(prefix="cota-bench-") as scratch:
        path = Path(scratch) / "lab.db"
        fill(path, devices)
        with running_lab(LabConfig(db=path, password=_PASSWORD)) as lab:
            environment = os.environ | {"XDG_CONFIG_HOME": scratch, "COTA_URL": lab.url, "COTA_PASSWORD": _PASSWORD}
            environment["COTA_USERNAME"] = lab.username or ""
            _look(environment)
            before = _requests(lab)
            seconds = [_look(environment) for _ in range(_RUNS)]
            requests = (_requests(lab) - before) // _RUNS
    return [
        Figure(GROUP, f"cota status at {devices:,} devices: requests, the sign-in among them", requests, _MAX_REQUESTS),
        Figure(
            GROUP,
            f"cota status at {devices:,} devices: seconds of the processor",
            round(statistics.median(seconds), 2),
            _MAX_SECONDS,
            report_only=True,
            note=_NOTE,
        ),
    ]


def _look(environment: dict[str, str]) -> float:
    begun = _spent()
    done = subprocess.run(_STATUS, env=environment, capture_output=True, text=True, check=True)
    if "DOWNLOADING" not in done.stdout:
        raise RuntimeError(f"cota status does not show the fleet: {done.stdout[:200]}")
    return _spent() - begun


def _spent() -> float:
    """Seconds of the processor that this process, the lab's, and its children have had."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _requests(lab: Lab) -> int:
    return lab.counters()["thingsboard"]["requests"]
