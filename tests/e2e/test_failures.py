"""Networks, servers and power fail in the midst of an update; the board says so, tries again, and loses nothing that it has."""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gateway import Fault, Gateway
from world import World

from cota.drive.tree import device_tree, drive_files
from cota.git.make import Moded, create_repository
from cota.lab.server import LabConfig, running_lab
from cota.sim.board import BoardOptions
from cota.thingsboard import Client, Json

_MAIN = drive_files(device_tree())["main.py"]
# The program with a second between two tries, for what must be seen within one run.
_QUICK = b"import ota.attempts\nota.attempts.FIRST_WAIT = ota.attempts.MAX_WAIT = 1\n" + _MAIN
_FEW_TRIES = b"import ota.attempts\nota.attempts.MAX_TRIES = 3\n" + _QUICK
_LATER = re.compile(r"later: ([a-z_]+) (.+), next try in (\d+) s")
_BIG = bytes(range(251)) * 400  # 100,400 bytes
_FILES = {"a.bin": b"first\n" * 900, "b.bin": _BIG, "c.bin": b"last\n" * 700, ".cotaignore": b"*.md\n"}
_OLD = {"old.py": b"1\n"}


@pytest.fixture
def world(make_world: Callable[..., World], gateway: Gateway) -> World:
    """Its board asks the Git host through the gateway, and ThingsBoard directly."""
    return make_world(git=gateway.address, extra=_OLD)


@pytest.fixture
def quick(make_world: Callable[..., World], gateway: Gateway) -> World:
    """The same with a board that tries again after a second."""
    return make_world(git=gateway.address, extra={**_OLD, "main.py": _QUICK})


def begin(world: World) -> Json:
    """Assign a release and switch the board on."""
    package = world.publish(_FILES)
    world.assign(package)
    world.start()
    return package


def wait_until_it_waits(world: World) -> None:
    """Wait until the board has read all that was sent: its program tells each step, and says nothing for a second."""
    said = -1
    while len(world.lines) != said:
        said = len(world.lines)
        time.sleep(1)


def told_later(world: World, code: str) -> tuple[str, int]:
    """Wait for a failure that will be retried; gives its sentence and the wait in seconds."""
    text = world.wait_for_error("later: ")
    found = _LATER.fullmatch(text)
    assert found, text
    assert found[1] == code, text
    return found[2], int(found[3])


def test_a_failure_that_will_be_retried_leaves_the_state_and_tells_the_wait(world: World, gateway: Gateway) -> None:
    before = world.drive()
    gateway.break_next("/commits/", Fault(after=0), times=9)
    begin(world)
    _, seconds = told_later(world, "closed")
    assert 15 <= seconds <= 30
    assert world.telemetry()["fw_state"] == "DOWNLOADING"
    assert world.attributes()["cota_last_error"] == world.errors()[-1]
    assert world.drive() == before


@pytest.mark.parametrize("part", ["/commits/", "/git/trees/", ".cotaignore", "/a.bin", "/c.bin"])
def test_a_git_host_that_resets_at_any_request_costs_one_more_try(quick: World, gateway: Gateway, part: str) -> None:
    # A connection that was in use may have been closed while idle, so the board asks once more at once: two resets make a failure.
    gateway.break_next(part, Fault(after=0), times=2)
    package = begin(quick)
    quick.wait_for("UPDATED", package["version"])
    assert quick.drive() == quick.whole(_FILES)
    assert [_LATER.fullmatch(text)[1] for text in quick.errors()] in (["closed"], ["closed", "closed"])
    assert gateway.count("/commits/") + gateway.count("/git/trees/") <= 4


@pytest.mark.parametrize("part", ["/git/trees/", "/b.bin"])
def test_a_body_that_ends_early_is_an_error_and_is_asked_for_again(quick: World, gateway: Gateway, part: str) -> None:
    gateway.break_next(part, Fault(after=150, rst=False))
    package = begin(quick)
    told_later(quick, "closed")
    quick.wait_for("UPDATED", package["version"])
    assert quick.drive() == quick.whole(_FILES)


