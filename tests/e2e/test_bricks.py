"""What a hostile release, network or hand may do: it leaves no board that no release reaches any more, and undoes no good release."""

import contextlib
import hashlib
import os
import socket
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest
from gateway import Gateway
from test_guard import _GOOD, _MAIN, _SPEED, begun, fails_after, undone
from test_original import BOOT
from test_original import program as original
from test_review import _FILL
from test_trial import _FAST, _NEXT, hours_pass, lengthen, on_trial
from world import World, digest

from cota.drive.tree import device_tree
from cota.sim.board import BoardOptions

MakeWorld = Callable[..., World]
_LONGEST_WAIT = 45 + 2 * 600 / _SPEED  # seconds: the guard looks for a release after a wait of up to 600 of the board's


def refused(world: World, files: dict[str, bytes], code: str) -> None:
    """Assign a release that must be refused before it is fetched, and see that the next one comes."""
    before = world.drive()
    package = world.publish(files)
    world.assign(package)
    world.wait_for("FAILED", str(package["version"]))
    assert str(world.telemetry()["fw_error"]).startswith(code + " ")
    assert world.drive() == before
    world.deliver(_NEXT)


# Names.


@pytest.mark.parametrize(
    "path", ["json/table.json", "JSON/table.json", "json.py", "lib/binascii/x.txt", "binascii.mpy", "OTA/x.txt", "ota.mpy"]
)
def test_a_release_that_would_hide_a_module_of_the_recovery_is_refused(make_world: MakeWorld, path: str) -> None:
    refused(begun(make_world), {**_GOOD, path: b"{}\n"}, "shadow")


@pytest.mark.parametrize("path", ["cota.usb", "Cota.USB", "cota.usb/x.txt"])
def test_a_release_that_carries_the_mark_of_usb_does_not_give_the_drive_away(make_world: MakeWorld, path: str) -> None:
    world = begun(make_world)
    world.deliver({**_NEXT, path: b"\n"})
    assert not any(name.lower().startswith("cota.usb") for name in world.drive())
    world.deliver(_GOOD)


# The guard's own modules.


@pytest.mark.parametrize(
    "module", ["boot", "safemode", "lib/ota/start", "lib/ota/guard", "lib/ota/verdict", "lib/ota/ask", "lib/ota/redo", "lib/ota/drive"]
)
def test_a_release_with_a_syntax_error_in_what_guards_it_is_undone(make_world: MakeWorld, module: str) -> None:
    world = begun(make_world)
    path = module + ".py"
    good = world.board.read(path)
    broken = good[:-9] + b"\ndef f(:\n" if module != "lib/ota/start" else good.replace(b"time.sleep(10)", b"time.sleep(1")
    if module == "boot":
        broken = good.replace(b"#512 bytes.#\n", b"(          \n")
    assert len(broken) <= len(good)
    undone(world, {**_GOOD, path: broken})
    world.deliver(_NEXT)


@pytest.mark.parametrize("module", ["guard", "verdict", "ask", "redo"])
def test_a_release_that_empties_what_guards_it_is_undone(make_world: MakeWorld, module: str) -> None:
    world = begun(make_world)
    undone(world, {**_GOOD, f"lib/ota/{module}.py": b""})
    world.deliver(_NEXT)


def test_a_board_whose_guard_is_gone_starts_its_failing_program_again(make_world: MakeWorld) -> None:
    world = begun(make_world)
    world.stop()
    world.board.volume.write({"lib/ota/guard.py": b"", "main.py": b"print('main runs')\nraise ValueError('Sunday')\n"})
    world.start()
    world.wait_for_line("main runs", 3)


# A program that keeps failing.


def test_a_release_that_fails_without_a_backup_gives_way_to_the_next_one(make_world: MakeWorld) -> None:
    world = begun(make_world, settings={"COTA_BACKUP": "optional", "COTA_KEEP": "logs/"})
    world.deliver({**_GOOD, "big.bin": b"a" * 60_000})
    world.restart()
    world.wait_polls(3)
    free = int(world.attributes()["free_bytes"])
    world.stop()
    world.board.volume.write({"logs/fill": bytes(free - 40_000)})  # room for the new big.bin, not for a copy of the old one
    world.start()
    package = world.publish({"main.py": b"raise ValueError('bad')\n", "big.bin": b"b" * 60_000})
    world.assign(package)
    world.wait_for_line("ValueError: bad; again in", 2)
    world.wait_for("FAILED", str(package["version"]))
    assert str(world.telemetry()["fw_error"]) == "undone ValueError: bad"
    world.deliver(_NEXT)


