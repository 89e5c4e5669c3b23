"""The guard and the trial, end to end: a bad release undoes itself, a good one stays, and a program that fails is started again."""

from collections.abc import Callable

import pytest
from world import World, digest

from cota.drive.tree import device_tree
from cota.sim.board import BoardOptions

_MAIN = (device_tree() / "main.py").read_bytes()
_SPEED = 20.0
# On the board's clock: a poll each 20 s is one each second here, and the trial lasts 40 s after contact.
_SETTINGS = {"COTA_POLL_SECONDS": "20", "COTA_TRIAL_SECONDS": "40"}
_GOOD = {"main.py": _MAIN, "app.py": b"RELEASE = 'good'\n", "lib/mine.py": b"1\n"}
# What is wrong -> (the new main.py, how fw_error goes on after "undone ").
_BAD = {
    "does not compile": (b"def broken(:\n", "SyntaxError"),
    "imports what is not there": (b"import no_such_module\n" + _MAIN, "ImportError"),
    "raises at once": (b"raise ValueError('on a Sunday')\n", "ValueError: on a Sunday"),
    "ends": (b"print('done')\n", "main.py ended"),
    "exits": (b"import sys\nsys.exit(3)\n", "SystemExit"),
}


def begun(make_world: Callable[..., World], speed: float = _SPEED, **options: object) -> World:
    """A board that runs the good release, confirmed."""
    settings = {**_SETTINGS, **options.pop("settings", {})}  # type: ignore[dict-item]
    world = make_world(settings=settings, options=BoardOptions(speed=speed), **options)
    world.deliver(_GOOD)
    return world


def undone(world: World, files: dict[str, bytes]) -> str:
    """Assign a bad release and wait until it is undone; gives fw_error. The old tree must be back byte for byte."""
    before = world.drive()
    package = world.publish(files)
    world.assign(package)
    world.wait_for("FAILED", str(package["version"]))
    assert world.drive() == before
    assert "UPDATED" not in world.states()
    return str(world.telemetry()["fw_error"])


def fails_after(seconds: int, how: bytes) -> bytes:
    """The shipped program, with a line that its loop comes to after so many seconds."""
    work = b"_start = time.monotonic()\n\n\ndef work():\n    if time.monotonic() - _start > %d:\n        %s\n\n\ndef rest():"
    return _MAIN.replace(b"def work():", work % (seconds, how))


@pytest.mark.parametrize("kind", _BAD)
def test_a_release_whose_program_fails_is_undone_after_three_runs(make_world: Callable[..., World], kind: str) -> None:
    world = begun(make_world)
    main, reason = _BAD[kind]
    error = undone(world, {"main.py": main, "app.py": b"RELEASE = 'bad'\n" * 60, "new/part.py": b"2\n"})
    assert error.startswith("undone " + reason)
    assert world.said().count("again in") == 2
    assert "new" not in world.folders()


def test_an_undone_release_is_refused_until_it_is_published_anew(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    undone(world, {"main.py": b"1 / 0\n"})
    world.wait_polls(3)
    assert world.telemetry()["fw_state"] == "FAILED"
    world.deliver({"main.py": _MAIN, "app.py": b"RELEASE = 'better'\n"})
    assert world.drive()["app.py"] == digest(b"RELEASE = 'better'\n")


def test_cota_retry_lets_an_undone_release_try_once_more(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    undone(world, {"main.py": b"1 / 0\n"})
    times = world.said().count("ZeroDivisionError")
    world.set_retry("r-1")
    world.wait_until(lambda: world.said().count("ZeroDivisionError") > times, "it runs again")
    world.wait_until(lambda: world.states()[-1] == "FAILED" and len(world.states()) > 7, "undone again")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("lib/ota/guard.py", b"def broken(:\n"),
        ("lib/ota/net.py", b"1 / 0\n"),
        ("lib/ota/__init__.py", b""),
    ],
)
def test_a_release_that_breaks_the_updater_undoes_itself(make_world: Callable[..., World], path: str, content: bytes) -> None:
    world = begun(make_world)
    assert undone(world, {**_GOOD, path: content}).startswith("undone ")
    world.deliver({**_GOOD, "app.py": b"RELEASE = 'after'\n"})


