"""More of what a release, a program or a hand may do to a board, and the board outlasts it."""

import itertools
import time
from collections.abc import Callable

import pytest
from gateway import Gateway
from test_bricks import _LONGEST_WAIT, filled
from test_guard import _GOOD, _MAIN, begun, undone
from test_trial import _FAST, _NEXT, on_trial
from world import World, digest

MakeWorld = Callable[..., World]
_SD_BROKEN = b"import os\nif 'broken' in os.listdir('/sd'):\n    print('it fails')\n    "


def is_updated_although_it_runs(world: World, program: bytes, failures: int) -> None:
    """Put a program that fails on the drive by hand, past the trial, let it fail so often, and see the next release arrive."""
    world.stop()
    world.board.volume.write({"main.py": program})
    world.start()
    world.wait_for_line("it fails", failures)
    world.deliver(_NEXT, patience=_LONGEST_WAIT)


# Names.


@pytest.mark.parametrize("path", ["Main.py", "SAFEMODE.PY", "Lib/mine.py", "LIB/ota/ask.py", "LOGS/a.txt"])
def test_a_bad_release_that_spells_a_kept_name_in_another_case_is_undone(make_world: MakeWorld, path: str) -> None:
    world = begun(make_world, settings={"COTA_KEEP": "logs/"}, extra={"logs/a.txt": b"kept\n"})
    broken = b"1 / 0\n" if path == "Main.py" else b"# the other one\n"
    release = {path: broken} if path == "Main.py" else {"main.py": b"1 / 0\n", path: broken}
    undone(world, release)
    world.deliver(_NEXT)


def test_a_release_that_spells_a_kept_name_in_another_case_is_confirmed(make_world: MakeWorld) -> None:
    world = begun(make_world)
    world.deliver({"Main.py": _NEXT["main.py"], "Lib/mine.py": b"22\n", "app.py": b"2\n"})
    assert world.drive()["main.py"] == digest(_NEXT["main.py"])
    assert world.drive()["lib/mine.py"] == digest(b"22\n")
    world.deliver(_GOOD)


@pytest.mark.parametrize("length", [196, 197, 250])
def test_a_file_whose_path_no_plan_can_hold_stops_no_update(make_world: MakeWorld, length: int) -> None:
    world = begun(make_world)
    world.stop()
    name = "f/" + "n" * 27 + "/" + "x" * length
    world.board.volume.write({name: b"left here\n", "f/y": b"1\n"})
    world.start()
    world.deliver(_NEXT)
    assert "f/y" not in world.drive()
    world.deliver(_GOOD)


# Programs.

_CANCELLED = b"class CancelledError(BaseException):\n    pass\nprint('it fails')\nraise CancelledError\n"


def test_a_release_whose_program_ends_by_a_base_exception_is_undone(make_world: MakeWorld) -> None:
    assert undone(begun(make_world), {"main.py": _CANCELLED}).startswith("undone CancelledError")


def test_a_confirmed_program_that_ends_by_a_base_exception_is_started_again(make_world: MakeWorld) -> None:
    is_updated_although_it_runs(begun(make_world), _CANCELLED, 2)


_MUTE = b"""class Mute(Exception):
    def __str__(self):
        return self.args[7]


print('it fails')
raise Mute
"""


def test_a_confirmed_program_whose_exception_cannot_be_shown_is_started_again(make_world: MakeWorld) -> None:
    is_updated_although_it_runs(begun(make_world), _MUTE, 3)


def test_a_release_whose_exception_cannot_be_shown_is_undone(make_world: MakeWorld) -> None:
    assert undone(begun(make_world), {"main.py": _MUTE}).startswith("undone Mute")


def test_a_confirmed_program_that_reloads_itself_at_every_failure_can_be_updated(make_world: MakeWorld) -> None:
    is_updated_although_it_runs(begun(make_world), b"import supervisor, time\nprint('it fails')\ntime.sleep(5)\nsupervisor.reload()\n", 2)


def test_a_release_without_wifi_whose_program_resets_the_board_is_undone(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=_FAST, settings={"COTA_UPDATE_SETTINGS": "1", "COTA_TRIAL_HOURS": "1"})
    text = world.board.read("settings.toml").decode()
    wrong = text.replace(world.board.settings["WIFI_PASSWORD"], "a-wrong-password")
    before = world.drive()
    program = b"import time, microcontroller\ntime.sleep(200)\nmicrocontroller.reset()\n"
    on_trial(world, {"main.py": program, "settings.toml": wrong.encode()})
    world.wait_until(lambda: world.drive() == before, "undone", 90)


def test_a_sleeper_on_trial_is_not_undone_while_usb_holds_the_drive(make_world: MakeWorld) -> None:
    world = begun(make_world)
    sleeper = _MAIN.replace(
        b"def work():",
        b"def work():\n    import alarm\n    from ota.trial import contacts\n    if contacts:\n        print('good night')\n"
        b"        alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(monotonic_time=time.monotonic() + 20))\n\n\ndef rest():",
    )
    world.stop()
    package = world.publish({"main.py": sleeper})
    world.assign(package)
    hold = b"open('/cota.usb', 'w').close()\n"
    world.board.volume.write({"main.py": _MAIN.replace(b"updater.restart()", hold[:-1] + b"; updater.restart()")})
    world.start()
    world.wait_for_line("good night", 10)
    assert "undone" not in world.said() and "guard did not start" not in world.said()
    world.stop()
    world.board.volume.remove("cota.usb")
    world.start()
    world.wait_for("UPDATED", str(package["version"]))