@pytest.mark.parametrize("profile", ["pico-w", "pico-2-w"])
@pytest.mark.parametrize("how", [b"raise ValueError('sensor')", b"import microcontroller; microcontroller.reset()"])
def test_a_confirmed_program_that_no_longer_starts_can_be_updated(make_world: MakeWorld, profile: str, how: bytes) -> None:
    world = begun(make_world, profile=profile)
    first = b"import os\nif 'broken' in os.listdir('/sd'):\n    print('it fails')\n    " + how + b"\n"
    fails = first + fails_after(150, b"open('/sd/broken', 'w').close()\n        " + how)
    world.stop()
    world.board.volume.write({"sd/x": b""})
    world.start()
    world.deliver({"main.py": fails})
    world.wait_for_line("it fails", 2)
    world.deliver(_GOOD)


# Undoing.


def test_a_release_is_undone_although_its_program_made_a_folder_where_a_file_was(make_world: MakeWorld) -> None:
    world = make_world(settings={"COTA_POLL_SECONDS": "20", "COTA_TRIAL_SECONDS": "40"}, options=BoardOptions(speed=_SPEED))
    world.deliver({**_GOOD, "log": b"a file\n", "zdata/a.txt": b"1\n"})
    bad = b"""import os
try:
    os.mkdir('/log')
    os.mkdir('/log/deep')
    open('/log/deep/x', 'w').close()
    open('/zdata', 'w').close()
except OSError:
    pass
raise ValueError('bad')
"""
    undone(world, {"main.py": bad})
    world.deliver(_NEXT)


def filled(make_world: MakeWorld, more: dict[str, bytes] | None = None) -> World:
    """A board on which a bad release has filled the drive, so that it cannot be undone: the files of the old one need clusters."""
    world = begun(make_world)
    world.deliver({**_GOOD, "app.py": b"RELEASE = 'good'\n" + b"#" * 20_000, "lib/mine.py": b"1\n" * 9_000})
    bad = (b"LEFT = 0\n" + _FILL).replace(b"/logs/data.csv", b"/full.csv") + b"fill()\nraise ValueError('bad')\n"
    package = world.publish({"main.py": bad, "app.py": b"1\n", "lib/mine.py": b"2\n", **(more or {})})
    world.assign(package)
    world.wait_for("FAILED", str(package["version"]))
    assert "not undone yet: ValueError: bad" in world.errors()
    return world


def test_a_release_that_fills_the_drive_gives_way_to_the_next_one(make_world: MakeWorld) -> None:
    world = filled(make_world)
    release = {**_NEXT, "app.py": b"RELEASE = 'next'\n" + b"#" * 15_000, "lib/mine.py": b"3\n" * 7_000}
    world.deliver(release, patience=_LONGEST_WAIT)
    assert world.drive() == world.whole(release)
    world.deliver(_GOOD)
    world.check_volume()


def test_a_release_that_fills_the_drive_and_breaks_the_updater_gives_way_to_the_next_one(make_world: MakeWorld) -> None:
    client = (device_tree() / "lib/ota/client.py").read_bytes()
    broken = client.replace(b'"""The updater', b'1/0\n"""The up', 1)
    assert len(broken) == len(client) - 1
    world = filled(make_world, {"lib/ota/client.py": broken})
    world.deliver(_NEXT, patience=_LONGEST_WAIT)


def test_a_release_that_fills_the_drive_is_undone_when_there_is_room_again(make_world: MakeWorld) -> None:
    world = filled(make_world)
    world.stop()
    world.board.volume.remove("full.csv")
    world.start()
    world.wait_for_error("undone ValueError: bad")
    assert world.drive()["lib/mine.py"] == digest(b"1\n" * 9_000)