def test_a_release_that_raises_after_contact_but_before_its_time_is_undone(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    late = fails_after(30, b"raise ValueError('late')")
    assert undone(world, {"main.py": late}) == "undone ValueError: late"


def test_updated_is_said_only_after_the_trial(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    package = world.publish({"main.py": _MAIN, "app.py": b"RELEASE = 'next'\n"})
    world.assign(package)
    world.wait_until(lambda: world.drive()["app.py"] == digest(b"RELEASE = 'next'\n"), "applied")
    seen = world.telemetry()
    assert (seen["fw_state"], seen["current_fw_version"]) == ("UPDATING", "v1")
    world.wait_for("UPDATED", str(package["version"]))


def test_an_outage_never_undoes_a_good_release(make_world: Callable[..., World]) -> None:
    world = begun(make_world, settings={"COTA_TRIAL_SECONDS": "200"})
    package = world.publish({"main.py": _MAIN, "app.py": b"RELEASE = 'next'\n"})
    world.assign(package)
    world.wait_until(lambda: world.drive()["app.py"] == digest(b"RELEASE = 'next'\n"), "applied")
    world.board.set_network(up=False)
    world.restart()  # and power-on does not count either
    world.board.set_network(up=False)
    world.wait_for_complaints(4)
    world.restart()
    world.wait_for("UPDATED", str(package["version"]))


def test_a_program_that_dies_without_wifi_is_not_undone(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    joins = b"import wifi, os\nwifi.radio.connect(os.getenv('WIFI_SSID'), os.getenv('WIFI_PASSWORD'))\n" + _MAIN
    package = world.publish({"main.py": joins})
    world.assign(package)
    world.wait_until(lambda: world.drive()["main.py"] == digest(joins), "applied")
    world.board.set_network(up=False)
    world.stop()
    world.start()
    world.board.set_network(up=False)
    world.wait_for_line("ConnectionError: No network", 5)
    world.board.set_network(up=True)
    world.wait_for("UPDATED", str(package["version"]))


def test_a_deep_sleeper_is_confirmed_when_it_goes_to_sleep_after_contact(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    sleeper = (
        b"import alarm, os, time, wifi\nimport ota\n"
        b"if not wifi.radio.connected:\n    wifi.radio.connect(os.getenv('WIFI_SSID'), os.getenv('WIFI_PASSWORD'))\n"
        b"u = ota.OverTheAirUpdate()\n"
        b"if u.is_new_firmware_available():\n    u.download_firmware_files()\n"
        b"alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(monotonic_time=time.monotonic() + 20))\n"
    )
    package = world.publish({"main.py": sleeper})
    world.assign(package)
    world.wait_for("UPDATED", str(package["version"]))


def test_a_program_that_sleeps_for_30_seconds_is_confirmed(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    world.deliver({"main.py": _MAIN.replace(b"time.sleep(PAUSE)", b"time.sleep(30)"), "app.py": b"1\n"})


def test_a_watchdog_that_bites_counts(make_world: Callable[..., World]) -> None:
    world = begun(make_world, profile="esp32-s3")
    assert undone(world, {"main.py": b"while True:\n    pass\n"}) == "undone the watchdog reset the board"


def test_a_confirmed_program_that_fails_is_started_again(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    sunday = fails_after(100, b"raise ValueError('Sunday')")
    world.deliver({"main.py": sunday})
    world.wait_for_line("ValueError: Sunday; again in 10 s")
    world.wait_for_line("ValueError: Sunday; again in 20 s")
    world.deliver(_GOOD)


def test_a_confirmed_program_that_fails_at_once_can_still_be_updated(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    # It fails only once it is confirmed: what a broken sensor or a full log does to a program.
    first = b"import os\nif 'broken' in os.listdir('/sd'):\n    raise ValueError('sensor')\n"
    fails = first + fails_after(150, b"open('/sd/broken', 'w').close()\n        raise ValueError('sensor')")
    world.stop()
    world.board.volume.write({"sd/x": b""})
    world.start()
    world.deliver({"main.py": fails})
    world.wait_for_line("ValueError: sensor; again in", 3)
    world.deliver(_GOOD)


def test_an_application_that_must_confirm_is_waited_for_and_undone_without(make_world: Callable[..., World]) -> None:
    confirms = {"main.py": _MAIN.replace(b"updating = False\n", b"updating = False\nupdater.confirm()\n", 1)}
    settings = {**_SETTINGS, "COTA_POLL_SECONDS": "100", "COTA_CONFIRM": "app"}
    world = make_world(settings=settings, options=BoardOptions(speed=100.0))
    world.deliver(confirms)
    assert undone(world, {"main.py": _MAIN}).startswith("undone no contact")


def test_code_py_of_a_release_is_run_under_the_guard(make_world: Callable[..., World]) -> None:
    world = begun(make_world)
    world.deliver({"code.py": b"print('I am code')\n" + _MAIN, "main.py": _MAIN})
    world.wait_for_line("I am code")
    assert undone(world, {"code.py": b"1 / 0\n", "main.py": _MAIN}).startswith("undone ZeroDivisionError")


def test_without_the_guard_a_program_that_ends_stays_ended(make_world: Callable[..., World]) -> None:
    world = begun(make_world, settings={"COTA_GUARD": "off"})
    world.deliver({"main.py": fails_after(100, b"raise ValueError('Sunday')")})
    world.wait_until(lambda: world.board.phase == "wait", "the board waits, as stock CircuitPython does")
