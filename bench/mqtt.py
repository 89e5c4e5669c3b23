"""What open MQTT connections cost the lab: memory of an idle one, processor's time of a connect and of a message."""

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.rig import Rig
from cota.lab.clock import now_ms
from cota.lab.core import Core, Timing
from cota.lab.data.store import Store
from cota.lab.data.values import encode

GROUP = "MQTT"
IDLE = (1000, 5000)
MESSAGES = 5000
_MAX_KB = 60  # a device with an open connection, of any kind
_SPARE_FILES = 200
_AT_ONCE = 100
_COMMAND = (sys.executable, "-c", "from cota.cli import main; main()", "lab", "--port", "0", "--mqtt-port", "0", "--json")
_NOTE = (
    "Growth of the resident memory of a lab in a process of its own, by connection: connected with a token, subscribed to attributes, "
    "silent. Without the kernel's buffers. The times are the lab's processor's, and the machine's own."
)


@contextlib.contextmanager
def _lab(path: Path) -> Iterator[tuple[int, int]]:
    """Run a lab; gives its process and its MQTT port."""
    process = subprocess.Popen([*_COMMAND, "--db", str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        yield process.pid, facts["mqtt_port"]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _fill(path: Path, devices: int) -> None:
    """Make devices that are active already, so that a connect writes nothing."""
    store = Store(path)
    core = Core(store, Timing())
    with store.unit():
        for number in range(devices):
            device = core.devices.save({"name": f"board-{number:04}", "type": "kind"})
            core.credentials.create(device, "ACCESS_TOKEN", f"token-{number}")
            core.attributes.save(device, "SERVER_SCOPE", [("active", "true"), ("lastActivityTime", encode(now_ms()))], now_ms())
    store.commit()
    store.close()


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _spent(pid: int) -> float:
    """Seconds of the processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


_SUBSCRIBE_BODY = b"\0\1" + _text("v1/devices/me/attributes") + b"\1"
_GREETING = 4 + 5  # bytes of a CONNACK and a SUBACK
_Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open(port: int, number: int, turns: asyncio.Semaphore) -> _Pair:
    async with turns:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = _text("MQTT") + b"\4\x82\0\0" + _text(f"board-{number}") + _text(f"token-{number}")
        writer.write(bytes((0x10, len(body))) + body + bytes((0x82, len(_SUBSCRIBE_BODY))) + _SUBSCRIBE_BODY)
        answer = await reader.readexactly(_GREETING)
        if answer[:4] != b"\x20\2\0\0":
            raise RuntimeError(f"the lab refuses a board: {answer!r}")
        return reader, writer


async def _post(pair: _Pair, messages: int) -> None:
    """Publish telemetry at QoS 1, each after the acknowledgement of the one before."""
    reader, writer = pair
    for number in range(1, messages + 1):
        body = _text("v1/devices/me/telemetry") + number.to_bytes(2, "big") + b'{"temperature":%d}' % number
        writer.write(bytes((0x32, len(body))) + body)
        await reader.readexactly(4)


async def _measure(pid: int, port: int, counts: tuple[int, ...]) -> tuple[list[float], float, float]:
    """Return kB a connection at each count, and microseconds of a connect and of a message."""
    turns, pairs, sizes = asyncio.Semaphore(_AT_ONCE), [], []
    pairs += [await _open(port, number, turns) for number in range(10)]  # what the first ones cost once belongs to none
    memory, spent = _resident_kb(pid), _spent(pid)
    for count in counts:
        pairs += await asyncio.gather(*(_open(port, number, turns) for number in range(len(pairs), count)))
        sizes.append((_resident_kb(pid) - memory) * 1.024 / (count - 10))
    connect = (_spent(pid) - spent) / (counts[-1] - 10)
    spent = _spent(pid)
    await asyncio.gather(*(_post(pair, MESSAGES // _AT_ONCE) for pair in pairs[:_AT_ONCE]))
    message = (_spent(pid) - spent) / MESSAGES
    for _, writer in pairs:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in pairs), return_exceptions=True)
    return sizes, connect * 1e6, message * 1e6


def measure(_rig: Rig, counts: tuple[int, ...] = IDLE) -> list[Figure]:
    """Connect boards to a lab of its own; as many as this process may have files open."""
    if not Path("/proc/self/stat").exists():
        return [Figure(GROUP, "memory of an idle connection", "not measured: no /proc")]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    counts = tuple(count for count in counts if hard == resource.RLIM_INFINITY or count + _SPARE_FILES <= hard)
    if not counts:
        return [Figure(GROUP, "memory of an idle connection", f"not measured: {hard} files at most")]
    try:
        with tempfile.TemporaryDirectory(prefix="cota-bench-") as scratch:
            path = Path(scratch) / "lab.db"
            _fill(path, counts[-1])
            with _lab(path) as (pid, port):
                sizes, connect, message = asyncio.run(_measure(pid, port, counts))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    figures = [
        Figure(GROUP, f"kB of memory an idle connection, {count:,} of them", round(size, 1), _MAX_KB, note=_NOTE)
        for count, size in zip(counts, sizes, strict=True)
    ]
    figures.append(Figure(GROUP, "microseconds of a connect with its subscription", round(connect)))
    figures.append(Figure(GROUP, f"microseconds of a telemetry message that is kept (QoS 1, {_AT_ONCE} boards)", round(message)))
    return figures