@pytest.mark.parametrize("text", ["x" + "\u00fc" * 60, "\U0001f600" * 40, "\\n\\n" * 40, "\\x00" * 90])
def test_a_release_is_undone_whatever_its_exception_says(make_world: MakeWorld, text: str) -> None:
    assert undone(begun(make_world), {"main.py": f"raise ValueError('{text}')\n".encode()}).startswith("undone ValueError: ")


def test_a_release_that_opens_a_file_that_is_not_there_is_undone_before_wifi_is_joined(make_world: MakeWorld) -> None:
    assert undone(begun(make_world), {"main.py": b"open('/not/there')\n" + _MAIN}).startswith("undone OSError")


def test_trial_hours_of_zero_are_no_reason_to_undo_a_release(make_world: MakeWorld) -> None:
    world = begun(make_world, settings={"COTA_TRIAL_HOURS": "0"})
    world.deliver(_NEXT)
    assert "undone" not in world.said()


def test_a_board_that_was_on_for_days_before_a_release_gives_it_its_hours(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=_FAST, settings={"COTA_TRIAL_HOURS": "2"}, extra={"main.py": original(), "boot.py": BOOT})
    lengthen(world, 600)
    hours_pass(world, 3)
    package = world.publish(_NEXT)
    world.assign(package)
    world.wait_for("UPDATED", str(package["version"]))
    assert "undone" not in world.said()


def test_a_release_without_wifi_is_undone_on_a_board_that_is_switched_off_every_hour(make_world: MakeWorld) -> None:
    world = begun(make_world, speed=_FAST, settings={"COTA_UPDATE_SETTINGS": "1", "COTA_TRIAL_HOURS": "3"})
    text = world.board.read("settings.toml").decode()
    wrong = text.replace(world.board.settings["WIFI_PASSWORD"], "a-wrong-password")
    before = world.drive()
    on_trial(world, {**_GOOD, "settings.toml": wrong.encode()})
    for _ in range(8):
        world.restart()
        hours_pass(world, 1.4)
    world.stop()
    assert world.drive() == before


# A program that hangs on trial, on a board whose watchdog is too short.

_HANGS = {**_GOOD, "main.py": b"import time\nprint('it hangs')\nwhile True:\n    time.sleep(1)\n", "app.py": b"RELEASE = 'hangs'\n"}


def switched(world: World) -> None:
    """Switch the power off and on, and wait for the program that hangs."""
    seen = world.said().count("it hangs")
    world.restart()
    world.wait_for_line("it hangs", seen + 1)


def rescued(world: World, package: dict[str, Any]) -> None:
    """Switch the power until the guard has heard from the server, whose answer a busy machine may delay by more than its ten seconds."""
    hangs = digest(_HANGS["app.py"])
    for _ in range(5):
        seen = world.said().count("it hangs")
        world.restart()
        world.wait_until(lambda seen=seen: world.said().count("it hangs") > seen or world.drive()["app.py"] != hangs, "it has asked")
        if world.drive()["app.py"] != hangs:
            break
    world.wait_for("UPDATED", str(package["version"]))


def test_a_release_that_hangs_is_undone_by_the_power_switch_once_another_one_is_assigned(make_world: MakeWorld) -> None:
    world = begun(make_world)
    on_trial(world, _HANGS)
    for _ in range(4):
        switched(world)
    assert world.drive()["app.py"] == digest(_HANGS["app.py"])
    package = world.publish(_NEXT)
    world.assign(package)
    rescued(world, package)
    assert "ValueError" not in world.said()


def test_a_release_that_hangs_is_undone_by_the_reset_button_once_it_is_no_longer_assigned(make_world: MakeWorld) -> None:
    world = begun(make_world)
    before = world.drive()
    on_trial(world, _HANGS)
    world.wait_for_line("it hangs")
    world.assign(None)
    world.press(world.board.press_reset)
    world.wait_until(lambda: world.drive() == before, "undone")
    world.deliver(_NEXT)


