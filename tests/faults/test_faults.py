"""One short test, or a few, for each fault that a board meets: power and flash (F1 to F9), code (F11, F12), servers (F13 to F16, F20).

Each would fail if the protection went. The long ones are elsewhere: all cuts in tests/powercut, the trial in tests/e2e, F5 and F10 as
sweeps beside this file. Boards, FAT images, lab and Git host are real; F1, F2 and F4 cut the simulated flash of the power-cut sweep.
"""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from course import Job
from gateway import Fault, Gateway
from oracle import FSCK
from shapes import text
from sweep import sweep
from world import Digests, World, digest

from cota.drive.tree import device_tree, drive_files
from cota.sim.board import BoardOptions

MakeWorld = Callable[..., World]
_MAIN = (device_tree() / "main.py").read_bytes()
_OLD = {"old.py": b"1\n", "both.py": b"b" * 900}
_NEW = {"main.py": _MAIN, "app.py": b"x = 1\n" * 400, "pkg/part.py": b"y = 2\n" * 90, "both.py": b"c" * 1200}
_SETTINGS = {"COTA_POLL_SECONDS": "20", "COTA_TRIAL_SECONDS": "0"}
_SPEED = 20.0
_RESTART = b"                updater.restart()\n"
_STEP = b"            if updater.step() == "
_SECTOR = 512
_SLOTS = (7 * _SECTOR, 15 * _SECTOR)


def fast(make_world: MakeWorld, **options: object) -> World:
    """A world whose board's clock runs fast, so that a failure is tried again soon."""
    settings = {**_SETTINGS, **options.pop("settings", {})}  # type: ignore[dict-item]
    extra = {**_OLD, "sd/x": b"", **options.pop("extra", {})}  # type: ignore[dict-item]
    return make_world(**{"settings": settings, "options": BoardOptions(speed=_SPEED), "extra": extra, **options})


def tree(world: World) -> Digests:
    """The drive without the folder that stays, where programs here leave word."""
    return {path: found for path, found in world.drive().items() if not path.startswith("sd/")}


def changed(old: bytes, new: bytes) -> bytes:
    """The shipped program with `new` in place of `old`."""
    assert old in _MAIN
    return _MAIN.replace(old, new)


def once(condition: bytes, action: bytes, before: bytes) -> bytes:
    """The shipped program, which does `action` before a line, the first time in any run that `condition` holds there."""
    indent = before[: len(before) - len(before.lstrip())]
    lines = (
        b"try:",
        b"    open('/sd/done').close()",
        b"except OSError:",
        b"    if %s:" % condition,
        b"        open('/sd/done', 'w').close()",
        b"        " + action,
    )
    return changed(before, b"".join(indent + line + b"\n" for line in lines) + before)


_WAITS = once(b"True", b"print('all is committed'); time.sleep(9999)", _RESTART)  # with what it has committed, until the power goes


def journal(world: World) -> bytearray:
    return bytearray(world.board.read("cota_sys/s/j"))


def newest(raw: bytes) -> int:
    """Where the journal's newest entry begins."""
    return max(_SLOTS, key=lambda at: json.loads(raw[at + 8 : at + _SECTOR])["q"] if raw[at + 8 : at + 9] == b"{" else -1)


def entry(world: World) -> dict[str, object]:
    raw = journal(world)
    at = newest(raw)
    found: dict[str, object] = json.loads(raw[at + 8 : at + _SECTOR])
    return found


def committed(make_world: MakeWorld) -> World:
    """A board that is off, with a release committed and not a byte of it applied: the power went in between."""
    world = fast(make_world, extra={"main.py": _WAITS})
    world.assign(world.publish(_NEW))
    world.start()
    world.wait_for_line("all is committed")
    world.stop()
    world.damaged = True
    assert entry(world)["p"] == "C"
    return world


def comes_up_new(world: World) -> None:
    """Switched on, the board ends on the new release, and takes another one."""
    world.start()
    world.wait_until(lambda: world.telemetry().get("fw_state") == "UPDATED", "UPDATED")
    assert tree(world) == world.whole(_NEW)
    world.deliver({**_NEW, "app.py": b"after\n"})


# F1 to F4: power cuts.

_SMALL = Job({"a.py": text("1", 600)}, {"a.py": text("2", 900), "pkg/b.py": text("b", 700)}, settled=True)
_WITH_FSCK = pytest.mark.skipif(FSCK is None, reason="fsck.fat judges the volume: install it (Debian: dosfstools); CI has it")


