"""A lab in a process of its own, so that its memory and its processor's time are nobody else's."""

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cota.lab.clock import now_ms
from cota.lab.core import Core, Timing
from cota.lab.data.store import Store
from cota.lab.data.values import encode

_COMMAND = (sys.executable, "-c", "from cota.cli import main; main()", "lab", "--port", "0", "--json")
_STOP_SECONDS = 60
_SPARE_FILES = 200


@dataclass(frozen=True)
class LabProcess:
    """A lab that runs.

    Attributes:
        pid: Its process.
        port: Of ThingsBoard's HTTP API and of the Git host.
        mqtt_port: Of the MQTT device API; 0 where it is not served.
    """

    pid: int
    port: int
    mqtt_port: int

    def resident_kb(self) -> float:
        """Its resident memory, in kB of 1000 bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1.024 for line in lines if line.startswith("VmRSS:"))

    def processor_seconds(self) -> float:
        """Seconds of the processor that it has had."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def lab_process(path: Path, options: Sequence[str] = ()) -> Iterator[LabProcess]:
    """Run `cota lab` on the database at `path`, with further options, until the end of the block."""
    process = subprocess.Popen([*_COMMAND, "--db", str(path), *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        yield LabProcess(process.pid, int(facts["url"].rpartition(":")[2]), facts.get("mqtt_port", 0))
    finally:
        process.terminate()
        process.communicate(timeout=_STOP_SECONDS)


def token_of(number: int) -> str:
    """The access token of one of the devices of `fill`."""
    return f"token-{number}"


def fill(path: Path, devices: int) -> None:
    """Make a lab's database with devices that are active already, so that a connect writes nothing."""
    store = Store(path)
    core = Core(store, Timing())
    with store.unit():
        for number in range(devices):
            device = core.devices.save({"name": f"board-{number:04}", "type": "kind"})
            core.credentials.create(device, "ACCESS_TOKEN", token_of(number))
            core.attributes.save(device, "SERVER_SCOPE", [("active", "true"), ("lastActivityTime", encode(now_ms()))], now_ms())
    store.commit()
    store.close()


def is_measurable() -> bool:
    """Whether the system tells of a process what `LabProcess` asks."""
    return Path("/proc/self/stat").exists()


@contextlib.contextmanager
def many_files() -> Iterator[int]:
    """Let this process open as many files as the system allows; gives how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield sys.maxsize if hard == resource.RLIM_INFINITY else hard - _SPARE_FILES
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
