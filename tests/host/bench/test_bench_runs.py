"""Runs of the bench on small cases: real boards against a real lab."""

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench.__main__ as command
import pytest
from bench import fleet, lab, lab_process, mqtt, network
from bench.cases import OURS, PLAIN
from bench.figures import Figure
from bench.outcome import cost, update_window
from bench.rig import BOARD_PROGRAMS, Case, Rig
from bench.traffic import traffic

from cota.errors import CotaError
from cota.sim.vm import SHIMS

RELEASE = {"a.py": b"A = 1\n" * 300, "lib_of_mine/b.py": b"B = 2\n"}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The probe's module, as the VM imports it, and none of it left behind."""
    monkeypatch.syspath_prepend(str(BOARD_PROGRAMS))
    monkeypatch.syspath_prepend(str(SHIMS))
    for name in ("probe", "simboard", "disk"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "image").write_bytes(bytes(512 * 64))
    made = importlib.import_module("probe")
    made.options["seams"] = False
    kind = made._recording(importlib.import_module("disk").ImageDisk)
    disk = kind(str(tmp_path / "image"))
    yield disk
    disk._file.close()
    for name in ("probe", "simboard", "disk"):
        sys.modules.pop(name, None)


def test_one_dirty_page_takes_many_writes_and_is_written_once_where_nothing_is_held_back_each_write_counts(disk: Any) -> None:
    for sector in (8, 9, 10, 8):
        disk.writeblocks(sector, bytes(512))
    assert disk.counts() == [1, 0, 4, 0, 4]


def test_a_read_a_sync_and_another_page_each_end_the_dirty_page(disk: Any) -> None:
    for end in (lambda: disk.readblocks(40, bytearray(512)), lambda: disk.ioctl(3, 0), lambda: disk.writeblocks(40, bytes(512))):
        disk.writeblocks(8, bytes(512))
        end()
    assert disk.counts()[0] == 4  # three times sector 8's page, once sector 40's


def test_page_0_is_counted_apart(disk: Any) -> None:
    disk.writeblocks(7, bytes(512))
    disk.writeblocks(8, bytes(512))
    disk.writeblocks(0, bytes(512))
    assert disk.counts() == [3, 2, 3, 2, 3]


def test_a_write_of_several_sectors_rewrites_each_page_that_it_touches(disk: Any) -> None:
    disk.writeblocks(6, bytes(512 * 12))
    assert disk.counts() == [3, 1, 3, 1, 12]


def test_a_read_of_a_clean_page_rewrites_nothing(disk: Any) -> None:
    disk.readblocks(0, bytearray(512))
    disk.ioctl(3, 0)
    assert disk.counts() == [0, 0, 0, 0, 0]


def test_an_update_is_measured_from_its_assignment_to_the_contact_of_the_new_release(rig: Rig) -> None:
    outcome = rig.run(Case([RELEASE], OURS)).require()
    before, after = update_window(outcome, 0)
    given = cost(before, after)
    assert given.requests["git-raw"] == len(RELEASE)
    assert given.bytes_out["git-raw"] == sum(map(len, RELEASE.values()))
    assert after.flash.minus(before.flash).sectors >= 5  # four sectors of content, and the journal
    measured = traffic(rig, outcome)
    assert measured.api_requests == 2
    assert measured.api_bytes == 40  # the commit's name
    assert outcome.all("run end")[1].said["peak"] > before.said["rest"] > 0


def test_the_plain_updater_installs_a_release_too(rig: Rig) -> None:
    outcome = rig.run(Case([RELEASE, {"a.py": b"A = 2\n"}], PLAIN)).require()
    first, second = (cost(*update_window(outcome, number)).requests["git-raw"] for number in (0, 1))
    assert (first, second) == (2, 1)


def test_a_board_that_runs_out_of_memory_is_a_figure_and_not_a_crash(rig: Rig) -> None:
    outcome = rig.run(Case([{"big.bin": bytes(150_000)}], PLAIN))
    assert not outcome.complete
    assert outcome.trouble == "out of memory"
    with pytest.raises(CotaError, match="MemoryError"):
        outcome.require()


def test_a_drive_that_is_not_the_releases_is_not_complete(rig: Rig) -> None:
    outcome = rig.run(Case([RELEASE], OURS, ignored=frozenset(["a.py"])))
    assert not outcome.complete
    assert "a.py" in outcome.lines[-1]