def test_a_git_host_that_is_down_is_asked_again_after_the_next_start(world: World, gateway: Gateway) -> None:
    gateway.shut()
    package = begin(world)
    told_later(world, "connect")
    gateway.open()
    world.restart()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(_FILES)


def test_a_reset_in_mid_file_goes_on_where_it_was(quick: World, gateway: Gateway) -> None:
    gateway.break_next("/b.bin", Fault(after=60_000))
    package = begin(quick)
    quick.wait_for("UPDATED", package["version"])
    assert quick.drive() == quick.whole(_FILES)
    first, second = gateway.of("/b.bin")
    assert first.range is None
    assert second.range is not None
    start = int(second.range.removeprefix("bytes=").removesuffix("-"))
    assert 50_000 < start <= 60_000
    assert [gateway.count(part) for part in ("/commits/", "/git/trees/", "/a.bin", "/c.bin")] == [1, 1, 1, 1]


def test_a_git_host_that_ignores_ranges_costs_the_whole_file_again(quick: World, gateway: Gateway) -> None:
    gateway.break_next("/b.bin", Fault(after=60_000))
    gateway.break_next("/b.bin", Fault(ignore_range=True))
    package = begin(quick)
    quick.wait_for("UPDATED", package["version"])
    assert quick.drive() == quick.whole(_FILES)
    assert gateway.count("/b.bin") == 2


def test_a_power_cut_in_mid_download_costs_no_staged_file_and_no_api_call(world: World, gateway: Gateway) -> None:
    world.damaged = True
    hold = threading.Event()
    gateway.break_next("/b.bin", Fault(after=60_000, hold=hold))
    package = begin(world)
    world.wait_until(lambda: gateway.count("/b.bin") == 1, "b.bin is asked for")
    before = world.drive()
    world.stop()
    hold.set()
    world.start()
    world.wait_for("UPDATED", package["version"])
    assert "old.py" in before
    assert world.drive() == world.whole(_FILES)
    # .cotaignore is asked for once for its rules and once as a file of the release.
    assert [gateway.count(part) for part in ("/commits/", "/git/trees/", ".cotaignore", "/a.bin", "/c.bin")] == [1, 1, 2, 1, 1]


def test_a_power_cut_at_the_end_of_the_download_ends_in_the_new_release(world: World) -> None:
    world.damaged = True
    package = begin(world)
    for _ in range(3):
        world.wait_for_line("update: ")
        world.restart()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(_FILES)


def test_a_byte_that_is_flipped_on_the_way_is_found_and_the_file_fetched_again(quick: World, gateway: Gateway) -> None:
    gateway.break_next("/b.bin", Fault(flip=70_000))
    package = begin(quick)
    sentence, _ = told_later(quick, "hash")
    assert "b.bin" in sentence
    quick.wait_for("UPDATED", package["version"])
    assert quick.drive() == quick.whole(_FILES)
    assert [gateway.count(part) for part in ("/git/trees/", "/a.bin", "/b.bin", "/c.bin")] == [1, 1, 2, 1]


def test_a_flipped_byte_in_cotaignore_is_found(quick: World, gateway: Gateway) -> None:
    gateway.break_next(".cotaignore", Fault(flip=2))
    package = begin(quick)
    told_later(quick, "hash")
    quick.wait_for("UPDATED", package["version"])
    assert quick.drive() == quick.whole(_FILES)


