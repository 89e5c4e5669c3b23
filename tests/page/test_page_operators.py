"""Operators of one lab over HTTP, each test with a lab of its own; and the page of a server somewhere else."""

import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
from browser import until
from farm import NOBODY, PASSWORD, Farm, Page, serving

from cota.errors import CotaError
from cota.lab.server import Lab
from cota.page.doors import KeyDoor, PasswordDoor
from cota.page.server import PageServer
from cota.thingsboard.session import Session


def test_a_log_in_gets_a_cookie_that_nobody_knew_before(page: Page, lab: Lab) -> None:
    name = f"cota_page_{lab.port}"
    before, token = page.http.cookies[name], page.token
    assert page.log_in(lab.username).json()["user"] == lab.username
    assert page.http.cookies[name] != before
    assert page.token != token
    planted = Page(lab.url)
    planted.http.cookies.set(name, before)
    assert planted.get("errors").status_code == 401
    planted.close()


def test_a_wrong_password_is_refused_and_guessing_is_slowed_for_the_guesser_alone(page: Page, lab: Lab) -> None:
    answers = [page.log_in(lab.username, "wrong") for _ in range(7)]
    assert answers[0].status_code == 403
    assert answers[0].json()["message"] == "The server does not accept this user name and password."
    assert answers[-1].status_code == 429
    assert "Too many failed logins" in answers[-1].json()["message"]
    neighbour = Page(lab.url, local_address="127.0.0.2")
    assert neighbour.log_in(lab.username).status_code == 200
    neighbour.close()


def test_logging_out_voids_the_session_here_and_at_the_server(farm: Farm, inside: Page, lab: Lab) -> None:
    ended = lambda: lab.core.store.one("SELECT count(*) AS n FROM ended_session")["n"]  # type: ignore[index]  # noqa: E731
    assert ended() == 0
    assert inside.post("logout", {}).status_code == 200
    assert inside.get("errors").status_code == 401
    until(lambda: ended() == 1, "the lab has ended the session too")


def test_the_stream_gives_the_whole_fleet_once_and_then_only_what_changes(farm: Farm, inside: Page) -> None:
    boards = farm.boards(3)
    events = inside.events()
    name, whole, number = next(event for event in events if event[0] == "fleet")
    assert (name, whole["whole"], len(whole["rows"]), whole["last"]) == ("fleet", True, 3, True)
    boards[1].say(fw_state="DOWNLOADING")
    name, change, later = next(events)
    assert (name, change["whole"], [row["name"] for row in change["rows"]]) == ("fleet", False, ["board-2"])
    events.close()  # type: ignore[attr-defined]
    boards[2].say(fw_state="FAILED")
    resumed = next(event for event in inside.events(later) if event[0] == "fleet")
    assert (resumed[1]["whole"], [row["name"] for row in resumed[1]["rows"]]) == (False, ["board-3"])
    missed = next(event for event in inside.events(number) if event[0] == "fleet")
    assert [row["name"] for row in missed[1]["rows"]] == ["board-2", "board-3"]
    for unknown in ("another-7", "x", "-1", f"{number}9999"):
        assert next(event for event in inside.events(unknown) if event[0] == "fleet")[1]["whole"] is True


def test_a_line_break_in_a_devices_text_cannot_forge_an_event(farm: Farm, inside: Page) -> None:
    farm.board("board-1").say(fw_error="x\n\nevent: end\ndata: {}\n\n\r\r\u2028")
    events = inside.events()
    row = next(event for event in events if event[0] == "fleet")[1]["rows"][0]
    assert row["error"].startswith("x\n\nevent: end")
    events.close()  # type: ignore[attr-defined]


def test_a_stream_ends_with_its_session_and_says_why(inside: Page) -> None:
    events = inside.events()
    next(event for event in events if event[0] == "fleet")
    threading.Timer(0.2, lambda: inside.post("logout", {})).start()
    assert list(events)[-1][:2] == ("end", {"message": "You logged out."})


def test_a_lab_stops_at_once_although_streams_are_open(farm: Farm, inside: Page, lab: Lab) -> None:
    events = inside.events()
    next(event for event in events if event[0] == "fleet")
    began = time.monotonic()
    lab.stop()
    with pytest.raises(httpx2.HTTPError):
        list(events)
        inside.http.get("/page/")
    assert time.monotonic() - began < 20


def test_the_page_is_not_counted_among_the_boards_requests(inside: Page, lab: Lab) -> None:
    before = lab.counters()
    inside.get("packages")
    inside.http.get("/page/")
    assert lab.counters() == before