def test_no_answer_is_no_reason_to_undo_a_release_that_hangs(make_world: MakeWorld, gateway: Gateway) -> None:
    world = begun(make_world, cloud=gateway.address)
    on_trial(world, _HANGS)
    package = world.publish(_NEXT)
    world.assign(package)
    gateway.shut()
    for _ in range(4):
        switched(world)
    assert world.drive()["app.py"] == digest(_HANGS["app.py"])
    gateway.open()
    rescued(world, package)


def test_the_first_failure_of_a_release_is_the_guards_first(make_world: MakeWorld) -> None:
    world = begun(make_world)
    for number in range(1, 4):
        undone(world, {"main.py": b"1 / 0\n", "app.py": b"%d\n" % number})
        assert world.said().count("again in 10 s") == world.said().count("again in 20 s") == number
        assert world.said().count("again in") == 2 * number


@pytest.mark.parametrize(
    "line", ['COTA_GUARD = "on', 'COTA_WATCHDOG = "8', 'COTA_TRIAL_HOURS = "24', 'COTA_USB_PIN = "GP1', 'COTA_POLL_SECONDS = "1']
)
def test_a_release_whose_settings_cannot_be_read_and_whose_program_fails_is_undone(make_world: MakeWorld, line: str) -> None:
    world = begun(make_world, settings={"COTA_UPDATE_SETTINGS": "1"})
    text = world.board.read("settings.toml")
    undone(world, {"main.py": b"1 / 0\n", "settings.toml": line.encode() + b"\n" + text})
    world.deliver({**_NEXT, "settings.toml": text})


def test_a_sleeper_that_asks_only_now_and_then_is_not_undone(make_world: MakeWorld) -> None:
    world = begun(make_world)
    sleeper = (
        b"import alarm, os, time, wifi\n"
        b"print('awake')\n"
        b"wifi.radio.connect(os.getenv('WIFI_SSID'), os.getenv('WIFI_PASSWORD'))\n"
        b"turns = alarm.sleep_memory[0] = (alarm.sleep_memory[0] + 1) % 6\n"
        b"if not turns:\n"
        b"    import ota\n"
        b"    u = ota.OverTheAirUpdate()\n"
        b"    if u.is_new_firmware_available():\n        u.download_firmware_files()\n"
        b"alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(monotonic_time=time.monotonic() + 20))\n"
    )
    package = world.publish({"main.py": sleeper})
    world.assign(package)
    world.wait_for("UPDATED", str(package["version"]))


@pytest.mark.parametrize("mark", ["\x01" * 400, "\U0001f600" * 400, '"' * 400])
def test_no_length_of_cota_retry_stops_an_update(make_world: MakeWorld, mark: str) -> None:
    world = begun(make_world)
    undone(world, {"main.py": b"1 / 0\n"})
    times = world.said().count("ZeroDivisionError")
    world.set_retry(mark)
    world.wait_until(lambda: world.said().count("ZeroDivisionError") >= times + 3, "it is tried once more")
    world.wait_until(lambda: world.attributes().get("cota_retry") == mark, "the echo")
    world.deliver(_NEXT)
    world.deliver(_GOOD)


def test_the_guard_is_there_after_a_power_cut_too(make_world: MakeWorld) -> None:
    world = begun(make_world)
    world.restart()
    world.deliver({"main.py": fails_after(100, b"raise ValueError('Sunday')")})
    world.restart()
    world.wait_for_line("ValueError: Sunday; again in 10 s")
    world.wait_for_line("ValueError: Sunday; again in 20 s")


# Resets that are nobody's fault, and the journal; these need no board.


