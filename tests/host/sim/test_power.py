"""Random power cuts: the same ones for the same seed, as many as were asked for, and boards that go on."""

import asyncio
from itertools import islice
from pathlib import Path

import pytest

from cota.errors import CotaError
from cota.sim import PowerCuts, Rack, find_profile, find_vm
from cota.sim.power import moments

PROGRAM = "import time\nprint('awake')\nwhile True:\n    time.sleep(0.1)\n"


def rack_of(folder: Path, boards: int, lines: list[tuple[str, str]]) -> Rack:
    """A rack on CPython, whose boards start fast."""
    tree = folder / "tree"
    (tree / "lib").mkdir(parents=True)
    (tree / "main.py").write_text(PROGRAM)
    rack = Rack(folder / "rack", find_profile("pico-w"), vm=find_vm("cpython"), listener=lambda name, line: lines.append((name, line)))
    for number in range(boards):
        rack.add(f"b{number}", {}).prepare(tree)
    return rack


async def until(rack: Rack, cuts: PowerCuts, count: int, more: float = 0.0) -> None:
    """Power the rack until there were so many cuts, and a while longer."""
    stop = asyncio.Event()
    power = asyncio.create_task(rack.run(stop, cuts))
    try:
        async with asyncio.timeout(60):
            while cuts.count < count and not power.done():
                await asyncio.sleep(0.02)
            await asyncio.sleep(more)
    finally:
        stop.set()
        await power


def test_each_board_is_cut_as_often_as_it_may_be_and_then_left_alone(tmp_path: Path) -> None:
    lines: list[tuple[str, str]] = []
    rack = rack_of(tmp_path, 2, lines)
    asyncio.run(until(rack, PowerCuts(200, seed=1, most=2), 4, more=2.0))
    for name in ("b0", "b1"):
        said = [line for board, line in lines if board == name]
        assert said.count("[power cut]") == 2
        assert "awake" in said[len(said) - 1 - said[::-1].index("[power cut]") :]  # it lives on after the last one
        assert rack.boards[name].phase == "off"


def test_the_same_seed_gives_the_same_seconds_and_another_seed_or_board_others() -> None:
    def first(seed: int, name: str) -> list[tuple[float, float]]:
        return list(islice(moments(6, seed, name), 2000))

    assert first(3, "b0") == first(3, "b0")
    assert first(4, "b0") != first(3, "b0") != first(3, "b1")
    assert 9 < sum(on for on, _ in first(3, "b0")) / 2000 < 11  # six a minute: ten seconds on average


def test_a_board_that_cannot_run_ends_the_rack_with_its_error(tmp_path: Path) -> None:
    rack = Rack(tmp_path, find_profile("pico-w"), vm=find_vm("cpython"))
    rack.add("empty", {})
    with pytest.raises(CotaError, match="has no drive"):
        asyncio.run(rack.run(asyncio.Event(), PowerCuts(1, seed=1)))
