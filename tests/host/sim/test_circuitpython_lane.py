"""The runner's branch for a CircuitPython VM, on the real binary where COTA_CIRCUITPYTHON names one, else on a stand-in."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from cota.sim import BoardOptions, find_vm
from cota.sim.vm import CIRCUITPYTHON_VARIABLE, SHIMS

from .conftest import Bench

STAND_IN = Path(__file__).with_name("circuitpython_stand_in.py")


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str | bytes]], Bench]:
    if CIRCUITPYTHON_VARIABLE not in os.environ:
        pytest.importorskip("micropython_unix", reason="neither a CircuitPython VM nor the MicroPython VM is here")
        start = tmp_path / "stand_in_start.py"
        start.write_text(f"import sys\nSHIMS = {str(SHIMS)!r}\nexecfile({str(STAND_IN)!r}, globals())\nexecfile(sys.argv[1])\n")
        binary = tmp_path / "circuitpython"
        binary.write_text(f'#!/bin/sh\nexec {shlex.join(find_vm("micropython").command)} "$1" "$2" {shlex.quote(str(start))} "$3"\n')
        binary.chmod(0o755)
        monkeypatch.setenv(CIRCUITPYTHON_VARIABLE, str(binary))

    def make(files: dict[str, str | bytes]) -> Bench:
        return Bench(tmp_path, files, find_vm("circuitpython"), "pico-w", BoardOptions(), {"TOKEN": "t"})

    return make


def test_a_board_boots_writes_reloads_and_resets(lane: Callable[[dict[str, str | bytes]], Bench]) -> None:
    main = """
import os, supervisor, microcontroller as m
n = 0 if m.nvm[0] == 255 else m.nvm[0]
m.nvm[0] = n + 1
print("run", n, os.getenv("TOKEN"), m.cpu.reset_reason, supervisor.runtime.run_reason)
with open("/log.txt", "a") as f: f.write(str(n))
if n == 0: supervisor.reload()
if n == 1: m.reset()
raise ValueError("the end")
"""
    make = lane({"boot.py": "import storage\nstorage.remount('/')\nprint('booted')\n", "main.py": main})
    text = make.run_until()
    assert text.count("booted") == 2
    assert "run 0 t microcontroller.ResetReason.POWER_ON supervisor.RunReason.STARTUP" in text
    assert "run 1 t microcontroller.ResetReason.POWER_ON supervisor.RunReason.SUPERVISOR_RELOAD" in text
    assert "run 2 t microcontroller.ResetReason.SOFTWARE" in text
    assert "ValueError: the end" in text
    assert make.board.read("log.txt") == b"012"


def test_only_the_modules_that_the_vm_lacks_are_provided(lane: Callable[[dict[str, str | bytes]], Bench]) -> None:
    main = """
import sys
for name in ("socketpool", "ssl", "hashlib", "wifi", "supervisor", "microcontroller", "os", "storage"):
    module = __import__(name)
    print(name, "ours" if "cp_" + name in sys.modules and sys.modules["cp_" + name] is module else "its own")
"""
    text = lane({"main.py": main}).run_until()
    for name in ("socketpool", "ssl", "hashlib"):
        assert f"{name} its own" in text
    for name in ("wifi", "supervisor", "microcontroller", "os", "storage"):
        assert f"{name} ours" in text


def test_the_drive_is_read_only_by_default(lane: Callable[[dict[str, str | bytes]], Bench]) -> None:
    text = lane({"main.py": "try:\n    open('/x', 'w')\nexcept OSError as e:\n    print('errno', e.errno)\n"}).run_until()
    assert "errno 30" in text