def test_two_operators_who_mean_one_profile_are_told(farm: Farm, inside: Page) -> None:
    first, second = farm.package("v1"), farm.package("v2")
    before = farm.client.profiles.get(farm.profile)["firmwareId"]["id"]
    seen = {"profile": farm.profile, "seen": before}
    assert inside.post("assign-profile", {**seen, "package": first}).status_code == 200
    answer = inside.post("assign-profile", {**seen, "package": second})
    assert (answer.status_code, "Somebody else" in answer.json()["message"]) == (409, True)
    assert farm.client.profiles.get(farm.profile)["firmwareId"]["id"] == first


def test_an_assignment_tells_apart_what_was_done_refused_and_changed(farm: Farm, inside: Page) -> None:
    boards = farm.boards(3)
    package = farm.package("v1")
    foreign = farm.board("foreign", profile=farm.client.profiles.create("other")["id"]["id"])
    farm.client.devices.assign(boards[2].id, farm.package("v2"))
    unseen = [{"id": one, "assigned": 0} for one in (boards[2].id, foreign.id, NOBODY)]
    targets = [{"id": boards[0].id, "assigned": farm.seen(boards[0])}, *unseen]
    answer = inside.post("assign", {"devices": targets, "package": package}).json()
    assert answer == {
        "done": [boards[0].id],
        "changed": [boards[2].id],
        "failed": {foreign.id: "Can't assign firmware with different deviceProfile!", NOBODY: "The device was deleted meanwhile."},
    }


def test_an_own_package_can_be_taken_away_again(farm: Farm, inside: Page) -> None:
    board, package = farm.board("board-1"), farm.package("v1")
    for wanted in (package, None):
        inside.post("assign", {"devices": [{"id": board.id, "assigned": farm.seen(board)}], "package": wanted})
        assert farm.assigned(board) == wanted


# A page of its own, for a server somewhere else.


@pytest.fixture
def keyed(lab: Lab) -> Iterator[tuple[PageServer, KeyDoor]]:
    session = Session(lab.url, username=lab.username, password=PASSWORD, api_key=None, timeout=30)
    door = KeyDoor(session)
    with serving(PageServer(door, "127.0.0.1", 0)) as server:
        yield server, door
    assert session.get(dict, "/api/auth/user"), "the session is the caller's and still open"
    session.close()


def base(server: PageServer) -> str:
    return server.url.removesuffix("/page/")


def test_a_key_opens_the_page_and_nothing_else_does(keyed: tuple[PageServer, KeyDoor], farm: Farm, lab: Lab) -> None:
    server, door = keyed
    farm.board("board-1")
    page = Page(base(server))
    for given in ({"key": "x"}, {}, {"key": door.key[:-1]}, {"username": lab.username, "password": PASSWORD}):
        assert page.post("login", given).status_code == 403
    answer = page.post("login", {"key": door.key})
    assert answer.json()["user"] == lab.username
    rows = next(event for event in page.events() if event[0] == "fleet")[1]["rows"]
    assert [row["name"] for row in rows] == ["board-1"]
    page.token = answer.json()["csrf"]
    assert page.post("logout", {}).status_code == 200
    assert page.post("login", {"key": door.key}).status_code == 403, "the old token is void with the session"
    page.close()


def test_the_two_pages_of_one_host_do_not_share_their_cookies(keyed: tuple[PageServer, KeyDoor], page: Page) -> None:
    other = httpx2.get(f"{base(keyed[0])}/page/api/session").headers["set-cookie"].split("=")[0]
    assert other not in page.http.cookies


def test_operators_of_a_remote_server_log_in_with_their_own_names(lab: Lab, farm: Farm) -> None:
    with serving(PageServer(PasswordDoor(lab.url), "127.0.0.1", 0)) as server:
        page = Page(base(server))
        assert page.get("session").json()["server"] == lab.url
        assert page.log_in(lab.username, "wrong").status_code == 403
        assert page.log_in(lab.username).json()["user"] == lab.username
        assert page.get("packages").status_code == 200
        page.close()


def test_a_server_that_is_not_there_is_named_at_the_log_in() -> None:
    with serving(PageServer(PasswordDoor("http://127.0.0.1:9"), "127.0.0.1", 0)) as server:
        page = Page(base(server))
        answer = page.log_in("a@b.test")
        assert answer.status_code == 502
        assert "http://127.0.0.1:9 cannot be reached" in answer.json()["message"]
        page.close()


def test_a_taken_port_is_told_with_what_to_do(lab: Lab) -> None:
    with pytest.raises(CotaError, match=r"is taken\nChoose another one with --port"):
        PageServer(PasswordDoor(lab.url), "127.0.0.1", lab.port)