@_WITH_FSCK
@pytest.mark.parametrize("how", ["before", "half", "erased"])
def test_f1_a_cut_before_inside_or_after_a_write_of_the_apply_leaves_a_whole_release(how: str) -> None:
    verdict = sweep(replace(_SMALL, how=(how,), only=(24, 34)))
    assert verdict.cuts >= 4
    assert not verdict.faults, verdict.faults[:3]


@_WITH_FSCK
def test_f2_a_cut_of_the_recovery_after_a_cut_of_the_apply_leaves_a_whole_release() -> None:
    verdict = sweep(replace(_SMALL, double=True, only=(30, 32)))
    assert verdict.cuts >= 10
    assert not verdict.faults, verdict.faults[:3]


_TORN: dict[str, Callable[[World], None]] = {
    "a file that is 0 bytes long": lambda world: world.board.volume.write({"both.py": b""}),
    "a file whose tail is torn": lambda world: world.board.volume.write({"both.py": _NEW["both.py"][:512] + b"\xff" * 688}),
    "a file that is gone": lambda world: world.board.volume.remove("both.py"),
    "a file that is half old and half new": lambda world: world.board.volume.write({"app.py": _NEW["app.py"][:512]}),
    "a folder that is there already": lambda world: world.board.volume.write({"pkg/part.py": b""}),
    "a starter of the guard that is empty": lambda world: world.board.volume.write({"cota_sys/s/g.py": b""}),
}


@pytest.mark.parametrize("torn", _TORN)
def test_f3_what_a_cut_leaves_of_a_file_is_made_whole_at_the_next_boot(make_world: MakeWorld, torn: str) -> None:
    world = committed(make_world)
    _TORN[torn](world)
    comes_up_new(world)


@_WITH_FSCK
def test_f4_sectors_that_are_written_one_by_one_and_cut_apart_leave_a_whole_release() -> None:
    verdict = sweep(replace(_SMALL, geometry="esp-4mb", only=(60, 76)))
    assert verdict.cuts >= 8
    assert not verdict.faults, verdict.faults[:3]


# F5: a full drive; see test_sweeps.py too.


def test_f5_files_that_fit_as_bytes_and_not_as_clusters_are_refused_before_one_is_asked_for(
    make_world: MakeWorld, gateway: Gateway
) -> None:
    world = fast(make_world, git=gateway.address)
    before = tree(world)
    package = world.publish({f"n/{number}": b"%d" % number for number in range(500)})
    world.assign(package)
    world.start()
    world.wait_for("FAILED", str(package["version"]))
    assert str(world.telemetry()["fw_error"]).startswith("space ")
    assert not [asked for asked in gateway.asked if "/n/" in asked.target]
    assert tree(world) == before


# F6: a drive that cannot be written.


def test_f6_a_drive_that_usb_holds_is_told_and_waited_for(make_world: MakeWorld) -> None:
    world = fast(make_world, extra={"cota.usb": b""})
    before = tree(world)
    package = world.publish(_NEW)
    world.assign(package)
    world.start()
    world.wait_for_error("later: read_only USB holds the drive")
    assert tree(world) == before
    world.stop()
    world.board.volume.remove("cota.usb")
    world.start()
    world.wait_for("UPDATED", str(package["version"]))


# F7: bits that rot.


def rot(world: World, path: str, at: int) -> None:
    """Flip a bit of a file's byte `at`."""
    data = bytearray(world.board.read(path))
    data[at] ^= 1
    world.board.volume.write({path: bytes(data)})


def staged_at(world: World, data: bytes) -> int:
    """Where the arena holds these bytes."""
    at = world.board.read("cota_sys/s/a").find(data)
    assert at > 0
    return at


def test_f7_a_staged_file_that_rots_before_the_commit_is_fetched_again(make_world: MakeWorld, gateway: Gateway) -> None:
    waits = once(b"updater.phase == 'verify'", b"print('all is staged'); time.sleep(9999)", _STEP)
    world = fast(make_world, git=gateway.address, extra={"main.py": waits})
    world.assign(world.publish(_NEW))
    world.start()
    world.wait_for_line("all is staged")
    world.stop()
    world.damaged = True
    rot(world, "cota_sys/s/a", staged_at(world, _NEW["app.py"]) + 700)
    world.start()
    world.wait_until(lambda: world.telemetry().get("fw_state") == "UPDATED", "UPDATED")
    assert (gateway.count("/app.py"), gateway.count("/both.py")) == (2, 1)
    assert tree(world) == world.whole(_NEW)


