"""Many boards in one event loop."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cota.sim.board import Board, BoardOptions
from cota.sim.power import PowerCuts
from cota.sim.profiles import Profile
from cota.sim.vm import Vm, find_vm

# Starting a VM is work for a processor; more at once than this only makes each start slower.
_STARTS_PER_CPU = 2

NamedLineListener = Callable[[str, str], None]


class Rack:
    """Boards that share an event loop, a VM and a limit of processes started at once.

    Args:
        folder: Holds one folder a board.
        profile: What kind of board they are.
        vm: The VM to run in; None finds one.
        options: What surrounds the boards.
        listener: Gets (board's name, line) for each line of each console.
    """

    def __init__(
        self,
        folder: Path,
        profile: Profile,
        *,
        vm: Vm | None = None,
        options: BoardOptions | None = None,
        listener: NamedLineListener | None = None,
    ) -> None:
        self.folder = folder
        self.profile = profile
        self.vm = vm or find_vm()
        self.options = options
        self.boards: dict[str, Board] = {}
        self._listener = listener
        self._starting = asyncio.Semaphore(_STARTS_PER_CPU * (os.cpu_count() or 1))

    def add(self, name: str, settings: Mapping[str, str]) -> Board:
        """Put a board into the rack; its drive is made by Board.prepare."""
        listener = self._listener
        board = Board(
            self.folder / name,
            name,
            self.profile,
            settings,
            vm=self.vm,
            options=self.options,
            listener=None if listener is None else lambda line: listener(name, line),
            starting=self._starting,
        )
        self.boards[name] = board
        return board

    async def run(self, stop: asyncio.Event, cuts: PowerCuts | None = None) -> None:
        """Power all boards until `stop` is set, save for these power cuts. If one cannot run, all go off and its error is raised."""
        power = Board.run if cuts is None else cuts.power
        tasks = [asyncio.create_task(power(board, stop), name=f"board {board.name}") for board in self.boards.values()]
        try:
            await asyncio.gather(*tasks)
        finally:
            stop.set()
            await asyncio.gather(*tasks, return_exceptions=True)
