"""A board's folder, and many boards at once."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from cota.drive.tree import drive_files
from cota.errors import CotaError
from cota.sim import Board, Rack, device_tree, find_profile, find_vm
from cota.sim.console import Console
from cota.sim.vm import CIRCUITPYTHON_VARIABLE

from .conftest import PATIENCE_SECONDS, MakeBench


def _tree(folder: Path, main: str) -> Path:
    (folder / "lib").mkdir(parents=True)
    (folder / "main.py").write_text(main)
    return folder


def test_many_boards_run_at_once_each_with_its_own_drive_and_identity(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree", "import os, microcontroller\nprint(os.getenv('TOKEN'), microcontroller.cpu.uid[0:4])\n")
    said: dict[str, list[str]] = {}
    rack = Rack(tmp_path / "rack", find_profile("pico-w"), listener=lambda name, line: said.setdefault(name, []).append(line))
    for number in range(12):
        rack.add(f"b-{number}", {"TOKEN": f"token-{number}"}).prepare(tree)

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(rack.run(stop))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum("Code done running." in lines for lines in said.values()) < 12:
                await asyncio.sleep(0.02)
        stop.set()
        await running

    asyncio.run(run())
    assert {name: lines[1].split()[0] for name, lines in said.items()} == {f"b-{n}": f"token-{n}" for n in range(12)}
    assert len({lines[1] for lines in said.values()}) == 12
    assert {board.phase for board in rack.boards.values()} == {"off"}


def test_if_one_board_cannot_run_all_go_off_and_its_error_is_raised(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree", "while True: pass\n")
    rack = Rack(tmp_path / "rack", find_profile("pico-w"))
    rack.add("good", {}).prepare(tree)
    rack.add("bad", {})
    with pytest.raises(CotaError, match="Board bad has no drive"):
        asyncio.run(rack.run(asyncio.Event()))


def test_an_existing_drive_is_left_as_it_is(tmp_path: Path) -> None:
    board = Board(tmp_path / "b", "b", find_profile("pico-w"), {})
    assert board.prepare(_tree(tmp_path / "one", "1\n"), {"main.py": b"extra wins\n"}) is True
    assert board.prepare(_tree(tmp_path / "two", "2\n")) is False
    assert board.read("main.py") == b"extra wins\n"


def test_a_folder_that_holds_another_kind_of_board_is_refused(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree", "1\n")
    Board(tmp_path / "b", "b", find_profile("pico-w"), {}).prepare(tree)
    with pytest.raises(CotaError, match="holds a pico-w, not a esp32-s3"):
        Board(tmp_path / "b", "b", find_profile("esp32-s3"), {}).prepare(tree)


def test_the_console_is_logged_and_the_log_is_bounded(tmp_path: Path) -> None:
    heard: list[str] = []
    console = Console(tmp_path / "console.log", heard.append)
    for _ in range(9000):
        console.feed(b"0123456789" * 10 + b"\r\n")
    console.feed("caf\u00e9".encode()[:-1])
    console.feed("caf\u00e9".encode()[-1:] + b"\nlast")
    console.end_line()
    console.feed(b"x" * 20_000)
    assert heard[0] == "0123456789" * 10 and heard[-3:-1] == ["caf\u00e9", "last"] and len(heard[-1]) <= 4000
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2 and max(sizes) < 300_000


def test_a_vm_that_dies_is_a_hard_fault_and_ends_in_safe_mode(vm_bench: MakeBench) -> None:
    make = vm_bench(
        {
            "main.py": """
print('up')
while True: pass
""",
            "safemode.py": """
import supervisor
print(supervisor.runtime.safe_mode_reason)
""",
        }
    )

    async def fault() -> None:
        make.board.start()
        await make.until("up")
        assert make.board.pid is not None
        os.kill(make.board.pid, signal.SIGSEGV)
        await make.until("HARD_FAULT")
        await make.board.stop()

    asyncio.run(fault())
    assert "[the VM died: a hard fault; safe mode]" in make.lines


def test_the_device_tree_of_this_installation_is_found_and_read_without_what_is_not_for_a_drive(tmp_path: Path) -> None:
    assert (device_tree() / "lib" / "ota").is_dir()
    tree = _tree(tmp_path / "tree", "1\n")
    for path in ("lib/ota/__init__.py", "lib/ota/__pycache__/x.pyc", ".DS_Store", "README.md"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("x")
    assert set(drive_files(tree)) == {"main.py", "lib/ota/__init__.py"}
    with pytest.raises(CotaError, match="is not a folder"):
        drive_files(tmp_path / "none")


def test_the_circuitpython_vm_is_the_binary_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CIRCUITPYTHON_VARIABLE, raising=False)
    with pytest.raises(CotaError, match=CIRCUITPYTHON_VARIABLE):
        find_vm("circuitpython")
    monkeypatch.setenv(CIRCUITPYTHON_VARIABLE, "/opt/circuitpython")
    assert find_vm("circuitpython").argv(Path("run.py"), 1000) == ["/opt/circuitpython", "-X", "heapsize=1000", "run.py"]


def test_an_unknown_profile_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(CotaError, match="'pico-x'") as caught:
        find_profile("pico-x")
    assert caught.value.hint is not None and "esp32-s3" in caught.value.hint
