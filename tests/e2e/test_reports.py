"""What ThingsBoard is told of a board, and how little an idle board asks and writes."""

import hashlib
from collections.abc import Callable

from gateway import Fault, Gateway
from world import World

from cota.git.make import Moded
from cota.thingsboard import id_of

_FILES = {"app/a.py": b"A = 1\n", "b.bin": bytes(range(256)) * 40}
_COURSE = ["QUEUED", "INITIATED", "DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "UPDATED"]


def test_a_good_update_shows_every_state_once_and_in_order(world: World) -> None:
    # The server keeps one value of a key a millisecond, so its states and the board's must lie further apart than that: the lab tells one
    # device after the other, and there is one before ours; and the board has something to verify.
    package = world.publish({**_FILES, "large.bin": bytes(100_000)})
    other = id_of(world.client.devices.create(f"before-{world.name}", profile_id=world.profile_id))
    world.client.devices.assign(other, id_of(package))
    world.install(package)
    assert world.states() == _COURSE


def test_updated_comes_with_the_new_title_and_version_and_an_empty_error(world: World) -> None:
    world.deliver({"old.py": b"1\n"})
    package = world.publish(_FILES)
    world.install(package)
    found = world.client.telemetry.latest(world.device_id, ["fw_state", "current_fw_title", "current_fw_version", "fw_error"])
    assert {key: sample.value for key, sample in found.items()} == {
        "fw_state": "UPDATED",
        "current_fw_title": world.name,
        "current_fw_version": package["version"],
        "fw_error": "",
    }
    assert len({sample.time for sample in found.values()}) == 1


def test_the_old_version_is_shown_until_the_new_one_runs(world: World) -> None:
    old = world.publish({"old.py": b"1\n"})
    world.install(old)
    failing = world.publish({"link": Moded(0o120000, b"x")})
    world.assign(failing)
    world.wait_for("FAILED", failing["version"])
    seen = world.telemetry()
    assert (seen["current_fw_title"], seen["current_fw_version"]) == (world.name, old["version"])
    assert world.attributes()["fw_version"] == old["version"]


def test_client_attributes_tell_what_an_operator_needs(world: World) -> None:
    commit = world.commit(_FILES)
    package = world.package(world.url("main"))
    world.install(package)
    seen = world.attributes()
    expected = {
        "fw_title": world.name,
        "fw_version": package["version"],
        "fw_url": package["url"],
        "cota_commit": commit,
        "cota_version": "0.1.0",
        "cota_trial": "confirmed",
        "board_id": "raspberry_pi_pico_w",
    }
    assert {key: seen.get(key) for key in expected} == expected
    assert 0 < seen["free_bytes"] < 508 * 1024
    assert 0 < seen["free_heap"] < 187 * 1024
    assert "micropython" in seen or "circuitpython" in seen


def test_settings_that_cannot_be_used_are_told(make_world: Callable[..., World]) -> None:
    world = make_world(settings={"COTA_UPDATE_SETTINGS": "maybe"})
    world.start()
    world.wait_until(lambda: "cota_settings" in world.attributes(), "cota_settings")
    assert world.attributes()["cota_settings"] == 'COTA_UPDATE_SETTINGS must be "1" or "0"'


def test_a_version_that_looks_like_a_number_is_installed_once(world: World) -> None:
    package = world.publish(_FILES, version="1.10")
    world.assign(package)
    world.start()
    world.wait_until(lambda: world.telemetry().get("fw_state") == "UPDATED", "UPDATED")
    before = world.requests()["git-api"]
    world.wait_polls(3)
    assert world.requests()["git-api"] == before
    assert world.states().count("UPDATED") == 1


def test_a_board_that_starts_with_its_release_assigned_says_so(world: World) -> None:
    package = world.publish(_FILES)
    world.install(package)
    world.assign(None)
    world.wait_polls(2)
    world.stop()
    world.assign(package)
    world.start()
    world.wait_for("UPDATED", package["version"])


def test_an_idle_board_makes_one_small_request_a_poll_and_writes_nothing(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(cloud=gateway.address)
    world.deliver(_FILES)
    world.wait_until(lambda: gateway.asked[-1].method == "GET" and gateway.asked[-2].method == "GET", "the board is idle")
    image = world.board.volume.path
    before, start, git = hashlib.sha256(image.read_bytes()).digest(), len(gateway.asked), world.requests()["git-api"]
    sent = world.lab.counters()["thingsboard"]["bytes_out"]
    world.wait_polls(3)
    polls = gateway.asked[start:]
    assert {(asked.method, asked.target.partition("?")[0]) for asked in polls} == {("GET", f"/api/v1/{world.token}/attributes")}
    assert world.lab.counters()["thingsboard"]["bytes_out"] - sent <= 400 * len(polls)
    assert world.requests()["git-api"] == git
    assert hashlib.sha256(image.read_bytes()).digest() == before


def test_a_board_without_a_release_is_idle_too(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(cloud=gateway.address)
    world.start()
    world.wait_until(lambda: gateway.count("sharedKeys") >= 2, "two polls")
    before, start = hashlib.sha256(world.board.volume.path.read_bytes()).digest(), len(gateway.asked)
    world.wait_polls(2)
    assert all(asked.method == "GET" for asked in gateway.asked[start:])
    assert hashlib.sha256(world.board.volume.path.read_bytes()).digest() == before


def test_a_board_that_could_not_tell_what_failed_tells_it_later(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(cloud=gateway.address)
    package = world.publish({"link": Moded(0o120000, b"x")})
    world.assign(package)
    gateway.break_next("/telemetry", Fault(after=0), times=4)
    world.start()
    world.wait_for("FAILED", package["version"])
    assert str(world.telemetry()["fw_error"]).startswith("symlink ")


def test_a_report_that_a_captive_portal_takes_with_a_200_is_sent_again(make_world: Callable[..., World], gateway: Gateway) -> None:
    world = make_world(cloud=gateway.address)
    portal = Fault(status=200, headers={"content-type": "text/html"}, body=b"<html>Please accept our terms.</html>")
    package = world.publish(_FILES)
    world.assign(package)
    gateway.break_next("/telemetry", portal, times=6)  # UPDATED is among them
    world.start()
    world.wait_for("UPDATED", package["version"])
    assert gateway.count("/telemetry") > 6
