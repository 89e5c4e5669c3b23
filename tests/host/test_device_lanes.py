"""The collector of the device tests: what it refuses, and what it says of a VM that breaks down."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from loading import load

HERE = Path(__file__).parents[1] / "device"


@pytest.fixture(scope="module")
def lanes() -> ModuleType:
    return load(HERE / "conftest.py", "device_lanes")


def test_a_file_without_tests_is_an_error(lanes: ModuleType) -> None:
    with pytest.raises(ValueError, match="holds no test function"):
        lanes.outline("def helper():\n    pass\n", "test_x.py")


def test_two_tests_of_one_name_are_an_error(lanes: ModuleType) -> None:
    with pytest.raises(ValueError, match="defines twice: test_a"):
        lanes.outline("def test_a(): pass\ndef test_a(): pass\n", "test_x.py")


def test_a_lane_that_does_not_exist_is_an_error(lanes: ModuleType) -> None:
    with pytest.raises(ValueError, match="LANES must name"):
        lanes.outline("LANES = ('esp32',)\ndef test_a(): pass\n", "test_x.py")


def test_a_file_is_for_every_lane_on_a_board_sized_heap_unless_it_says_otherwise(lanes: ModuleType) -> None:
    plain = lanes.outline("def test_a(): pass\n", "test_x.py")
    assert (plain.tests, plain.heap, plain.lanes, plain.scope) == (("test_a",), "187k", lanes.LANES, "whole")
    own = lanes.outline("HEAP = '48k'\nLANES = ('micropython',)\nPURE = True\nBOARD = True\ndef test_a(): pass\n", "test_x.py")
    assert (own.heap, own.lanes, own.scope) == ("48k", ("micropython",), "pure+board")


def test_each_test_gets_its_own_verdict_and_its_own_output(lanes: ModuleType) -> None:
    said = "@run test_a\nhello\n@ok test_a\n@run test_b\ncase 7\nAssertionError\n@fail test_b\n@run test_c\n@ok test_c\n"
    done = lanes.parse(said, "exit status 1")
    assert done.results == {"test_a": "", "test_b": "it failed in its VM\ncase 7\nAssertionError", "test_c": ""}


def test_a_vm_that_dies_fails_the_test_it_died_in_and_those_after_it(lanes: ModuleType) -> None:
    done = lanes.parse("@run test_a\n@ok test_a\n@run test_b\nSegmentation fault\n", "exit status -11")
    assert done.results == {"test_a": ""}
    assert "the VM ended in test_b (exit status -11)" in done.crash and "Segmentation fault" in done.crash


def test_a_file_that_cannot_be_imported_fails_every_test(lanes: ModuleType) -> None:
    done = lanes.parse("Traceback\nSyntaxError: no\n", "exit status 1")
    assert done.results == {} and "SyntaxError: no" in done.crash


# What a test file does -> what each lane must say of it.
TRIALS = {
    "def test_a():\n    assert True\n": "",
    "def test_a():\n    assert 1 == 2, 'one is not two'\n": "one is not two",
    "def test_a():\n    bytearray(200000)\n    raise MemoryError('big')\n": "MemoryError",
    "import sys\ndef test_a():\n    sys.exit(0)\n": "the VM ended in test_a",
    "def test_a(:\n    pass\n": "SyntaxError",
}


@pytest.mark.parametrize("lane", ["cpython", "micropython", "micropython-sha1"])
@pytest.mark.parametrize(("source", "words"), TRIALS.items(), ids=[repr(source) for source in TRIALS])
def test_every_lane_reports_what_happened(lanes: ModuleType, tmp_path: Path, lane: str, source: str, words: str) -> None:
    if isinstance(lanes.command(lane), str):
        pytest.skip(lanes.command(lane))
    # The file lies outside tests/device, so the runner finds it by its folder on the path.
    path = tmp_path / "test_trial.py"
    path.write_text(source, encoding="utf-8")
    done = lanes.run(path, lane, "187k", "pure")
    verdict = done.results.get("test_a", done.crash)
    assert words in verdict
    assert bool(verdict) is bool(words)


@pytest.mark.parametrize(("lane", "known"), [("micropython", True), ("micropython-sha1", False)])
def test_one_lane_has_no_digest_but_sha_1(lanes: ModuleType, tmp_path: Path, lane: str, known: bool) -> None:
    if isinstance(lanes.command(lane), str):
        pytest.skip(lanes.command(lane))
    path = tmp_path / "test_trial.py"
    path.write_text("import hashlib\ndef test_a():\n    hashlib.new('sha1')\n    hashlib.new('sha256')\n", encoding="utf-8")
    done = lanes.run(path, lane, "187k", "pure")
    assert ("unsupported hash type" in done.results["test_a"]) is not known
