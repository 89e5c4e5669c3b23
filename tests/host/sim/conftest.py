"""A board on the bench: small programs of the test's own on a real drive, and a way to wait for what it says."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cota.sim import Board, BoardOptions, find_profile, find_vm
from cota.sim.vm import Vm

# A generous end for a wait: reached only when something is broken.
PATIENCE_SECONDS = 30


class Bench:
    """One board and what it has said so far."""

    def __init__(
        self, folder: Path, files: Mapping[str, str | bytes], vm: Vm, profile: str, options: BoardOptions, settings: dict[str, str]
    ) -> None:
        self.lines: list[str] = []
        self._said = asyncio.Event()
        self._tree = folder / "tree"
        (self._tree / "lib").mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            target = self._tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.board = Board(folder / "board", "bench", find_profile(profile), settings, vm=vm, options=options, listener=self._hear)
        self.board.prepare(self._tree)

    def _hear(self, line: str) -> None:
        self.lines.append(line)
        self._said.set()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def until(self, part: str, times: int = 1) -> None:
        """Wait until the console has shown `part` in this many lines."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum(part in line for line in self.lines) < times:
                self._said.clear()
                await self._said.wait()

    async def _power(self, part: str, times: int) -> str:
        self._said = asyncio.Event()
        self.board.start()
        try:
            await self.until(part, times)
        except TimeoutError:
            pytest.fail(f"the board never said {part!r} {times} times; it said:\n{self.text}")
        finally:
            await self.board.stop()
        return self.text

    def run_until(self, part: str = "Code done running.", times: int = 1) -> str:
        """Power the board until it says `part`, cut the power, and give the whole console."""
        return asyncio.run(self._power(part, times))


MakeBench = Callable[..., Bench]


@pytest.fixture(params=["micropython", "cpython"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeBench]:
    """Make boards, in the MicroPython VM and on CPython."""
    yield maker(tmp_path, str(request.param))


@pytest.fixture
def vm_bench(tmp_path: Path) -> Iterator[MakeBench]:
    """Make boards in the MicroPython VM, for what only a real FAT drive or a limited heap shows."""
    yield maker(tmp_path, "micropython")


def maker(folder: Path, kind: str) -> MakeBench:
    if kind == "micropython":
        pytest.importorskip("micropython_unix", reason="the MicroPython VM is not installed")
    vm = find_vm(kind)

    def make(
        files: Mapping[str, str | bytes],
        *,
        profile: str = "pico-w",
        options: BoardOptions | None = None,
        settings: dict[str, str] | None = None,
    ) -> Bench:
        return Bench(folder, files, vm, profile, options or BoardOptions(), settings or {})

    return make