def test_f7_a_staged_file_that_rots_after_the_commit_is_never_applied(make_world: MakeWorld) -> None:
    world = committed(make_world)
    before = tree(world)
    rot(world, "cota_sys/s/a", staged_at(world, _NEW["app.py"]) + 700)
    world.start()
    world.wait_until(lambda: entry(world)["p"] != "C", "decided")
    assert tree(world) == before
    world.wait_until(lambda: "FAILED" in world.states(), "told")
    world.deliver({**_NEW, "app.py": b"after\n"})


def test_f7_an_installed_file_that_rots_during_an_update_that_keeps_it_is_fetched_too(make_world: MakeWorld) -> None:
    world = fast(make_world, extra={"app.py": _NEW["app.py"], "main.py": _WAITS})
    world.assign(world.publish(_NEW))
    world.start()
    world.wait_for_line("all is committed")
    world.stop()
    rot(world, "app.py", 100)
    world.start()
    world.wait_until(lambda: world.telemetry().get("fw_state") == "UPDATED", "UPDATED")
    assert tree(world) == world.whole(_NEW)
    assert [error.startswith("undone apply RottenError") for error in world.errors()] in ([], [True])


# F8: records that are torn.


def flip_phase(world: World) -> None:
    """The newest entry says another phase and keeps its old checksum."""
    raw = journal(world)
    at = newest(raw)
    body = bytes(raw[at : at + _SECTOR])
    assert b'"p": "I"' in body
    raw[at : at + _SECTOR] = body.replace(b'"p": "I"', b'"p": "U"')
    world.board.volume.write({"cota_sys/s/j": bytes(raw)})


def tear(world: World, slots: tuple[int, ...]) -> None:
    raw = journal(world)
    for at in slots:
        raw[at + 200 : at + _SECTOR] = b"\xff" * (_SECTOR - 200)
    world.board.volume.write({"cota_sys/s/j": bytes(raw)})


_RECORDS: dict[str, Callable[[World], None]] = {
    "the journal's newest entry is torn": lambda world: tear(world, (newest(journal(world)),)),
    "both entries of the journal are torn": lambda world: tear(world, _SLOTS),
    "the journal says something else": flip_phase,
    "the journal is empty": lambda world: world.board.volume.write({"cota_sys/s/j": b""}),
    "the release records are torn": lambda world: world.board.volume.write({"cota_sys/s/r": b"\xff" * 4096}),
    "the arena's head is torn": lambda world: rot(world, "cota_sys/s/a", 30),
}


@pytest.mark.parametrize("what", _RECORDS)
def test_f8_a_torn_record_costs_no_file_and_the_next_release_is_installed(make_world: MakeWorld, what: str) -> None:
    world = fast(make_world)
    world.deliver(_NEW)
    world.stop()
    _RECORDS[what](world)
    before = tree(world)
    world.start()
    world.wait_polls(2)
    assert tree(world) == before
    world.deliver({**_NEW, "app.py": b"after\n"})


# F9: resets and the watchdog.


def test_f9_a_reset_in_each_phase_of_an_update_only_delays_it(make_world: MakeWorld) -> None:
    storm = b"""            import microcontroller
            try:
                with open("/sd/seen") as file:
                    seen = file.read()
            except OSError:
                seen = ""
            if updater.phase not in seen:
                with open("/sd/seen", "w") as file:
                    file.write(seen + " " + updater.phase)
                microcontroller.reset()
"""
    # Without the guard, which installs the release itself once the program has reset the board three times.
    world = fast(make_world, settings={"COTA_GUARD": "off"}, extra={"main.py": changed(_STEP, storm + _STEP)})
    world.damaged = True
    world.deliver(_NEW)
    phases = world.board.read("sd/seen").decode().split()
    assert {"resolve", "list", "check", "compare", "room", "fetch", "verify", "backup", "commit"} <= set(phases)
    assert tree(world) == world.whole(_NEW)