def test_a_release_whose_bytes_stay_wrong_is_given_up_when_the_tries_are_spent(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(git=gateway.address, extra={**_OLD, "main.py": _FEW_TRIES})
    before = world.drive()
    gateway.break_next("/b.bin", Fault(flip=5), times=99)
    package = begin(world)
    world.wait_for("FAILED", package["version"])
    assert str(world.telemetry()["fw_error"]).startswith("hash ")
    assert gateway.count("/b.bin") == 3
    assert world.drive() == before


def test_tries_count_on_in_a_board_that_was_switched_off_between_them(make_world: Callable[..., World], gateway: Gateway) -> None:
    unhurried = _FEW_TRIES.replace(b"MAX_WAIT = 1\n", b"MAX_WAIT = 5\n")
    world = make_world(git=gateway.address, extra={**_OLD, "main.py": unhurried})
    gateway.break_next("/b.bin", Fault(flip=5), times=99)
    package = begin(world)
    for tries in (1, 2):
        world.wait_until(lambda tries=tries: len(world.errors()) == tries, f"failure {tries}")
        assert gateway.count("/b.bin") == tries
        world.restart()
    world.wait_for("FAILED", package["version"])
    assert gateway.count("/b.bin") == 3


def test_a_program_that_asks_once_and_sleeps_deeply_tries_again_when_it_wakes(make_world: Callable[..., World], gateway: Gateway) -> None:
    sleeper = (
        b"import alarm, os, time, wifi\nimport ota\n"
        b"if not wifi.radio.connected:\n    wifi.radio.connect(os.getenv('WIFI_SSID'), os.getenv('WIFI_PASSWORD'))\n"
        b"u = ota.OverTheAirUpdate()\n"
        b"try:\n    if u.is_new_firmware_available():\n        u.download_firmware_files()\n"
        b"except Exception as exc:\n    print(exc)\n"
        b"alarm.exit_and_deep_sleep_until_alarms(alarm.time.TimeAlarm(monotonic_time=time.monotonic() + 2))\n"
    )
    world = make_world(git=gateway.address, extra={**_OLD, "main.py": sleeper})
    gateway.break_next("/a.bin", Fault(status=503, headers={"Retry-After": "3600"}), times=2)
    package = begin(world)
    world.wait_for("UPDATED", package["version"])
    assert [int(_LATER.fullmatch(text)[3]) >= 3600 for text in world.errors()] == [True, True]


def test_outages_never_give_a_release_up(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(git=gateway.address, extra={**_OLD, "main.py": _FEW_TRIES})
    gateway.break_next("/commits/", Fault(after=0), times=5)
    package = begin(world)
    world.wait_for("UPDATED", package["version"])
    assert len(world.errors()) == 5


def test_a_git_host_in_trouble_is_asked_again(quick: World, gateway: Gateway) -> None:
    gateway.break_next("/git/trees/", Fault(status=502))
    gateway.break_next("/b.bin", Fault(status=503))
    package = begin(quick)
    told_later(quick, "git_status")
    quick.wait_for("UPDATED", package["version"])
    assert quick.drive() == quick.whole(_FILES)


def test_a_rate_limit_is_waited_for_as_long_as_the_host_asks(world: World, gateway: Gateway) -> None:
    gateway.break_next("/commits/", Fault(status=403, headers={"retry-after": "600", "x-ratelimit-remaining": "0"}), times=9)
    begin(world)
    _, seconds = told_later(world, "git_limit")
    assert 600 <= seconds <= 630
    assert gateway.count("/commits/") == 1


def test_a_host_that_refuses_access_is_asked_again_because_a_limit_may_look_like_that(world: World, gateway: Gateway) -> None:
    gateway.break_next("/commits/", Fault(status=403), times=9)
    begin(world)
    world.wait_for_error("later: git_denied")
    assert world.telemetry()["fw_state"] == "DOWNLOADING"


def test_a_short_wi_fi_outage_in_mid_download_is_sat_out(world: World, gateway: Gateway) -> None:
    hold = threading.Event()
    gateway.break_next("/b.bin", Fault(after=60_000, hold=hold))
    package = begin(world)
    world.wait_until(lambda: gateway.count("/b.bin") == 1, "b.bin is asked for")
    wait_until_it_waits(world)  # between two steps its program would join Wi-Fi again, and lose the connection by that
    world.board.set_network(up=False)
    hold.set()
    time.sleep(1)  # shorter than the updater's own patience with a silent connection
    world.board.set_network(up=True)
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(_FILES)
    assert world.errors() == []


def test_a_long_wi_fi_outage_in_mid_download_is_gone_on_from(quick: World, gateway: Gateway) -> None:
    hold = threading.Event()
    gateway.break_next("/b.bin", Fault(after=60_000, hold=hold))
    package = begin(quick)
    quick.wait_until(lambda: gateway.count("/b.bin") == 1, "b.bin is asked for")
    wait_until_it_waits(quick)
    quick.board.set_network(up=False)
    quick.wait_for_line("Wi-Fi is not joined")
    quick.board.set_network(up=True)
    hold.set()
    quick.wait_for("UPDATED", package["version"])
    assert quick.drive() == quick.whole(_FILES)
    assert len(gateway.of("/b.bin")) == 2
    assert gateway.of("/b.bin")[1].range is not None


# ThingsBoard.


def test_thingsboard_that_is_down_at_power_on_is_found_when_it_is_back(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(cloud=gateway.address)
    gateway.shut()
    package = begin(world)
    world.wait_for_complaints(2)
    gateway.open()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(_FILES)


def test_reports_that_fail_do_not_stop_an_update(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(cloud=gateway.address)
    gateway.break_next("/telemetry", Fault(after=0), times=6)
    package = begin(world)
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(_FILES)


def test_a_new_release_is_confirmed_when_thingsboard_is_back(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(cloud=gateway.address)
    package = begin(world)
    world.wait_for_line("update: 100 %")
    gateway.shut()
    world.wait_for_complaints(2)
    assert world.drive() == world.whole(_FILES)
    assert "UPDATED" not in world.states()
    gateway.open()
    world.wait_for("UPDATED", package["version"])


def test_a_token_that_thingsboard_does_not_know_is_told_on_the_console_and_the_board_goes_on(make_world: Callable[..., World]) -> None:
    world = make_world(settings={"THINGSBOARD_DEVICE_TOKEN": "not-this-one"})
    world.start()
    world.wait_for_line("HTTP 401", times=2)
    assert "not-this-one" not in world.said()


def test_a_lab_that_was_stopped_and_started_again_goes_on_with_the_update(tmp_path: Path) -> None:
    repositories = {"acme/seed": create_repository(tmp_path / "seed")}
    password = "a-password-of-the-test"
    config = {"db": tmp_path / "lab.db", "repositories": repositories, "password": password, "ota_pace": 0.02}
    with running_lab(LabConfig(**config)) as lab, Client(lab.url, username=lab.username, password=password) as client:
        world = World(lab, client, repositories, tmp_path / "world", "survivor")
        package = world.publish(_FILES)
        world.assign(package)
        world.wait_until(lambda: "INITIATED" in world.states(), "INITIATED")
        port = lab.port
    with running_lab(LabConfig(**config, port=port)) as lab, Client(lab.url, username=lab.username, password=password) as client:
        world.lab, world.client = lab, client
        world.start()
        try:
            world.wait_for("UPDATED", package["version"])
        finally:
            world.close()
        assert world.drive() == world.whole(_FILES)


# Given up.


def give_up(world: World, ref: str | None = None) -> Json:
    """Have a release refused."""
    commit = world.commit({"app.py": b"1\n", "link": Moded(0o120000, b"app.py")})
    package = world.package(world.url(ref or commit))
    world.assign(package)
    world.start()
    world.wait_for("FAILED", package["version"])
    return package


def test_a_release_that_was_given_up_stays_given_up_across_polls_and_restarts(world: World, gateway: Gateway) -> None:
    package = give_up(world)
    asked = len(gateway.asked)
    world.wait_polls(2)
    world.restart()
    world.wait_polls(3)
    assert len(gateway.asked) == asked
    assert world.telemetry()["fw_state"] == "FAILED"
    world.assign(None)
    world.wait_polls(1)
    world.assign(package)
    world.wait_polls(3)
    assert len(gateway.asked) == asked


def test_cota_retry_has_a_release_tried_again_once_and_is_echoed(world: World, gateway: Gateway) -> None:
    give_up(world, ref="main")
    asked = gateway.count("/commits/")
    world.set_retry("r-1")
    world.wait_until(lambda: gateway.count("/commits/") == asked + 1, "a second try")
    world.wait_until(lambda: world.attributes().get("cota_retry") == "r-1", "the echo")
    world.wait_until(lambda: world.states().count("FAILED") == 2, "FAILED again")
    world.wait_polls(3)
    assert gateway.count("/commits/") == asked + 1
    files = {"app.py": b"repaired\n"}
    world.commit(files)
    world.set_retry("r-2")
    world.wait_until(lambda: world.telemetry().get("fw_state") == "UPDATED", "UPDATED")
    assert world.drive() == world.whole(files)


def test_another_version_of_the_same_url_is_tried(world: World, gateway: Gateway) -> None:
    package = give_up(world)
    asked = gateway.count("/commits/")
    again = world.package(package["url"])
    world.assign(again)
    world.wait_for("FAILED", again["version"])
    world.wait_until(lambda: gateway.count("/commits/") == asked + 1, "a second try")


def test_the_same_version_with_another_url_is_tried(world: World) -> None:
    package = give_up(world)
    world.assign(None)
    world.client.packages.delete(package["id"]["id"])
    files = {"app.py": b"2\n"}
    world.install(world.package(world.url(world.commit(files)), version=package["version"]))
    assert world.drive() == world.whole(files)


def test_another_release_takes_the_place_of_one_that_waits_for_its_next_try(world: World, gateway: Gateway) -> None:
    gateway.break_next("/b.bin", Fault(after=0), times=99)
    begin(world)
    told_later(world, "closed")
    files = {"app.py": b"2\n"}
    world.deliver(files)
    assert world.drive() == world.whole(files)


def test_unassigning_ends_the_tries(quick: World, gateway: Gateway) -> None:
    gateway.break_next("/b.bin", Fault(after=0), times=999)
    begin(quick)
    told_later(quick, "closed")
    before = quick.drive()
    quick.assign(None)
    quick.wait_polls(4)
    asked = len(gateway.asked)
    quick.wait_polls(3)
    assert len(gateway.asked) == asked
    assert quick.drive() == before


# The drive.


def test_a_computer_that_is_attached_does_not_stop_an_update(make_world: Callable[..., World]) -> None:
    world = make_world(options=BoardOptions(usb=True))
    world.deliver(_FILES)
    assert world.drive() == world.whole(_FILES)


def test_a_drive_that_usb_holds_is_waited_for(make_world: Callable[..., World]) -> None:
    world = make_world(extra={**_OLD, "cota.usb": b""}, options=BoardOptions(usb=True))
    before = world.drive()
    package = begin(world)
    told_later(world, "read_only")
    assert world.telemetry()["fw_state"] == "INITIATED"
    world.wait_polls(3)
    assert world.drive() == before
    world.stop()
    world.board.volume.remove("cota.usb")
    world.start()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(_FILES)


def test_a_drive_that_usb_holds_is_waited_for_by_a_board_that_was_updated_before(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.deliver(_FILES)
    world.stop()
    world.board.volume.write({"cota.usb": b""})
    before = world.drive()
    files = {"app.py": b"2\n"}
    package = world.publish(files)
    world.assign(package)
    world.start()
    told_later(world, "read_only")
    assert world.drive() == before
    world.stop()
    world.board.volume.remove("cota.usb")
    world.start()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(files)
