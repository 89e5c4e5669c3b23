"""A release goes to a canary, and to everybody when it works there: every way in which that can end."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from front import Front, refusal
from operator_shell import Done, Shell
from test_cli_publish import FILES, Repo, Unique
from waiting import until

from cota.git.make import commit_tree
from cota.lab.server import Lab
from cota.publish.wave import look_at, standing
from cota.thingsboard import Client, Json, id_of
from cota.thingsboard.boards import Board, Release

MakeDevice = Callable[..., Any]
UNDONE = "undone ValueError: on a Sunday"


@pytest.fixture
def repo(tmp_path: Path, lab: Lab, repositories: dict[str, Path], unique: Unique) -> Repo:
    made = Repo(tmp_path / "checkout", lab, unique("app"))
    repositories[f"acme/{made.name}"] = made.path
    commit_tree(made.path, FILES)
    return made


def rollout(shell: Shell, repo: Repo, *more: str, version: str = "v1.0.0") -> Done:
    return shell("rollout", "--repo", repo.url, "--version", version, "--look-seconds", "0.1", "--json", *more)


@contextlib.contextmanager
def living(device: Any, state: str = "UPDATED", error: str = "") -> Iterator[None]:
    """Let a device take each release that it is told, once, and end so."""
    stop, taken = threading.Event(), set()

    def live() -> None:
        with httpx2.Client(base_url=device._url, trust_env=False, verify=False) as server:
            while not stop.wait(0.1):
                shared = server.get("/attributes", params={"sharedKeys": "fw_title,fw_version,cota_retry"}).json().get("shared", {})
                key = (shared.get("fw_title"), shared.get("fw_version"), shared.get("cota_retry"))
                if key in taken or not key[1]:
                    continue
                taken.add(key)
                names = {"current_fw_title": key[0], "current_fw_version": key[1]} if state == "UPDATED" else {}
                server.post("/telemetry", json={"fw_state": "DOWNLOADING", "fw_error": ""})
                server.post("/telemetry", json={"fw_state": state, "fw_error": error, **names})

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def own_package(tb: Client, device: Any) -> str | None:
    return (tb.devices.get(device.id).get("firmwareId") or {}).get("id")


def profile_package(tb: Client, profile: Json) -> str | None:
    return (tb.profiles.get(id_of(profile)).get("firmwareId") or {}).get("id")


def test_a_canary_that_runs_it_opens_the_way_to_the_profile_and_follows_it_again(
    cota: Shell, tb: Client, repo: Repo, profile: Json, make_device: MakeDevice
) -> None:
    canary, other = make_device(), make_device()
    with living(canary):
        done = rollout(cota, repo, "--canary", canary.name)
    assert done.code == 0, done.err
    events = [line["event"] for line in done.lines]
    assert (events[0], events[1], events[-2:]) == ("published", "assigned", ["assigned", "summary"])
    summary = done.lines[-1]
    assert (summary["done"], summary["stage"], summary["reason"]) == (True, "done", None)
    assert (summary["title"], summary["version"], summary["boards"]) == (repo.name, "v1.0.0", [])
    assert profile_package(tb, profile) == summary["package"]
    assert own_package(tb, canary) is None
    until(lambda: other.shared().get("fw_version") == "v1.0.0")
    told = tb.telemetry.history(canary.id, ["fw_state"], 0, 2**50)["fw_state"]
    assert [sample.value for sample in told].count("QUEUED") == 1  # handed back to the profile it is not told anew


def test_the_profile_gets_nothing_before_the_canary_runs_it(cota: Shell, tb: Client, repo: Repo, profile: Json, device: Any) -> None:
    done = rollout(cota, repo, "--canary", device.name, "--canary-minutes", "0.01")
    assert (done.code, profile_package(tb, profile)) == (1, None)
    summary = done.lines[-1]
    assert (summary["done"], summary["stage"]) == (False, "canary")
    assert summary["reason"].startswith("Time is up: 0 of 1 updated, 1 needed;")
    assert f"{device.name} is at INITIATED 5 %" in done.err
    assert "goes on where it was" in done.err
    with living(device):
        assert rollout(cota, repo, "--canary", device.name).code == 0
    assert profile_package(tb, profile) == summary["package"]


def test_a_canary_that_gives_it_up_stops_it_with_the_boards_reason_and_what_to_do(
    cota: Shell, tb: Client, repo: Repo, profile: Json, device: Any, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    with living(device, "FAILED", UNDONE):
        done = rollout(cota, repo, "--canary", device.name, "--report", str(report))
        again = rollout(cota, repo, "--canary", device.name)
    for one in (done, again):
        assert (one.code, one.lines[-1]["stage"]) == (1, "canary")
        assert one.lines[-1]["reason"] == f"The canary gave the release up. {device.name}: {UNDONE}"
        assert one.lines[-1]["boards"][0]["code"] == "undone"
        assert "undone: The release failed on trial" in one.err
    assert again.lines[0]["created"] is False
    assert profile_package(tb, profile) is None
    assert own_package(tb, device) == done.lines[-1]["package"]
    text = report.read_text()
    assert "was stopped" in text
    assert UNDONE in text
    assert "`undone`: The release failed on trial" in text


def test_with_retry_the_canary_tries_again_what_it_gave_up(cota: Shell, tb: Client, repo: Repo, profile: Json, device: Any) -> None:
    with living(device, "FAILED", UNDONE):
        assert rollout(cota, repo, "--canary", device.name).code == 1
    stale = rollout(cota, repo, "--canary", device.name, "--retry", "--canary-minutes", "0.01")
    assert stale.lines[-1]["reason"].startswith("Time is up")  # its old failure is no answer
    with living(device):
        done = rollout(cota, repo, "--canary", device.name, "--retry")
    assert done.code == 0, done.err
    assert str(device.shared()["cota_retry"]).startswith("r-")
    assert profile_package(tb, profile) == done.lines[-1]["package"]


def test_doing_it_again_changes_nothing(cota: Shell, front: Front, repo: Repo, device: Any) -> None:
    with living(device):
        first = rollout(cota, repo, "--canary", device.name)
    front.seen.clear()
    again = rollout(cota, repo, "--canary", device.name)
    assert (first.code, again.code) == (0, 0)
    changes = {seen for seen in front.seen if not seen.startswith("GET")}
    assert changes <= {"POST /api/auth/login", "POST /api/entitiesQuery/find"}
    assert [line["changed"] for line in again.lines if line["event"] == "assigned"] == [False]


def test_a_share_of_the_fleet_is_waited_for(cota: Shell, repo: Repo, tb: Client, profile: Json, make_device: MakeDevice) -> None:
    canary, good, off, pinned = (make_device() for _ in range(4))
    old = tb.packages.create_url(repo.name, "v0", repo.url, id_of(profile))
    tb.devices.assign(pinned.id, id_of(old))
    with living(canary), living(good):
        done = rollout(cota, repo, "--canary", canary.name, "--share", "66")
        assert done.code == 0, done.err
        fleet = [line for line in done.lines if line["event"] == "fleet"][-1]
        assert (fleet["updated"], fleet["waiting"], fleet["needed"]) == (2, 1, 2)  # the pinned one is not asked for
        late = rollout(cota, repo, "--canary", canary.name, "--share", "100", "--fleet-minutes", "0.01")
    assert (late.code, late.lines[-1]["stage"]) == (1, "fleet")
    assert f"{off.name} is at INITIATED" in late.lines[-1]["reason"]
    assert [board["device"] for board in late.lines[-1]["boards"]] == [off.name]


def test_it_ends_as_soon_as_the_share_cannot_be_reached(cota: Shell, repo: Repo, make_device: MakeDevice) -> None:
    canary, bad = make_device(), make_device()
    with living(canary), living(bad, "FAILED", "space 9,000 bytes are missing"):
        done = rollout(cota, repo, "--canary", canary.name, "--share", "60")
    assert (done.code, done.lines[-1]["stage"]) == (1, "fleet")
    assert f"1 of 2 boards gave the release up: {bad.name}: space 9,000 bytes are missing" in done.err
    assert "space: The message says how much is needed" in done.err
    assert "The profile keeps the release" in done.err


def test_what_somebody_gave_the_profile_meanwhile_is_left_so(
    cota: Shell, front: Front, repo: Repo, tb: Client, profile: Json, device: Any
) -> None:
    other = tb.packages.create_url(repo.name, "v9", repo.url, id_of(profile))

    def hook(method: str, path: str) -> None:
        if path == "/api/entitiesQuery/find":
            tb.profiles.assign(id_of(profile), id_of(other))

    front.hook = hook  # type: ignore[assignment]
    with living(device):
        done = rollout(cota, repo, "--canary", device.name)
    assert (done.code, done.lines[-1]["stage"]) == (1, "profile")
    assert f"Somebody gave the profile {profile['name']} another release" in done.err
    assert profile_package(tb, profile) == id_of(other)


def test_a_canary_that_is_given_something_else_meanwhile_ends_the_wait(
    cota: Shell, repo: Repo, tb: Client, profile: Json, device: Any
) -> None:
    other = tb.packages.create_url(repo.name, "v9", repo.url, id_of(profile))

    def assign() -> None:
        until(lambda: device.shared().get("fw_version") == "v1.0.0")
        tb.devices.assign(device.id, id_of(other))

    operator = threading.Thread(target=assign)
    operator.start()
    done = rollout(cota, repo, "--canary", device.name)
    operator.join()
    assert (done.code, done.lines[-1]["stage"]) == (1, "canary")
    assert f"Somebody gave the canary {device.name} something else" in done.err


def test_a_canary_that_is_deleted_meanwhile_ends_the_wait(cota: Shell, repo: Repo, tb: Client, device: Any) -> None:
    def delete() -> None:
        until(lambda: device.shared().get("fw_version") == "v1.0.0")
        tb.devices.delete(device.id)

    operator = threading.Thread(target=delete)
    operator.start()
    done = rollout(cota, repo, "--canary", device.name)
    operator.join()
    assert (done.code, done.lines[-1]["stage"]) == (1, "canary")
    assert f"The canary {device.name} was deleted meanwhile." in done.err


def test_a_server_that_is_away_for_a_while_is_waited_for(cota: Shell, front: Front, repo: Repo, device: Any) -> None:
    left = [refusal(503, "busy", 2), refusal(429, "too many", 33)]
    front.hook = lambda _method, path: left.pop() if left and path == "/api/entitiesQuery/find" else None
    with living(device):
        done = rollout(cota, repo, "--canary", device.name)
    assert done.code == 0, done.err
    assert not left
    assert "could not be asked, still waiting" in done.err


def test_a_server_that_forbids_ends_it_at_once(cota: Shell, front: Front, repo: Repo, device: Any, tb: Client, profile: Json) -> None:
    front.always("POST", "/api/entitiesQuery/find", refusal(403, "You don't have permission", 20))
    start = time.monotonic()
    done = rollout(cota, repo, "--canary", device.name)
    assert (done.code, profile_package(tb, profile)) == (2, None)
    assert "tenant administrator" in done.err
    assert time.monotonic() - start < 20


def test_a_release_that_a_board_would_refuse_is_not_published(cota: Shell, repo: Repo, device: Any, tb: Client, tmp_path: Path) -> None:
    commit_tree(repo.path, {**FILES, "app/broken.py": b"def f(:\n"})
    report = tmp_path / "report.md"
    done = rollout(cota, repo, "--canary", device.name, "--report", str(report))
    assert (done.code, done.json["stage"]) == (1, "check")
    assert "app/broken.py" in done.json["reason"]
    assert list(tb.packages.list(repo.name)) == []
    assert "* refused: app/broken.py" in report.read_text()


def test_a_canary_of_another_profile_or_of_none_is_refused(cota: Shell, repo: Repo, device: Any, tb: Client, unique: Unique) -> None:
    other = tb.profiles.create(unique("profile"))
    wrong = rollout(cota, repo, "--canary", device.name, "--profile", other["name"])
    assert wrong.code == 1
    assert f"not {other['name']!r}" in wrong.err
    assert rollout(cota, repo, "--canary", "nobody").code == 1
    assert list(tb.packages.list(repo.name)) == []
    assert cota("rollout", "--repo", repo.url).code == 2


def test_no_text_of_a_board_starts_a_line_of_its_own_or_is_markdown(cota: Shell, repo: Repo, device: Any, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    with living(device, "FAILED", "undone x\n::add-mask::y\n| <img src=x> [a](http://b) `c`"):
        done = rollout(cota, repo, "--canary", device.name, "--report", str(report))
    assert done.code == 1
    assert not [line for line in done.err.splitlines() if line.lstrip().startswith("::")]
    text = report.read_text()
    assert "<img" not in text
    assert "](http" not in text.replace("\\]", "")
    assert " `c`" not in text
    assert "\n::" not in text


def board(**known: Any) -> Board:
    shown: dict[str, Any] = {
        "id": "1",
        "name": "one",
        "profile": "p",
        "running": Release("app", "v1"),
        "assigned": Release("app", "v2"),
        "state": "UPDATED",
        "percent": 100,
        "error": "",
        "changed": 7,
        "active": True,
        "last_seen": None,
    }
    return Board(**{**shown, **known})


@pytest.mark.parametrize(
    ("known", "stands"),
    [
        ({"running": Release("app", "v2")}, "updated"),
        ({}, "waiting"),  # UPDATED is of the release before
        ({"state": "FAILED"}, "failed"),
        ({"state": "FAILED", "assigned": Release("app", "v1")}, "waiting"),
        ({"state": "UPDATED", "assigned": None, "running": Release("app", "v2")}, "waiting"),
        ({"state": "VERIFIED", "running": None}, "waiting"),
    ],
)
def test_only_a_state_that_belongs_to_the_release_counts(known: dict[str, Any], stands: str) -> None:
    assert standing(board(**known), Release("app", "v2")) == stands


@pytest.mark.parametrize(
    ("updated", "failed", "waiting", "percent", "verdict"),
    [
        (0, 0, 0, 100, "reached"),
        (1, 0, 0, 100, "reached"),
        (0, 1, 0, 100, "lost"),
        (1, 1, 0, 50, "reached"),
        (1, 1, 1, 50, "open"),  # of three, two are needed
        (1, 2, 0, 50, "lost"),
        (0, 5, 5, 1, "open"),
        (999, 0, 1, 100, "open"),
    ],
)
def test_enough_is_enough_and_what_cannot_be_reached_is_lost(updated: int, failed: int, waiting: int, percent: int, verdict: str) -> None:
    release = Release("app", "v2")
    boards = [board(running=release)] * updated + [board(state="FAILED")] * failed + [board(state="QUEUED")] * waiting
    assert look_at(boards, release, percent).verdict == verdict


def test_a_failure_counts_again_once_it_is_a_new_one() -> None:
    release, failed = Release("app", "v2"), board(state="FAILED")
    assert look_at([failed], release, 100, {"1": 7}).verdict == "open"
    assert look_at([failed], release, 100, {"1": 6}).verdict == "lost"