@pytest.mark.parametrize("phase", ["list", "fetch", "backup"])
def test_f9_the_watchdog_bites_in_a_phase_of_an_update_and_it_goes_on(make_world: MakeWorld, phase: str) -> None:
    hangs = once(b"updater.phase == '%s'" % phase.encode(), b"while True: pass", _STEP)
    world = fast(make_world, profile="esp32-s3", settings={"COTA_WATCHDOG": "8"}, extra={"main.py": hangs})
    world.damaged = True
    world.deliver(_NEW)
    assert "[watchdog: reset]" in world.said()


# F10: test_sweeps.py and test_heap.py.


# F11: new code that is bad.

_BAD: dict[str, tuple[dict[str, bytes], str]] = {
    "does not compile": ({"main.py": b"def broken(:\n"}, "undone SyntaxError"),
    "imports what is not there": ({"main.py": b"import no_such_module\n"}, "undone ImportError"),
    "raises at its start": ({"main.py": b"raise ValueError('bad')\n"}, "undone ValueError: bad"),
    "resets the board again and again": (
        {"main.py": b"import microcontroller\nmicrocontroller.reset()\n"},
        "undone the program reset the board",
    ),
    "deletes the updater": ({"main.py": _MAIN, "lib/ota/client.py": b""}, "undone "),
    "deletes the guard": ({"main.py": _MAIN, "lib/ota/guard.py": b"1 / 0\n"}, "undone "),
}


@pytest.mark.parametrize("kind", _BAD)
def test_f11_a_release_that_is_bad_is_undone_and_the_next_one_comes(make_world: MakeWorld, kind: str) -> None:
    files, error = _BAD[kind]
    world = fast(make_world)
    before = tree(world)
    package = world.publish(files)
    world.assign(package)
    world.start()
    world.wait_for("FAILED", str(package["version"]))
    assert str(world.telemetry()["fw_error"]).startswith(error)
    assert "UPDATED" not in world.states()
    assert tree(world) == before
    world.deliver(_NEW)


def test_f11_a_release_that_hangs_is_ended_by_the_watchdog_and_undone(make_world: MakeWorld) -> None:
    world = fast(make_world, profile="esp32-s3", settings={"COTA_WATCHDOG": "8"})
    package = world.publish({"main.py": b"while True:\n    pass\n"})
    world.assign(package)
    world.start()
    world.wait_for("FAILED", str(package["version"]))
    assert world.telemetry()["fw_error"] == "undone the watchdog reset the board"


def test_f11_a_release_that_never_joins_wifi_is_undone_when_the_hours_of_the_trial_are_over(make_world: MakeWorld) -> None:
    world = fast(make_world, settings={"COTA_TRIAL_HOURS": "1"}, options=BoardOptions(speed=1000.0))
    off = b"import time, wifi\nwifi.radio.enabled = False\nimport ota\nu = ota.OverTheAirUpdate()\nwhile True:\n    try:\n        "
    off += b"u.is_new_firmware_available()\n    except ConnectionError:\n        pass\n    time.sleep(5)\n"
    package = world.publish({"main.py": off})
    world.assign(package)
    world.start()
    world.wait_for("FAILED", str(package["version"]))
    assert world.telemetry()["fw_error"] == "undone no contact in 1 hours"


@pytest.mark.parametrize("updated", [False, True])
def test_f11_a_confirmed_program_that_fails_is_started_again_also_after_a_power_cut(make_world: MakeWorld, updated: bool) -> None:
    fails = _MAIN.replace(
        b"def work():", b"_born = time.monotonic()\n\n\ndef work():\n    if time.monotonic() - _born > 20:\n        1 / 0\n\n\ndef rest():"
    )
    world = fast(make_world, extra={"main.py": fails})
    if updated:
        world.deliver({**_NEW, "main.py": fails, "lib/mine.py": b"1\n"})
        world.stop()
    world.start()
    world.wait_for_line("again in")
    world.restart()
    seen = world.said().count("again in")
    world.wait_for_line("again in", seen + 1)
    world.deliver(_NEW)


# F12: the trial.

_CONFIRMS = _MAIN.replace(b"updating = False\n", b"updating = False\nupdater.confirm()\nprint('confirmed by hand')\n", 1)


def test_f12_a_release_that_does_not_confirm_itself_where_it_must_is_undone(make_world: MakeWorld) -> None:
    world = fast(make_world, settings={"COTA_CONFIRM": "app", "COTA_POLL_SECONDS": "100"}, options=BoardOptions(speed=100.0))
    world.deliver({**_NEW, "main.py": _CONFIRMS})
    package = world.publish(_NEW)
    world.assign(package)
    world.wait_for("FAILED", str(package["version"]))
    assert str(world.telemetry()["fw_error"]).startswith("undone no contact")
    assert tree(world)["main.py"] == digest(_CONFIRMS)


