"""Giving releases, taking them away, trying again, deleting."""

from collections.abc import Callable
from typing import Any

import pytest
from front import Front, refusal
from operator_shell import Shell
from waiting import until

from cota.thingsboard import Client, Json, id_of

URL = "https://github.com/acme/app/tree/0123456789012345678901234567890123456789"
Unique = Callable[[str], str]
MakeDevice = Callable[..., Any]


@pytest.fixture
def title(tb: Client, profile: Json, unique: Unique) -> str:
    """A title with the packages v1 and v2 for this test's profile."""
    name = unique("app")
    for version in ("v1", "v2"):
        tb.packages.create_url(name, version, URL, id_of(profile))
    return name


def test_a_release_is_assigned_to_a_profile_and_again_does_nothing(cota: Shell, title: str, profile: Json, device: Any) -> None:
    done = cota("assign", title, "v1", "--profile", profile["name"], "--json")
    assert done.code == 0, done.err
    assert done.json["assigned"] == [{"profile": profile["name"], "changed": True, "devices": 1, "own": 0}]
    until(lambda: device.shared().get("fw_version") == "v1")
    again = cota("assign", title, "v1", "--profile", profile["name"])
    assert (again.code, again.out) == (0, "")
    assert f"profile {profile['name']} has {title} v1 already." in again.err


def test_a_devices_own_release_wins_and_is_counted(cota: Shell, title: str, profile: Json, make_device: MakeDevice) -> None:
    one, two = make_device(), make_device()
    assert cota("assign", title, "v2", "--device", two.name).code == 0
    done = cota("assign", title, "v1", "--profile", profile["name"])
    assert "That is for 1 device; 1 more device of it keep their own package." in done.err
    until(lambda: (one.shared().get("fw_version"), two.shared().get("fw_version")) == ("v1", "v2"))
    assert cota("unassign", "--device", two.name).code == 0
    until(lambda: two.shared().get("fw_version") == "v1")
    assert "had no release of its own" in cota("unassign", "--device", two.name).err


def test_a_release_is_taken_away_from_a_profile(cota: Shell, title: str, profile: Json, device: Any) -> None:
    cota("assign", title, "v1", "--profile", profile["name"])
    until(lambda: device.shared().get("fw_version") == "v1")
    done = cota("unassign", "--profile", profile["name"], "--json")
    assert done.json["assigned"][0]["changed"] is True
    until(lambda: device.shared() == {})


@pytest.mark.parametrize("command", [("assign", "a", "b"), ("unassign",)])
def test_nobody_is_not_everybody(cota: Shell, command: tuple[str, ...]) -> None:
    done = cota(*command)
    assert (done.code, done.out) == (2, "")
    assert "--profile" in done.err


def test_a_release_that_does_not_exist_is_a_no_with_those_that_do(cota: Shell, title: str, profile: Json) -> None:
    done = cota("assign", title, "v3", "--profile", profile["name"])
    assert done.code == 1
    assert "v1, v2" in done.err
    assert cota("assign", "nothing", "v1", "--profile", profile["name"]).code == 1


def test_a_release_of_another_profile_is_refused_with_both(
    cota: Shell, title: str, profile: Json, tb: Client, unique: Unique, make_device: MakeDevice
) -> None:
    other = tb.profiles.create(unique("profile"))
    stranger = make_device(of=other)
    for whom in (("--profile", other["name"]), ("--device", stranger.name)):
        done = cota("assign", title, "v1", *whom)
        assert done.code == 1
        assert profile["name"] in done.err
        assert other["name"] in done.err
    done = cota("assign", title, "v1", "--device", stranger.name, "--profile", profile["name"])
    assert done.code == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_device_that_is_deleted_meanwhile_is_told(
    front: Front, cota: Shell, title: str, make_device: MakeDevice, tb: Client, method: str
) -> None:
    gone, stays = make_device(), make_device()
    front.once(method, f"/api/device/{gone.id}" if method == "GET" else "/api/device", lambda: tb.devices.delete(gone.id))
    done = cota("assign", title, "v1", "--device", gone.name, "--device", stays.name, "--json")
    assert done.code == 1
    assert [one["problem"] for one in done.json["assigned"]] == ["it was deleted meanwhile", None]


def test_another_operators_change_of_a_device_survives(front: Front, cota: Shell, title: str, device: Any, tb: Client) -> None:
    def other_operator() -> None:
        (now,) = [info for info in tb.devices.infos(text=device.name) if info["name"] == device.name]
        whole = tb.devices.get(id_of(now))
        tb.devices._session.post(dict, "/api/device", {**whole, "label": "changed by another"})

    front.once("POST", "/api/device", other_operator)
    assert cota("assign", title, "v1", "--device", device.name).code == 0
    now = tb.devices.get(device.id)
    assert (now["label"], now["firmwareId"] is not None) == ("changed by another", True)


def test_a_device_that_never_stays_still_is_told_and_the_next_gets_its_own(
    front: Front, cota: Shell, title: str, make_device: MakeDevice
) -> None:
    front.always("POST", "/api/device", refusal(409, "Device was changed by other user or process", 35))
    done = cota("assign", title, "v1", "--device", make_device().name, "--device", make_device().name, "--json")
    assert done.code == 1
    assert all("Somebody else changed it" in one["problem"] for one in done.json["assigned"])


def fail(device: Any, cota: Shell) -> None:
    until(lambda: cota("status", "--device", device.name, "--json").json["state"] == "INITIATED")
    device.tell(fw_state="FAILED", fw_error="space the release does not fit on the drive")


