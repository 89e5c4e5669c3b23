"""Operators of one lab over HTTP, each test with a lab that is empty; and the page of a server somewhere else."""

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from browser import until
from farm import NOBODY, PASSWORD, URL, Farm, Page, serving

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


@pytest.mark.usefixtures("own_lab")
def test_a_wrong_password_is_refused_and_guessing_is_slowed_for_the_guesser_alone(page: Page, lab: Lab) -> None:
    answers = [page.log_in(lab.username, "wrong") for _ in range(7)]
    assert answers[0].status_code == 403
    assert answers[0].json()["message"] == "The server does not accept this user name and password."
    assert answers[-1].status_code == 429
    assert "Too many failed logins" in answers[-1].json()["message"]
    neighbour = Page(lab.url, local_address="127.0.0.2")
    assert neighbour.log_in(lab.username).status_code == 200
    neighbour.close()


@pytest.mark.usefixtures("own_lab")
def test_logging_out_voids_the_session_here_and_at_the_server(farm: Farm, inside: Page, lab: Lab) -> None:
    ended = lambda: lab.core.store.one("SELECT count(*) AS n FROM ended_session")["n"]  # type: ignore[index]  # noqa: E731
    assert ended() == 0
    assert inside.post("logout", {}).status_code == 200
    assert inside.get("errors").status_code == 401
    until(lambda: ended() == 1, "the lab has ended the session too")


@pytest.mark.usefixtures("own_lab")
def test_whatever_asks_after_the_end_of_a_session_hears_the_same_reason(farm: Farm, inside: Page, lab: Lab) -> None:
    stream = inside.events()
    next(event for event in stream if event[0] == "fleet")
    assert inside.post("logout", {}).status_code == 200
    asked = [inside.get("packages"), inside.get("wave", title="weather", version="v1.0.0"), inside.get("stream")]
    assert [(answer.status_code, answer.json()["message"], answer.json()["ended"]) for answer in asked] == [
        (401, "You logged out.", True)
    ] * 3
    assert inside.get("session").json()["ended"] == "You logged out."
    assert list(stream)[-1][:2] == ("end", {"message": "You logged out."})
    inside.token = inside.get("session").json()["csrf"]
    assert inside.log_in(lab.username).json()["ended"] is None
    farm.client.session.post(dict, "/api/auth/changePassword", {"currentPassword": PASSWORD, "newPassword": "battery staple"})
    answer = inside.get("packages")
    assert (answer.status_code, answer.json()["message"]) == (401, "The server ended your log-in. Log in again.")
    assert inside.get("session").json()["ended"] == "The server ended your log-in. Log in again."


@pytest.mark.usefixtures("own_lab")
def test_the_stream_gives_the_whole_fleet_once_and_then_only_what_changes(
    farm: Farm, inside: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cota.page.watcher._KEEP_SECONDS", 60.0)
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


@pytest.mark.usefixtures("own_lab")
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


def fields(farm: Farm, **more: str) -> dict[str, str]:
    return {"title": "weather", "version": "v2.0.0", "profile": farm.profile, "url": URL + "v2.0.0", **more}


def send(page: Page, given: dict[str, str], data: bytes) -> httpx2.Response:
    """Upload a file as the form does."""
    return page.http.post("/page/api/packages/file", params=given, content=data, headers={"X-CSRF-Token": page.token})


def test_two_operators_who_make_the_same_package_are_told_beside_the_version(farm: Farm, inside: Page) -> None:
    assert inside.post("packages", fields(farm)).json()["url"] == URL + "v2.0.0"
    for again in (inside.post("packages", fields(farm, url=URL + "v2.0.1")), send(inside, fields(farm, file="a.bin"), b"x")):
        assert (again.status_code, list(again.json()["fields"])) == (409, ["version"])


def test_software_of_the_same_name_is_not_taken_for_the_firmware(farm: Farm, inside: Page) -> None:
    farm.client.packages.create_url("weather", "v2.0.0", URL, farm.profile, kind="SOFTWARE")
    answer = inside.post("packages", fields(farm, profile=NOBODY))
    assert (answer.status_code, "non-existent device profile" in answer.json()["message"]) == (400, True)


def test_a_file_arrives_as_it_is_and_its_package_can_be_assigned(farm: Farm, inside: Page) -> None:
    data = bytes(range(256)) * 1000
    answer = send(inside, fields(farm, file="fürm ware.bin"), data).json()
    assert (answer["hasData"], answer["dataSize"], answer["fileName"]) == (True, len(data), "fürm ware.bin")
    assert answer["checksum"] == hashlib.sha256(data).hexdigest()
    farm.client.profiles.assign(farm.profile, answer["id"])


@pytest.mark.parametrize(
    ("more", "data", "wrong"),
    [
        ({"file": "a.bin"}, b"", "file"),
        ({"file": " "}, b"x", "file"),
        ({"file": "a" * 256}, b"x", "file"),
        ({"file": "a.bin", "version": "1.10"}, b"x", "version"),
        ({"file": "a.bin", "title": ""}, b"x", "title"),
        ({"file": "a.bin", "profile": ""}, b"x", "profile"),
    ],
)
def test_a_file_that_would_be_refused_is_refused_beside_its_field(
    more: dict[str, str], data: bytes, wrong: str, farm: Farm, inside: Page
) -> None:
    answer = send(inside, fields(farm, **more), data)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [wrong])
    assert len(list(farm.client.packages.list())) == 1


def test_a_file_whose_name_the_server_refuses_leaves_no_empty_package_behind(farm: Farm, inside: Page) -> None:
    answer = send(inside, fields(farm, file="<b>.bin"), b"x")
    assert (answer.status_code, "file name is malformed" in answer.json()["message"]) == (400, True)
    assert len(list(farm.client.packages.list())) == 1


def test_a_file_over_the_pages_own_limit_is_refused_before_it_is_read(farm: Farm, inside: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.page.actions.MAX_FILE", 1000)
    length = send(inside, fields(farm, file="a.bin"), bytes(1001))
    assert (length.status_code, list(length.json()["fields"])) == (413, ["file"])
    pieces = inside.http.post(
        "/page/api/packages/file", params=fields(farm), content=iter([bytes(600)] * 2), headers={"X-CSRF-Token": inside.token}
    )
    assert pieces.status_code == 413
    assert send(inside, fields(farm, file="a.bin"), bytes(1000)).status_code == 200


def test_no_more_files_are_held_in_memory_than_the_page_has_room_for(farm: Farm, inside: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.page.actions._MOST_UPLOADS", 1)
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"first"
        begun.set()
        assert go_on.wait(20)
        yield b"last"

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            inside.http.post,
            "/page/api/packages/file",
            params=fields(farm, file="a.bin"),
            content=slowly(),
            headers={"X-CSRF-Token": inside.token},
        )
        assert begun.wait(20)
        busy = until(lambda: (found := send(inside, fields(farm, file=""), b"x")).status_code == 503 and found, "no room is left")
        assert "Try again in a minute." in busy.json()["message"]
        go_on.set()
        assert first.result(20).status_code == 200
    assert send(inside, fields(farm, file="a.bin", version="v2.0.1"), b"x").status_code == 200, "there is room again"


def test_deleting_a_package_that_is_gone_already_is_no_error(farm: Farm, inside: Page) -> None:
    package = farm.package("v2.0.0")
    for _ in range(2):
        assert inside.post(f"packages/{package}/delete", {}).status_code == 200


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
