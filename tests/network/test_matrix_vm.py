"""The same matrix on the MicroPython VM with a board-sized heap: one VM a kind of request, all its cases one after the other."""

import json
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from cases import CASES, KINDS
from loading import load
from origin import Origin
from test_matrix import addresses, judge

from cota.sim.profiles import PROFILES
from cota.sim.vm import SHIMS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LANE = "micropython-sha1"  # what CircuitPython 9 has
SECONDS = 150
# A Pico W's, and what the drive in memory takes. No case leaves more live than this holds, whatever its server sends.
HEAP = PROFILES["pico-w"].vm_heap + 48 * 1024


@pytest.fixture(scope="module")
def lanes() -> ModuleType:
    """The collector of the device tests, which knows how a VM is started."""
    return load(ROOT / "tests/device/conftest.py", "device_lanes_of_network")


@pytest.mark.parametrize("kind", KINDS)
def test_a_board_sized_vm_ends_every_case_as_the_table_says(kind: str, origin: Origin, lanes: ModuleType, tmp_path: Path) -> None:
    start = lanes.command(LANE)
    if isinstance(start, str):
        pytest.skip(start)
    cases = [case for case in CASES if case.kind == kind]
    lines = []
    for case in cases:
        cloud, git = addresses(case, origin)
        origin.play(case.slug, case.kind, list(case.answers), git)
        lines.append(json.dumps({**case.told, "cloud": cloud, "git": git}))
    (tmp_path / "cases.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = [str(ROOT / "tests/device/runner.py"), str(HERE / "vm_cases.py"), str(ROOT), LANE, "whole+board"]
    arguments += [str(SHIMS), str(lanes.hardware(tmp_path)), str(tmp_path / "cases.jsonl")]
    command = [*start, "-X", f"heapsize={HEAP}", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
    text = done.stdout.decode("utf-8", "replace")
    results = [json.loads(line.removeprefix("@case ")) for line in text.splitlines() if line.startswith("@case ")]
    assert "@ok test_cases" in text, text[-3000:]
    wrong = []
    for case, result in zip(cases, results, strict=True):
        try:
            judge(case, result, origin)
        except AssertionError as exc:
            wrong.append(str(exc).splitlines()[0])
    assert not wrong, "\n".join(wrong)
