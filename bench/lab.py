"""What a fleet costs the lab: a poll's wait and its share of a core, an open long poll, and a fleet that updates at once."""

import asyncio
import json
import random
import tempfile
import time
from pathlib import Path

from bench import releases
from bench.figures import Figure
from bench.lab_process import LabProcess, fill, is_measurable, lab_process, many_files, token_of
from bench.rig import Rig
from cota.git.make import commit_tree, create_repository

GROUP = "lab"
DEVICES = 1000
POLL_SECONDS = 10
ROUNDS = 2  # polls of each device
_MAX_P99_MS, _MAX_KB = 100, 60
_PATIENCE_SECONDS = 300
_FILES = 3  # of the release that all take at once
_SEED = 4
_KEYS = "attributes?sharedKeys=fw_title,fw_version,fw_url,fw_checksum,cota_retry"
_STATES = ("DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "UPDATED")
_NOTE = (
    "A lab in a process of its own, and boards that speak as the library does, with a connection for each poll. The waits are the "
    "machine's own, and so only reported. At once: each board polls, asks for commit and listing, takes its files and reports."
)


class _Board:
    """One board's side of its connections."""

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self._base = f"/api/v1/{token_of(number)}/"
        self.waits: list[float] = []

    async def ask(self, path: str, body: object = None) -> bytes:
        """One request over a connection of its own; gives the answer's body.

        Raises:
            RuntimeError: the answer is not a 200.
        """
        payload = b"" if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUser-Agent: bench\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        begun = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(head.encode() + payload)
            answer = await reader.read()
        finally:
            writer.close()
        self.waits.append(time.perf_counter() - begun)
        status, _, rest = answer.partition(b"\r\n")
        if status.split(b" ")[1:2] != [b"200"]:
            raise RuntimeError(f"{method} {path.partition('?')[0]} was answered with {status!r}")
        return rest.partition(b"\r\n\r\n")[2]

    async def poll(self) -> None:
        """Ask for the shared attributes."""
        await self.ask(self._base + _KEYS)

    async def poll_for(self, seconds: float, rounds: int) -> None:
        """Poll so many times, each `seconds` after the one before, from a chance time on."""
        begun = time.perf_counter() + random.random() * seconds
        for number in range(rounds):
            await asyncio.sleep(max(0.0, begun + number * seconds - time.perf_counter()))
            await self.poll()

    async def wait_for_news(self) -> asyncio.StreamWriter:
        """Open a long poll and leave it open."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(f"GET {self._base}attributes/updates?timeout=600000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return writer

    async def update(self, commit: str, paths: list[str]) -> None:
        """Take a release, as the library asks for it and reports it."""
        await self.poll()
        for state in _STATES:
            if state == "DOWNLOADED":
                found = await self.ask(f"/api/v3/repos/bench/fleet/git/trees/{commit}?recursive=1")
                listed = {entry["path"] for entry in json.loads(found)["tree"]}
                for path in paths:
                    if path not in listed or not await self.ask(f"/raw/bench/fleet/{commit}/{path}"):
                        raise RuntimeError(f"the lab does not give {path}")
            elif state == "DOWNLOADING":
                await self.ask("/api/v3/repos/bench/fleet/commits/main")
            await self.ask(self._base + "telemetry", {"fw_state": state})


def _p99_ms(boards: list[_Board]) -> float:
    waits = sorted(wait for board in boards for wait in board.waits)
    return waits[int(len(waits) * 0.99)] * 1000


async def _polls(lab: LabProcess, devices: int, seconds: float) -> float:
    """Return milliseconds that 99 of 100 polls of a calm fleet stay below."""
    boards = [_Board(lab.port, number) for number in range(devices)]
    await asyncio.gather(*(board.poll_for(seconds, ROUNDS) for board in boards))
    return _p99_ms(boards)


async def _burst(lab: LabProcess, devices: int) -> float:
    """Return seconds of the processor a poll, where the lab is never idle."""
    spent = lab.processor_seconds()
    await asyncio.gather(*(_Board(lab.port, number).poll_for(0, ROUNDS) for number in range(devices)))
    return (lab.processor_seconds() - spent) / (devices * ROUNDS)


async def _long_polls(lab: LabProcess, devices: int) -> float:
    """Return kB of memory an open long poll."""
    memory = lab.resident_kb()
    writers = [await _Board(lab.port, number).wait_for_news() for number in range(devices)]
    # The last one's poll is held once a request that came after it has been answered.
    await _Board(lab.port, 0).poll()
    grown = lab.resident_kb() - memory
    for writer in writers:
        writer.close()
    return grown / devices


async def _at_once(lab: LabProcess, devices: int, commit: str, paths: list[str]) -> tuple[int, float]:
    """Return how many boards do not finish, and milliseconds that 99 of 100 of their requests stay below."""
    boards = [_Board(lab.port, number) for number in range(devices)]
    async with asyncio.timeout(_PATIENCE_SECONDS):
        ended = await asyncio.gather(*(board.update(commit, paths) for board in boards), return_exceptions=True)
    return sum(end is not None for end in ended), _p99_ms(boards)


def measure(_rig: Rig, devices: int = DEVICES, poll_seconds: float = POLL_SECONDS) -> list[Figure]:
    """Ask a lab of its own; as many boards at once as this process may have files open."""
    if not is_measurable():
        return [Figure(GROUP, "polls", "not measured: no /proc")]
    random.seed(_SEED)
    release = releases.files(_FILES, 2_000)
    with many_files() as limit, tempfile.TemporaryDirectory(prefix="cota-bench-") as scratch:
        count = min(devices, limit)
        repository = create_repository(Path(scratch) / "fleet.git")
        commit = commit_tree(repository, release)
        path = Path(scratch) / "lab.db"
        fill(path, count)
        with lab_process(path, ("--repo", f"bench/fleet={repository}")) as lab:
            p99 = asyncio.run(_polls(lab, count, poll_seconds))
            processor = asyncio.run(_burst(lab, count))
            held = asyncio.run(_long_polls(lab, count))
            left, slowest = asyncio.run(_at_once(lab, count, commit, sorted(release)))
    fleet = f"{count:,} boards"
    return [
        Figure(
            GROUP, f"p99 of a poll in ms, {fleet}, each every {poll_seconds} s", round(p99, 1), _MAX_P99_MS, report_only=True, note=_NOTE
        ),
        Figure(GROUP, "polls a second that one core answers", round(1 / processor)),
        Figure(GROUP, f"kB of memory an open long poll, {count:,} of them", round(held, 1), _MAX_KB),
        Figure(GROUP, f"{fleet} update at once: boards that do not finish", left, 0),
        Figure(GROUP, "the same: p99 of a request in ms", round(slowest, 1)),
    ]
