"""The trial against what befalls a board in the field: faults, power cuts, lost networks, long outages, and a hand on the keyboard."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gateway import Gateway
from test_guard import _GOOD, _MAIN, begun, undone
from test_original import BOOT
from test_original import program as original
from world import World, digest, digests

from cota.drive.tree import device_tree, drive_files

MakeWorld = Callable[..., World]
_AWAKE = "looks for a release now and then"  # the example's first words
_FAST = 1200.0  # an hour of the board's clock is three seconds
_NEXT = {"main.py": b"print('the next release')\n" + _MAIN, "app.py": b"RELEASE = 'next'\n"}
# Goes to deep sleep at its start, once for each /sd/sleep.
_SLEEPER = b"""import alarm, os, time
if "sleep" in os.listdir("/sd"):
    os.remove("/sd/sleep")
    print("good night")
    alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(monotonic_time=time.monotonic() + 20))
"""
_GUARD_OFF = {"COTA_GUARD": "off"}


def lengthen(world: World, seconds: int) -> None:
    """From now on a trial takes so long on the board's clock."""
    world.stop()
    text = world.board.read("settings.toml").decode()
    longer = text.replace('COTA_TRIAL_SECONDS = "40"', f'COTA_TRIAL_SECONDS = "{seconds}"')
    assert longer != text
    world.board.volume.write({"settings.toml": longer.encode()})
    world.start()


def on_trial(world: World, files: dict[str, bytes]) -> dict[str, Any]:
    """Assign a release and wait until it is on the drive."""
    goal = digests(files)
    assert not goal.items() <= world.drive().items()
    package = world.publish(files)
    world.assign(package)
    world.wait_until(lambda: goal.items() <= world.drive().items(), "the release is applied")
    return package


def runs(world: World) -> int:
    """How often the program has started."""
    return sum(_AWAKE in line for line in list(world.lines))


def once_more(world: World, seen: int) -> None:
    """Wait until the program has started again."""
    world.wait_until(lambda: runs(world) > seen, "the program starts again")


def each_run_on_trial(world: World, count: int) -> Iterator[int]:
    """Wait for so many runs of _NEXT, one after the other."""
    for number in range(count):
        world.wait_for_line("the next release", number + 1)
        yield number


def hours_pass(world: World, hours: float) -> None:
    """Wait so long on the board's clock, which counts from power-on."""
    end = hours * 3600 / world.board.options.speed
    time.sleep(end)


# Faults.


@pytest.mark.parametrize("profile", ["pico-w", "esp32-s3", "pico-2-w"])  # the last one has no memory that outlasts a reset
def test_three_hard_faults_on_trial_undo_a_release(make_world: MakeWorld, profile: str) -> None:
    world = begun(make_world, profile=profile)
    lengthen(world, 3000)
    before = world.drive()
    package = on_trial(world, _NEXT)
    for _ in each_run_on_trial(world, 3):
        world.press(world.board.hard_fault)
    world.wait_for("FAILED", str(package["version"]))
    error = world.telemetry()["fw_error"]
    assert error == "undone " + ("the program reset the board" if profile == "pico-2-w" else "a hard fault")
    assert world.drive() == before


def test_a_confirmed_program_starts_again_after_a_hard_fault(make_world: MakeWorld) -> None:
    world = begun(make_world)
    seen = runs(world)
    world.press(world.board.hard_fault)
    once_more(world, seen)
    assert "safe mode after HARD_FAULT; the board starts again in 10 s" in world.said()


def test_power_cuts_resets_by_button_and_deep_sleep_never_count(make_world: MakeWorld) -> None:
    world = begun(make_world, extra={"sd/x": b""})
    lengthen(world, 300)
    package = on_trial(world, {**_NEXT, "main.py": _SLEEPER + _NEXT["main.py"]})

    def goes_to_sleep_before_contact() -> None:
        world.stop()
        world.board.volume.write({"sd/sleep": b""})
        world.start()
        world.wait_for_line("good night", world.said().count("good night") + 1)

    def press_reset() -> None:
        world.press(world.board.press_reset)

    world.wait_for_line("the next release")
    for befalls in (press_reset, world.restart, goes_to_sleep_before_contact) * 4:
        seen = world.said().count("the next release")
        befalls()
        world.wait_for_line("the next release", seen + 1)
    assert "UPDATED" not in world.states()
    world.wait_for("UPDATED", str(package["version"]))
    assert world.errors() == []


# The network.


def test_a_release_that_takes_the_wifi_away_is_undone_after_the_hours_of_the_trial(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=_FAST, settings={"COTA_UPDATE_SETTINGS": "1", "COTA_TRIAL_HOURS": "2"})
    text = world.board.read("settings.toml").decode()
    wrong = text.replace(world.board.settings["WIFI_PASSWORD"], "a-wrong-password")
    assert wrong != text
    error = undone(world, {**_GOOD, "settings.toml": wrong.encode()})
    assert error.startswith("undone no contact in 2 hours")
    world.deliver({**_NEXT, "settings.toml": text.encode()})


def test_a_program_that_asks_without_wifi_too_is_undone_after_the_hours_of_the_trial(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=_FAST, settings={"COTA_UPDATE_SETTINGS": "1", "COTA_TRIAL_HOURS": "2"})
    text = world.board.read("settings.toml").decode()
    wrong = text.replace(world.board.settings["WIFI_PASSWORD"], "a-wrong-password")
    asks = _MAIN.replace(
        b"        join_wifi()\n", b"        try:\n            join_wifi()\n        except ConnectionError:\n            pass\n"
    )
    assert asks != _MAIN
    error = undone(world, {**_GOOD, "main.py": asks, "settings.toml": wrong.encode()})
    assert error.startswith("undone no contact in 2 hours")