def recovery(monkeypatch: pytest.MonkeyPatch, safe_mode: str | None, memory: bytearray) -> dict[str, Any]:
    """The recovery's names on a board that has just started by a software reset, after safemode.py where there was a safe mode."""
    alarm = types.SimpleNamespace(sleep_memory=memory, wake_alarm=None)
    kinds = types.SimpleNamespace(SOFTWARE=1, WATCHDOG=2, POWER_ON=3, RESET_PIN=4)
    controller = types.SimpleNamespace(cpu=types.SimpleNamespace(reset_reason=1), ResetReason=kinds, reset=lambda: None)
    runtime = types.SimpleNamespace(safe_mode_reason=f"supervisor.SafeModeReason.{safe_mode}")
    supervisor = types.SimpleNamespace(runtime=runtime, set_next_code_file=lambda *_, **__: None)
    for name, module in (("alarm", alarm), ("microcontroller", controller), ("supervisor", supervisor)):
        monkeypatch.setitem(sys.modules, name, module)
    if safe_mode:
        with monkeypatch.context() as at_once:
            at_once.setattr("time.sleep", lambda _: None)
            exec((device_tree() / "safemode.py").read_text(), {})
    names: dict[str, Any] = {}
    exec((device_tree() / "lib/ota/redo.py").read_text(), names)
    return names


@pytest.mark.parametrize(("safe_mode", "counted", "asks"), [("BROWNOUT", 0, 0), ("HARD_FAULT", 1, 0), ("NO_HEAP", 0, 1), (None, 0, 1)])
def test_a_brown_out_that_ends_in_safe_mode_never_counts(
    monkeypatch: pytest.MonkeyPatch, safe_mode: str | None, counted: int, asks: int
) -> None:
    journal: dict[str, Any] = {"p": "T", "a": 0, "b": 1, "v": 0, "M": 1, "w": "", "u": 0}
    names = recovery(monkeypatch, safe_mode, bytearray(64))
    names["save"] = lambda journal: None
    names["_start_trial"](journal)
    assert (journal["a"], journal["v"], journal["b"]) == (counted, asks, 1)


def test_a_journal_that_does_not_fit_its_sector_ends_no_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    names = recovery(monkeypatch, None, bytearray(64))
    names["_STATE"] = f"{tmp_path}/"
    (tmp_path / "j").write_bytes(bytes(23 * 512))
    names["save"]({"q": 1, "p": "T", "w": "why", "e": "x" * 600})
    assert (tmp_path / "j").stat().st_size == 23 * 512


# The guard's own question, over real sockets.

_JSON = b'{"shared":{"fw_title":"app","fw_version":"v{}1","fw_url":"http://host/a/b"}}'
_KEY = hashlib.sha1(b"app\0v{}1\0http://host/a/b\0\0").hexdigest()
_NOTHING = hashlib.sha1(b"\0\0\0\0").hexdigest()
_OK = b"HTTP/1.1 200 \r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (_OK + b"\r\n" + _JSON, _KEY),
        (_OK + b'Report-To: {"group":"x"}\r\n\r\n' + _JSON, _KEY),
        (_OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(_JSON) + _JSON + b"\r\n0\r\n\r\n", _KEY),
        (_OK + b"\r\n{}", _NOTHING),
        (_OK + b'\r\n{"shared":{}}', _NOTHING),
        (_OK.replace(b"200", b"401") + b"\r\n{}", None),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>{}</p>", None),
        (_OK + b"\r\n" + _JSON[:-9], ValueError),
        (b"", None),
    ],
)
@pytest.mark.parametrize("stays_open", [False, True])
def test_the_guard_reads_what_is_assigned_and_takes_nothing_else_for_an_answer(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, key: Any, stays_open: bool
) -> None:
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            asked = b""
            while not asked.endswith(b"\r\n\r\n"):
                asked += connection.recv(512)
            connection.sendall(answer)
            if stays_open:
                over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        settings = {"THINGSBOARD_URL": f"http://127.0.0.1:{listener.getsockname()[1]}", "THINGSBOARD_DEVICE_TOKEN": "t"}
        monkeypatch.setattr(os, "getenv", settings.get)
        monkeypatch.setitem(sys.modules, "wifi", types.SimpleNamespace(radio=types.SimpleNamespace(connected=True)))
        monkeypatch.setitem(sys.modules, "socketpool", types.SimpleNamespace(SocketPool=lambda radio: socket))
        names: dict[str, Any] = {}
        exec((device_tree() / "lib/ota/ask.py").read_text(), names)
        names["_SECONDS"] = 0.3
        try:
            with pytest.raises(key) if isinstance(key, type) else contextlib.nullcontext():
                assert names["answered"]() == key
        finally:
            over.set()
            server.join()
