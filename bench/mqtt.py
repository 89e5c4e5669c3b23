"""What open MQTT connections cost the lab: memory of an idle one, processor's time of a connect and of a message."""

import asyncio
import tempfile
from pathlib import Path

from bench.figures import Figure
from bench.lab_process import LabProcess, fill, is_measurable, lab_process, many_files, token_of
from bench.rig import Rig

GROUP = "MQTT"
IDLE = (1000, 5000)
MESSAGES = 5000
_MAX_KB = 60  # a device with an open connection, of any kind
_AT_ONCE = 100
_NOTE = (
    "Growth of the resident memory of a lab in a process of its own, by connection: connected with a token, subscribed to attributes, "
    "silent. Without the kernel's buffers. The times are the lab's processor's, and the machine's own."
)


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


_SUBSCRIBE_BODY = b"\0\1" + _text("v1/devices/me/attributes") + b"\1"
_GREETING = 4 + 5  # bytes of a CONNACK and a SUBACK
_Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open(port: int, number: int, turns: asyncio.Semaphore) -> _Pair:
    async with turns:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = _text("MQTT") + b"\4\x82\0\0" + _text(f"board-{number}") + _text(token_of(number))
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


async def _measure(lab: LabProcess, counts: list[int]) -> tuple[list[float], float, float]:
    """Return kB a connection at each count, and microseconds of a connect and of a message."""
    turns, pairs, sizes = asyncio.Semaphore(_AT_ONCE), [], []
    pairs += [await _open(lab.mqtt_port, number, turns) for number in range(10)]  # what the first ones cost once belongs to none
    memory, spent = lab.resident_kb(), lab.processor_seconds()
    for count in counts:
        pairs += await asyncio.gather(*(_open(lab.mqtt_port, number, turns) for number in range(len(pairs), count)))
        sizes.append((lab.resident_kb() - memory) / (count - 10))
    connect = (lab.processor_seconds() - spent) / (counts[-1] - 10)
    spent = lab.processor_seconds()
    await asyncio.gather(*(_post(pair, MESSAGES // _AT_ONCE) for pair in pairs[:_AT_ONCE]))
    message = (lab.processor_seconds() - spent) / MESSAGES
    for _, writer in pairs:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in pairs), return_exceptions=True)
    return sizes, connect * 1e6, message * 1e6


def measure(_rig: Rig, counts: tuple[int, ...] = IDLE) -> list[Figure]:
    """Connect boards to a lab of its own; as many as this process may have files open."""
    if not is_measurable():
        return [Figure(GROUP, "memory of an idle connection", "not measured: no /proc")]
    with many_files() as limit:
        fitting = [count for count in counts if count <= limit]
        if not fitting:
            return [Figure(GROUP, "memory of an idle connection", f"not measured: {limit} connections at most")]
        with tempfile.TemporaryDirectory(prefix="cota-bench-") as scratch:
            path = Path(scratch) / "lab.db"
            fill(path, fitting[-1])
            with lab_process(path, ("--mqtt-port", "0")) as lab:
                sizes, connect, message = asyncio.run(_measure(lab, fitting))
    figures = [
        Figure(GROUP, f"kB of memory an idle connection, {count:,} of them", round(size, 1), _MAX_KB, note=_NOTE)
        for count, size in zip(fitting, sizes, strict=True)
    ]
    figures.append(Figure(GROUP, "microseconds of a connect with its subscription", round(connect)))
    figures.append(Figure(GROUP, f"microseconds of a telemetry message that is kept (QoS 1, {_AT_ONCE} boards)", round(message)))
    return figures