def test_an_outage_of_the_network_for_most_of_a_day_does_not_undo_a_good_release(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=_FAST)
    lengthen(world, 20000)
    package = on_trial(world, _NEXT)
    world.board.set_network(up=False)
    hours_pass(world, 12)
    world.board.set_network(up=True)
    world.wait_for("UPDATED", str(package["version"]))
    assert "undone" not in world.said()


def test_a_dead_server_for_most_of_a_day_does_not_undo_a_good_release(make_world: MakeWorld, gateway: Gateway) -> None:
    world = begun(make_world, speed=_FAST, cloud=gateway.address)
    lengthen(world, 20000)
    package = on_trial(world, _NEXT)
    gateway.shut()
    world.restart()
    hours_pass(world, 12)
    gateway.open()
    world.wait_for("UPDATED", str(package["version"]))
    assert "undone" not in world.said()


def test_an_outage_longer_than_the_trials_hours_undoes_once_and_the_release_gets_its_second_try(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=_FAST, settings={"COTA_TRIAL_HOURS": "2"})
    lengthen(world, 6000)
    before = world.drive()
    package = on_trial(world, _NEXT)
    world.board.set_network(up=False)
    world.restart()
    world.board.set_network(up=False)
    world.wait_until(lambda: world.drive() == before, "undone")
    world.board.set_network(up=True)
    world.wait_until(
        lambda: world.telemetry().get("fw_state") == "UPDATED" and world.drive()["app.py"] == digest(_NEXT["app.py"]), "tried again"
    )
    world.wait_for("UPDATED", str(package["version"]))


# The original's program.


def test_the_originals_own_program_outlasts_most_of_a_day_without_wifi_and_is_confirmed(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=_FAST)
    lengthen(world, 20000)
    main = original()
    package = on_trial(world, {"main.py": main})
    world.board.set_network(up=False)
    world.restart()
    world.board.set_network(up=False)
    hours_pass(world, 12)
    assert "No network" in world.said()
    world.board.set_network(up=True)
    world.wait_for("UPDATED", str(package["version"]))


def test_under_the_originals_boot_py_a_release_is_confirmed_too(make_world: MakeWorld) -> None:
    world = begun(make_world, extra={"main.py": original(), "boot.py": BOOT})
    assert world.telemetry()["fw_state"] == "UPDATED"


# A hand on the board.


def test_ctrl_c_gives_the_repl_and_ctrl_d_goes_on_under_the_guard(make_world: MakeWorld) -> None:
    world = begun(make_world)
    seen = runs(world)
    world.press(world.board.press_ctrl_c)
    world.wait_until(lambda: world.board.phase == "wait", "the board is at the REPL")
    assert "again in" not in world.said()
    world.press(world.board.press_ctrl_d)
    once_more(world, seen)
    world.deliver(_NEXT)


def test_ctrl_c_on_trial_gives_the_repl_and_does_not_count(make_world: MakeWorld) -> None:
    world = begun(make_world)
    lengthen(world, 300)
    package = on_trial(world, _NEXT)
    for _ in each_run_on_trial(world, 4):
        world.wait_until(lambda: world.said().rfind("looks for a release") > world.said().rfind("the next release"), "it is in its loop")
        world.press(world.board.press_ctrl_c)
        world.wait_until(lambda: world.board.phase == "wait", "the board is at the REPL")
        world.press(world.board.press_ctrl_d)
    world.wait_for("UPDATED", str(package["version"]))
    assert world.errors() == []


# Without the guard.


def test_without_the_guard_ctrl_c_is_stocks(make_world: MakeWorld) -> None:
    world = begun(make_world, settings=_GUARD_OFF)
    assert "g.py output:" not in world.said()
    world.press(world.board.press_ctrl_c)
    world.wait_until(lambda: world.board.phase == "wait", "the board is at the REPL")


# Programs that end, once they are confirmed.


def test_a_confirmed_program_that_ends_or_exits_is_started_again(make_world: MakeWorld) -> None:
    world = begun(make_world)
    for number, end in enumerate(("break", "raise SystemExit")):
        ends = _MAIN.replace(b"    work()\n", b"    work()\n    if time.monotonic() - began > 120:\n        " + end.encode() + b"\n")
        assert ends != _MAIN
        world.deliver({"main.py": b"import time\nbegan = time.monotonic()\n" + ends, "app.py": b"%d\n" % number})
        world.wait_for_line("SystemExit; again in" if number else "main.py ended; again in")


def test_a_release_that_brings_no_program_leaves_the_one_that_is_there(make_world: MakeWorld) -> None:
    world = begun(make_world)
    world.deliver({"data.txt": b"1\n"})
    assert world.drive()["main.py"] == digest(_MAIN)


@pytest.mark.parametrize(("profile", "as_source"), [("pico-w", False), ("pico-2-w", True)])
def test_the_device_tree_itself_as_a_release_is_confirmed(make_world: MakeWorld, profile: str, as_source: bool) -> None:
    # As `cota install` writes it, on the smallest drive; and with its comments, which no drive of 508 KiB holds three times.
    world = begun(make_world, profile=profile)
    library = {path: data for path, data in drive_files(device_tree()).items() if path.startswith("lib/ota/")}
    own = {path: (device_tree() / path).read_bytes() if as_source else data + b"# next\n" for path, data in library.items()}
    world.deliver({**_NEXT, **own})
