"""Looking at the fleet: devices, packages, status, history."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.fleet import fill
from front import Front, front_of, refusal
from operator_shell import PASSWORD, Shell
from waiting import until

from cota.explain import error_codes, explain
from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client, Json, id_of

FLEET = 5000
Unique = Callable[[str], str]
MakeDevice = Callable[..., Any]
URL = "https://github.com/acme/app/tree/0123456789012345678901234567890123456789"


def publish(tb: Client, profile: Json, title: str, version: str = "v1") -> str:
    package = id_of(tb.packages.create_url(title, version, URL, id_of(profile)))
    tb.profiles.assign(id_of(profile), package)
    return package


def state_of(shell: Shell, device: Any) -> Json:
    found: Json = shell("status", "--device", device.name, "--json").json
    return found


def test_devices_are_listed_with_what_is_assigned_and_through_what(
    cota: Shell, tb: Client, profile: Json, make_device: MakeDevice, unique: Unique
) -> None:
    one, two = make_device(), make_device()
    title = unique("app")
    publish(tb, profile, title)
    own = tb.packages.create_url(title, "v2", URL, id_of(profile))
    tb.devices.assign(two.id, id_of(own))
    lines = {line["device"]: line for line in cota("devices", "--profile", profile["name"], "--json").lines}
    assert list(lines) == sorted([one.name, two.name])
    assert (lines[one.name]["assigned"], lines[one.name]["through"]) == ({"title": title, "version": "v1"}, "profile")
    assert (lines[two.name]["assigned"], lines[two.name]["through"]) == ({"title": title, "version": "v2"}, "device")
    table = cota("devices", "--profile", profile["name"]).out.splitlines()
    assert table[0].split() == ["DEVICE", "PROFILE", "ASSIGNED", "THROUGH", "ACTIVE"]
    assert table[1].split() == [one.name, profile["name"], title, "v1", "profile", "no"]


def test_packages_are_listed_with_who_has_them(cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique) -> None:
    title = unique("app")
    publish(tb, profile, title)
    own = tb.packages.create_url(title, "v2", URL, id_of(profile))
    tb.devices.assign(device.id, id_of(own))
    tb.packages.create_url(title + "-other", "v1", URL, id_of(profile))
    first, second = cota("packages", "--title", title, "--json").lines
    assert (first["version"], first["assigned_to_profile"], first["assigned_to_devices"]) == ("v1", profile["name"], 0)
    assert (second["version"], second["assigned_to_profile"], second["assigned_to_devices"]) == ("v2", None, 1)
    assert first["url"] == URL
    assert first["profile"] == profile["name"]
    assert len(cota("packages", "--profile", profile["name"], "--json").lines) == 3
    assert URL in cota("packages", "--title", title).out


def test_status_follows_a_board_through_an_update(cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique) -> None:
    assert state_of(cota, device)["state"] == "NONE"
    title = unique("app")
    publish(tb, profile, title)
    until(lambda: state_of(cota, device)["state"] == "INITIATED")
    device.tell(fw_state="DOWNLOADING")
    now = state_of(cota, device)
    assert (now["state"], now["percent"], now["active"]) == ("DOWNLOADING", 10, True)
    assert now["assigned"] == {"title": title, "version": "v1"}
    assert now["last_seen"] is not None
    device.tell(fw_state="UPDATED", fw_error="", current_fw_title=title, current_fw_version="v1")
    now = state_of(cota, device)
    assert (now["state"], now["percent"], now["error"], now["running"]) == ("UPDATED", 100, None, now["assigned"])


def test_status_explains_why_a_board_failed_and_what_to_do(
    cota: Shell, tb: Client, profile: Json, make_device: MakeDevice, unique: Unique
) -> None:
    failed, waits = make_device(), make_device()
    title = unique("app")
    publish(tb, profile, title)
    until(lambda: state_of(cota, failed)["state"] == state_of(cota, waits)["state"] == "INITIATED")
    failed.tell(fw_state="FAILED", fw_error="symlink a FAT drive has no symbolic links: assets/logo.bmp")
    waits.tell(fw_error="later: git_limit the Git host's rate limit is used up, next try in 1800 s")
    found = state_of(cota, failed)
    assert (found["code"], found["state"], found["percent"]) == ("symlink", "FAILED", 100)
    assert found["advice"] == explain("symlink x").advice  # type: ignore[union-attr]
    assert state_of(cota, waits)["code"] == "git_limit"
    done = cota("status", "--profile", profile["name"])
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[1].split() == [title, "v1", "INITIATED", "1"]
    assert lines[2].split() == [title, "v1", "FAILED", "1"]
    assert lines.index(next(line for line in lines if line.startswith(failed.name))) == 5
    assert "assets/logo.bmp" in done.out
    assert f"symlink: {found['advice']}" in lines
    assert any(line.startswith("git_limit: GitHub allows 60") for line in lines)


def test_the_error_of_the_release_before_is_not_shown_with_the_next(
    cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique
) -> None:
    title = unique("app")
    publish(tb, profile, title)
    until(lambda: state_of(cota, device)["state"] == "INITIATED")
    device.tell(fw_state="FAILED", fw_error="space the release does not fit on the drive")
    publish(tb, profile, title, "v2")
    until(lambda: state_of(cota, device)["state"] == "INITIATED")
    assert state_of(cota, device)["error"] is None


def test_after_a_package_is_taken_away_no_state_is_left(cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique) -> None:
    publish(tb, profile, unique("app"))
    until(lambda: state_of(cota, device)["state"] == "INITIATED")
    tb.profiles.assign(id_of(profile), None)
    found = until(lambda: state_of(cota, device)["state"] == "NONE" and state_of(cota, device))
    assert found["assigned"] is None


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_every_code_of_the_boards_is_explained(code: str) -> None:
    later, sentence = error_codes()[code]
    text = f"later: {code} {sentence}, next try in 15 s" if later else f"{code} {sentence}"
    found = explain(text)
    assert found is not None
    assert (found.code, found.later) == (code, later)
    assert found.text.startswith(sentence)
    assert found.advice


def test_an_undone_release_is_explained_and_a_strangers_error_is_not() -> None:
    found = explain("undone NameError: name 'x' isn't defined")
    assert found is not None
    assert found.text == "NameError: name 'x' isn't defined"
    assert "went back" in found.advice
    full = explain("not undone yet: OSError: [Errno 28] no room")
    assert full is not None
    assert (full.code, full.text) == ("not undone yet", "OSError: [Errno 28] no room")
    assert "no room" in full.advice
    for text in ("", "   ", "E1234", "something else happened", "undoneness x", "not undone yetis x"):
        assert explain(text) is None


def test_history_tells_states_and_errors_in_order(cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique) -> None:
    assert "no history" in cota("history", device.name).err
    title = unique("app")
    publish(tb, profile, title)
    until(lambda: state_of(cota, device)["state"] == "INITIATED")
    for state in ("DOWNLOADING", "DOWNLOADED"):
        device.tell(fw_state=state)
        time.sleep(0.003)
    device.tell(fw_state="FAILED", fw_error="space the release does not fit on the drive: 900 KB")
    lines = cota("history", device.name, "--json").lines
    assert [line["state"] for line in lines] == ["QUEUED", "INITIATED", "DOWNLOADING", "DOWNLOADED", "FAILED"]
    assert lines[0]["target"] == f"{title} v1"
    assert lines[-1]["code"] == "space"
    assert [line["state"] for line in cota("history", device.name, "--limit", "2", "--json").lines] == ["DOWNLOADED", "FAILED"]
    assert len(cota("history", device.name, "--since", "1h", "--json").lines) == 5
    shown = cota("history", device.name).out
    assert "900 KB" in shown
    assert "\nspace: " in shown, "what to do about it"


@pytest.mark.parametrize("span", ["7", "d", "-1d", "7 d", "1y"])
def test_a_span_that_is_none_is_wrong_use(cota: Shell, span: str) -> None:
    done = cota("history", "x", "--since", span)
    assert done.code == 2
    assert "12h" in done.err


@pytest.mark.parametrize("command", [("history", "nobody"), ("status", "--device", "nobody"), ("status", "--profile", "nobody")])
def test_a_name_that_nobody_has_is_a_no(cota: Shell, command: tuple[str, ...]) -> None:
    done = cota(*command)
    assert (done.code, done.out) == (1, "")
    assert "'nobody'" in done.err


@pytest.mark.parametrize("command", ["devices", "packages", "status", "history"])
def test_a_server_that_refuses_is_told_in_one_message(front: Front, cota: Shell, command: str) -> None:
    for status, code, says in (
        (403, 20, "tenant administrator"),
        (401, 10, "Check the user name and password"),
        (429, 33, "wait a minute"),
        (500, 2, "server's log"),
        (503, 2, "still be starting"),
    ):
        answer = refusal(status, "no", code)
        front.hook = lambda _method, path, answer=answer: None if "/auth/" in path else answer  # type: ignore[misc]
        done = cota(command, *(["x"] if command == "history" else []), "--json")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"cota: {front.url} answered {status}")
        assert says in done.err


def test_a_device_that_is_deleted_meanwhile_is_told_and_leaves_the_others(
    front: Front, cota: Shell, tb: Client, make_device: MakeDevice
) -> None:
    one, two = make_device(), make_device()
    front.once("POST", "/api/entitiesQuery/find", lambda: tb.devices.delete(one.id))
    done = cota("status", "--device", one.name, "--device", two.name, "--json")
    assert (done.code, [line["device"] for line in done.lines]) == (1, [two.name])
    assert f"Deleted meanwhile: {one.name}." in done.err


def test_names_and_errors_of_a_board_cannot_move_the_cursor(cota: Shell, tb: Client, profile: Json, make_device: MakeDevice) -> None:
    bad = make_device(name="evil\x1b[2J\u202ename")
    publish(tb, profile, bad.id)
    until(lambda: state_of(cota, bad)["state"] == "INITIATED")
    bad.tell(fw_state="FAILED", fw_error="internal \x1b]0;owned\x07[red]x")
    for terminal in (False, True):
        for command in (("status", "--profile", profile["name"]), ("devices", "--profile", profile["name"]), ("history", bad.name)):
            out = cota(*command, terminal=terminal).out
            assert "\x1b[2J" not in out
            assert "\u202e" not in out
            assert "\x1b]0" not in out
            assert "\x07" not in out
    cota.set(COLUMNS="300")
    assert "[red]x" in cota("status", "--profile", profile["name"], terminal=True).out
    assert "evil\\x1b" in cota("status", "--profile", profile["name"]).out


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with five thousand boards."""
    path: Path = tmp_path_factory.mktemp("fleet") / "lab.db"
    fill(path, FLEET)
    with running_lab(LabConfig(db=path, password=PASSWORD)) as running:
        yield running