def test_f12_a_confirm_during_an_outage_ends_the_trial_when_the_server_is_back(make_world: MakeWorld, gateway: Gateway) -> None:
    world = fast(make_world, cloud=gateway.address, settings={"COTA_CONFIRM": "app"})
    package = world.publish({**_NEW, "main.py": _CONFIRMS})
    world.assign(package)
    world.start()
    world.wait_until(lambda: "UPDATING" in world.states(), "committed")
    gateway.shut()
    world.wait_for_line("confirmed by hand")
    world.wait_for_complaints(2)
    assert entry(world)["p"] == "T"
    assert "UPDATED" not in world.states()
    gateway.open()
    world.wait_for("UPDATED", str(package["version"]))


# F13 to F16 and F20: servers that change their minds.


def test_f13_a_page_of_a_captive_portal_is_no_file(make_world: MakeWorld, gateway: Gateway) -> None:
    world = fast(make_world, git=gateway.address)
    gateway.break_next("/app.py", Fault(status=200, headers={"content-type": "text/html"}))
    package = world.publish(_NEW)
    world.assign(package)
    world.start()
    world.wait_for_error("later: ")
    world.wait_for("UPDATED", str(package["version"]))
    assert tree(world) == world.whole(_NEW)


def test_f14_a_token_that_is_revoked_during_an_update_stops_the_reports_and_not_the_board(make_world: MakeWorld, gateway: Gateway) -> None:
    world = fast(make_world, cloud=gateway.address)
    gateway.break_next("/telemetry", Fault(status=401), times=4)
    package = world.publish(_NEW)
    world.assign(package)
    world.start()
    world.wait_for("UPDATED", str(package["version"]))
    assert tree(world) == world.whole(_NEW)


def test_f14_a_release_that_is_announced_again_and_again_is_installed_once(make_world: MakeWorld, gateway: Gateway) -> None:
    world = fast(make_world, git=gateway.address)
    package = world.publish(_NEW)
    world.assign(package)
    world.start()
    world.wait_for("UPDATED", str(package["version"]))
    for _ in range(3):
        world.assign(package)
        world.wait_polls(1)
    assert gateway.count("/git/trees/") == 1


def test_f15_a_branch_that_is_forced_elsewhere_during_an_update_changes_nothing_of_it(make_world: MakeWorld, gateway: Gateway) -> None:
    hold = threading.Event()
    world = fast(make_world, git=gateway.address)
    gateway.break_next("/app.py", Fault(after=600, hold=hold))
    world.commit(_NEW)
    package = world.package(world.url("main"))
    world.assign(package)
    world.start()
    world.wait_until(lambda: gateway.count("/app.py") == 1, "app.py is asked for")
    world.commit({"other.py": b"another history\n"})
    hold.set()
    world.wait_for("UPDATED", str(package["version"]))
    assert tree(world) == world.whole(_NEW)


def test_f16_wifi_that_is_lost_between_two_phases_is_waited_for(make_world: MakeWorld) -> None:
    waits = once(b"updater.phase == 'fetch'", b"print('before the files'); time.sleep(20)", _STEP)
    world = fast(make_world, extra={"main.py": waits})
    package = world.publish(_NEW)
    world.assign(package)
    world.start()
    world.wait_for_line("before the files")
    world.board.set_network(up=False)
    world.wait_for_line("update: Wi-Fi is not joined")
    world.board.set_network(up=True)
    world.wait_for("UPDATED", str(package["version"]))


def test_f20_a_release_with_another_version_of_the_updater_is_confirmed_by_that_one(make_world: MakeWorld) -> None:
    own = {path: data for path, data in drive_files(device_tree()).items() if path.startswith("lib/ota/")}
    other = {**own, "lib/ota/__init__.py": re.sub(rb"__version__=['\"][^'\"]*", b"__version__='0.0.7", own["lib/ota/__init__.py"])}
    assert other != own
    world = fast(make_world)
    world.deliver({**_NEW, **other})
    world.restart()
    world.wait_until(lambda: world.attributes().get("cota_version") == "0.0.7", "told by the other one")
    world.deliver({**_NEW, **own})
    assert tree(world)["lib/ota/client.py"] == digest(own["lib/ota/client.py"])