def test_a_run_of_one_group_prints_the_documented_json_and_leaves_the_kept_results_alone(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("micropython_unix", reason="the MicroPython VM is not installed")
    before = command.RESULTS.stat().st_mtime_ns if command.RESULTS.exists() else None
    assert command.main(["--only", "idle", "--json"]) == 0
    assert (command.RESULTS.stat().st_mtime_ns if command.RESULTS.exists() else None) == before
    printed = json.loads(capsys.readouterr().out)
    assert printed["schema"] == 1
    assert printed["groups"] == ["idle"]
    figures = {figure["what"]: figure for figure in printed["figures"]}
    assert figures["requests to ThingsBoard, a poll"] | {"note": ""} == {
        "group": "idle check",
        "what": "requests to ThingsBoard, a poll",
        "value": 1,
        "bar": 1,
        "pass": True,
        "report_only": False,
        "peer": 2,
        "note": "",
    }


def test_a_look_at_a_fleet_is_counted_and_timed() -> None:
    requests, seconds = fleet.measure(None, devices=40)  # type: ignore[arg-type]  (it has a lab of its own)
    assert requests.value == 2, "the sign-in, and one page"
    assert isinstance(seconds.value, float) and seconds.value > 0
    assert (requests.report_only, seconds.report_only) == (False, True)


def test_an_idle_hour_and_a_cut_update_are_counted(rig: Rig) -> None:
    asked, opened, _, wait, calls, files, part, again = [float(figure.value) for figure in network.measure(rig)]
    assert asked == opened, "a board closes what it does not need"
    assert 40 <= asked <= 120 and 20 <= wait <= 60, "polls come every 60 seconds, give or take a half"
    assert calls == 2
    assert files >= len(network._CUT.releases[0]) and 1 <= part < 1.5, "a whole release, and less than another half of it"
    assert again > 1


def test_a_long_gap_is_met_more_often_than_a_short_one() -> None:
    assert network.mean_wait([60, 60]) == 30
    assert network.mean_wait([30, 90]) == 37.5


def test_a_fleets_polls_are_timed_and_its_update_at_once_is_followed_to_the_end() -> None:
    wait, rate, held, left, slowest = lab.measure(None, devices=60, poll_seconds=1)  # type: ignore[arg-type]  (it has a lab of its own)
    assert float(wait.value) > 0 and float(rate.value) > 0 and float(slowest.value) > 0
    assert (wait.report_only, left.report_only) == (True, False)
    assert 0 < float(held.value) < 60
    assert left.value == 0


def test_a_board_of_the_bench_takes_no_refusal_for_an_answer(tmp_path: Path) -> None:
    lab_process.fill(tmp_path / "lab.db", 1)
    with lab_process.lab_process(tmp_path / "lab.db") as running:
        asyncio.run(lab._Board(running.port, 0).poll())
        with pytest.raises(RuntimeError, match=r"GET /api/v1/token-1/attributes was answered with .*401"):
            asyncio.run(lab._Board(running.port, 1).poll())


def test_idle_connections_and_their_messages_are_weighed() -> None:
    one, more, connect, message = mqtt.measure(None, counts=(150, 300))  # type: ignore[arg-type]  (it has a lab of its own)
    assert "150" in one.what and "300" in more.what
    assert 0 < float(more.value) < 60
    assert float(connect.value) > 0 and float(message.value) > 0


@pytest.mark.parametrize(("report_only", "code"), [(False, 1), (True, 0)])
def test_the_exit_code_tells_of_a_missed_bar(monkeypatch: pytest.MonkeyPatch, report_only: bool, code: int) -> None:
    monkeypatch.setitem(command.GROUPS, "size", lambda _rig: [Figure("g", "too much", 2, 1, report_only=report_only)])
    assert command.main(["--only", "size"]) == code


def test_the_kept_results_name_no_machine_and_hold_every_group() -> None:
    kept = json.loads(command.RESULTS.read_text(encoding="utf-8"))
    assert kept["groups"] == "all"
    assert len({figure["group"] for figure in kept["figures"]}) == len(command.GROUPS)
    text = json.dumps(kept)
    assert "/work" not in text
    assert "/home" not in text
    assert "/tmp" not in text