def test_five_thousand_boards_are_a_handful_of_requests(fleet: Lab, cota: Shell) -> None:
    with front_of(fleet.url) as front:
        cota.set(COTA_URL=front.url)
        done = cota("status", "--json")
        assert len(done.lines) == FLEET
        assert len({line["device"] for line in done.lines}) == FLEET
        assert len(front.seen) <= 6
        front.seen.clear()
        done = cota("status")
        counts = {line.split()[2]: int(line.split()[3]) for line in done.out.splitlines()[1:4]}
        assert counts == {"DOWNLOADING": 1000, "UPDATED": 3000, "FAILED": 1000}
        assert "and 1,980 more devices" in done.err
        front.seen.clear()
        assert len(cota("devices", "--json").lines) == FLEET
        assert len(front.seen) <= 8
        assert len(cota("status", "--profile", "kind-1", "--json").lines) == len(range(1, FLEET, 3))


def test_the_look_at_five_thousand_boards_takes_seconds(fleet: Lab, cota: Shell) -> None:
    cota.set(COTA_URL=fleet.url)
    start = time.perf_counter()
    cota("status")
    # A second or two on an idle machine; the bound is wide because the tests share theirs.
    assert time.perf_counter() - start < 15


def test_an_empty_list_says_what_brings_the_first_line(cota: Shell, profile: Json) -> None:
    name = profile["name"]
    assert (
        cota("devices", "--profile", name).err
        == f"There is no device of the profile {name!r} yet; `cota sim` or `cota install` brings one.\n"
    )
    assert cota("status", "--profile", name).err == f"No device has the profile {name!r} yet; `cota sim` or `cota install` brings one.\n"
    assert cota("packages", "--profile", name).err == "There is no such package yet; `cota publish` makes one.\n"
    for command in ("devices", "status", "packages"):
        assert (cota(command, "--profile", name).out, cota(command, "--profile", name, "--json").out) == ("", "")


def test_a_command_that_is_mistyped_is_guessed(cota: Shell) -> None:
    done = cota("statsu")
    assert (done.code, done.out) == (2, "")
    assert "No such command 'statsu'" in done.err
    assert "Did you mean 'status'?" in done.err
    assert "Did you mean" not in cota("frobnicate").err