def test_a_release_whose_program_takes_the_recovery_away_and_fails_gives_way_to_the_next_one(make_world: MakeWorld) -> None:
    world = begun(make_world)
    bad = b"import os\ntry:\n    os.remove('/cota_sys/s/a')\nexcept OSError:\n    pass\nprint('it fails')\nraise ValueError('bad')\n"
    on_trial(world, {"main.py": bad})
    world.wait_for_line("it fails", 4)
    world.deliver(_NEXT, patience=_LONGEST_WAIT)


def test_a_callback_that_raises_at_the_end_of_an_update_leaves_no_deaf_board(make_world: MakeWorld) -> None:
    raises = b"    if phase == 'done' and not raised:\n        raised.append(1)\n        raise OSError('MQTT')\n    if phase =="
    program = (
        _MAIN.replace(b"    if phase ==", raises).replace(b"PAUSE =", b"raised = []\nPAUSE =").replace(b"(ConnectionError,", b"(OSError,")
    )
    world = make_world()
    world.deliver({"main.py": program})
    world.deliver(_NEXT)


def test_a_program_that_catches_everything_does_not_keep_its_release_from_being_undone(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=100.0)
    before = world.drive()
    program = _MAIN.replace(b"except (ConnectionError, ota.OverTheAirUpdateError) as problem:", b"except BaseException as problem:")
    assert program != _MAIN
    program = program.replace(b"import ota\n", b"import ota\nimport ota.thingsboard\nota.thingsboard._SHARED = 'nothing'\n")
    on_trial(world, {"main.py": program})
    world.wait_until(lambda: world.drive() == before, "undone", 90)


def test_a_trial_without_contact_resets_nothing_while_usb_holds_the_drive(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=100.0)
    takes = b"""import os, microcontroller
if 'cota.usb' not in os.listdir('/'):
    open('/cota.usb', 'w').close()
    microcontroller.reset()
import ota.thingsboard
ota.thingsboard._SHARED = 'nothing'
"""
    on_trial(world, {"main.py": takes + _MAIN})
    world.wait_for_line("the drive is writable to USB")
    time.sleep(40)  # more than an hour of the board's
    assert world.said().count("the drive is writable to USB") == 1


def test_a_release_that_was_undone_in_part_and_is_tried_again_leaves_no_mixed_tree(make_world: MakeWorld) -> None:
    world = filled(make_world)
    world.stop()
    world.board.volume.remove("full.csv")
    world.set_retry("r-1")
    world.start()
    world.wait_for_error("undone ValueError: bad")
    assert world.drive()["lib/mine.py"] == digest(b"1\n" * 9_000)


def test_a_release_whose_start_of_the_guard_fits_no_sector_leaves_the_guard_as_it_is(make_world: MakeWorld) -> None:
    world = begun(make_world)
    start = world.board.read("lib/ota/start.py")
    longer = start.replace(b"t=q=0\n", b"t=q=0\n'" + b"x" * 495 + b"'\n")
    assert len(longer) > 512 > len(start)
    world.deliver({**_GOOD, "lib/ota/start.py": longer})
    world.restart()
    world.deliver(_NEXT)


def test_a_program_that_leaves_the_guard_no_heap_is_undone_on_trial_and_updated_after_it(make_world: MakeWorld) -> None:
    hog = b"""import sys


class Module:
    pass


sys.modules['hog'] = hog = Module()
hog.kept = []
print('it fails')
try:
    while True:
        hog.kept.append(bytearray(500))
except MemoryError:
    pass
raise ValueError('hog')
"""
    world = begun(make_world)
    undone(world, {"main.py": hog})
    is_updated_although_it_runs(world, hog, 5)


def test_the_shipped_program_prints_a_percentage_once(make_world: MakeWorld) -> None:
    world = begun(make_world)
    world.deliver({**_NEXT, "big.bin": b"b" * 30_000, "more.bin": b"m" * 20_000})
    told = [line for line in world.lines if line.startswith("update: ")]
    assert len(told) > 10
    assert all(one != other for one, other in itertools.pairwise(told))


def test_a_confirmed_program_that_fails_is_updated_also_after_a_try_that_failed(make_world: MakeWorld, gateway: Gateway) -> None:
    world = begun(make_world, git=gateway.address)
    world.stop()
    world.board.volume.write({"main.py": b"print('it fails')\nraise ValueError('Sunday')\n"})
    gateway.shut()
    package = world.publish(_NEXT)
    world.assign(package)
    world.start()
    world.wait_for_line("guard: no release: NetworkError", 2)
    gateway.open()
    world.wait_for("UPDATED", str(package["version"]), _LONGEST_WAIT)
