"""Random power cuts: what a workshop, a car or a cheap plug does to a board, at instants that a seed gives again."""

import asyncio
import random
from collections.abc import Iterator
from typing import Literal

from cota.sim.board import Board

_SECONDS_A_MINUTE = 60
# How long a cut lasts; the board has lost its RAM at once, so longer would only be slower.
_OFF_SECONDS = (0.1, 0.5)
# `--seed` when none is given: short enough to type again.
_SEEDS = 1_000_000


def any_seed() -> int:
    """A seed for who gave none; tell the user which one it is."""
    return random.randrange(_SEEDS)  # noqa: S311  (nothing is secret about it)


def moments(rate: float, seed: int, name: str) -> Iterator[tuple[float, float]]:
    """A board's seconds with power, then without, again and again; `rate` is the mean of cuts in a minute of power."""
    chance = random.Random(f"{seed} {name}")  # noqa: S311
    while True:
        yield chance.expovariate(rate / _SECONDS_A_MINUTE), chance.uniform(*_OFF_SECONDS)


class PowerCuts:
    """Cuts the power of boards at random.

    Args:
        rate: Mean cuts a minute of a board that is on.
        seed: The same one gives the same seconds between power-on and cut.
        most: Cuts of one board at most; None: without end.

    Attributes:
        seed: As given.
        count: Cuts so far, of all boards.
    """

    def __init__(self, rate: float, seed: int, most: int | None = None) -> None:
        self.seed = seed
        self.count = 0
        self._rate = rate
        self._most = most

    async def power(self, board: Board, stop: asyncio.Event) -> None:
        """Power a board until `stop` is set, as Board.run does, but cut it now and then and power it again."""
        stopping = asyncio.create_task(stop.wait())
        try:
            for number, (on, off) in enumerate(moments(self._rate, self.seed, board.name)):
                if not await self._on(board, stopping, None if number == self._most else on):
                    return
                self.count += 1
                board.console.say("[power cut]")
                await asyncio.wait((stopping,), timeout=off)
                if stop.is_set():
                    return
        finally:
            stopping.cancel()

    async def _on(self, board: Board, stopping: "asyncio.Task[Literal[True]]", seconds: float | None) -> bool:
        """Power it for so long, or to the end; whether this was a cut. An error of the board is raised."""
        off = asyncio.Event()
        running = asyncio.create_task(board.run(off), name=f"board {board.name}")
        try:
            await asyncio.wait((running, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            off.set()
        await running
        return not stopping.done()