def test_every_failed_board_is_told_to_try_again(cota: Shell, title: str, profile: Json, make_device: MakeDevice) -> None:
    failed, fine = make_device(), make_device()
    cota("assign", title, "v1", "--profile", profile["name"])
    fail(failed, cota)
    done = cota("retry", "--failed", "--profile", profile["name"], "--json")
    assert done.code == 0, done.err
    (said,) = done.lines
    assert (said["device"], said["problem"]) == (failed.name, None)
    assert failed.shared()["cota_retry"] == said["retry"]
    assert said["retry"].startswith("r-")
    assert "cota_retry" not in fine.shared()
    assert cota("retry", fine.name).code == 0
    first = fine.shared()["cota_retry"]
    cota("retry", fine.name)
    assert fine.shared()["cota_retry"] != first


def test_with_nothing_failed_nothing_is_done_and_that_is_fine(cota: Shell, profile: Json, device: Any) -> None:
    done = cota("retry", "--failed", "--profile", profile["name"], "--json")
    assert (done.code, done.out) == (0, "")
    assert "No device has failed" in done.err


def test_a_failed_board_without_a_release_has_nothing_to_try(cota: Shell, title: str, profile: Json, device: Any) -> None:
    cota("assign", title, "v1", "--profile", profile["name"])
    fail(device, cota)
    cota("unassign", "--profile", profile["name"])
    until(lambda: device.shared() == {})
    assert "No device has failed" in cota("retry", "--failed", "--profile", profile["name"]).err


def test_retry_wants_devices_or_failed_and_not_both(cota: Shell, device: Any) -> None:
    for arguments in ([], ["--failed", device.name], ["--profile", "x", device.name]):
        assert cota("retry", *arguments).code == 2
    assert cota("retry", "nobody").code == 1
    assert cota("retry", "--failed", "--profile", "nobody").code == 1


def test_a_board_that_is_deleted_meanwhile_is_told_and_the_next_is_told_to_try(
    front: Front, cota: Shell, make_device: MakeDevice, tb: Client
) -> None:
    gone, stays = make_device(), make_device()
    front.once("POST", f"/api/plugins/telemetry/DEVICE/{gone.id}/SHARED_SCOPE", lambda: tb.devices.delete(gone.id))
    done = cota("retry", gone.name, stays.name, "--json")
    assert done.code == 1
    assert [line["problem"] for line in done.lines] == ["it was deleted meanwhile", None]
    assert "cota_retry" in stays.shared()


def test_a_package_that_nobody_uses_is_deleted(cota: Shell, title: str, tb: Client) -> None:
    done = cota("delete", title, "v1", "--yes", "--json")
    assert (done.code, done.json["deleted"]) == (0, True)
    assert tb.packages.find(title, "v1") is None
    assert cota("delete", title, "v1", "--yes").code == 1


def test_deleting_is_confirmed_by_a_person_or_by_yes(cota: Shell, title: str, tb: Client) -> None:
    assert cota("delete", title, "v1").code == 2
    done = cota("delete", title, "v1", stdin="n\n", terminal=True)
    assert done.code == 130
    assert tb.packages.find(title, "v1") is not None
    done = cota("delete", title, "v1", stdin="y\n", terminal=True)
    assert done.code == 0
    assert tb.packages.find(title, "v1") is None


def test_a_package_in_use_is_not_deleted_and_its_users_are_named(cota: Shell, title: str, profile: Json, device: Any) -> None:
    cota("assign", title, "v1", "--profile", profile["name"])
    cota("assign", title, "v2", "--device", device.name)
    done = cota("delete", title, "v1", "--yes", "--json")
    assert (done.code, done.out) == (1, "")
    assert f"profile {profile['name']}" in done.err
    done = cota("delete", title, "v2", "--yes")
    assert "1 device" in done.err
    assert "cota unassign" in done.err


def test_a_package_that_somebody_else_deletes_at_the_same_time_is_deleted(front: Front, cota: Shell, title: str, tb: Client) -> None:
    package = tb.packages.find(title, "v1")
    assert package is not None
    front.once("DELETE", f"/api/otaPackage/{id_of(package)}", lambda: tb.packages.delete(id_of(package)))
    done = cota("delete", title, "v1", "--yes")
    assert done.code == 0
    assert "at the same time" in done.err


@pytest.mark.parametrize(
    ("arguments", "method", "path"),
    [
        (("assign", "{title}", "v1", "--profile", "{profile}"), "POST", "/api/deviceProfile"),
        (("assign", "{title}", "v1", "--device", "{device}"), "POST", "/api/device"),
        (("retry", "{device}"), "POST", "/api/plugins/telemetry"),
        (("delete", "{title}", "v1", "--yes"), "DELETE", "/api/otaPackage"),
    ],
)
@pytest.mark.parametrize(("status", "says"), [(403, "tenant administrator"), (500, "server's log")])
def test_a_server_that_refuses_the_change_says_why(
    front: Front,
    cota: Shell,
    title: str,
    profile: Json,
    device: Any,
    arguments: tuple[str, ...],
    method: str,
    path: str,
    status: int,
    says: str,
) -> None:
    front.always(method, path, refusal(status, "no", 20))
    done = cota(*(word.format(title=title, profile=profile["name"], device=device.name) for word in arguments))
    assert (done.code, done.out) == (2, "")
    assert f"answered {status}" in done.err
    assert says in done.err
