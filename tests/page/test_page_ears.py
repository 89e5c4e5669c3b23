"""How soon the page knows: told by the lab or over ThingsBoard's WebSocket where that works, by asking where not."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from browser import until
from farm import PASSWORD, Farm, Page, serving

from cota.lab.server import Lab
from cota.page.doors import KeyDoor
from cota.page.ears import RemoteEars, Tell
from cota.page.fleet import Row
from cota.page.server import PageServer
from cota.page.watcher import Watcher
from cota.thingsboard import live
from cota.thingsboard.session import Session

NEVER = 600.0


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found by asking: what is seen was told."""
    monkeypatch.setattr("cota.page.watcher._LOOK_SECONDS", NEVER)
    monkeypatch.setattr("cota.page.watcher._LIVE_LOOK_SECONDS", NEVER)


def session(lab: Lab) -> Session:
    return Session(lab.url, username=lab.username, password=PASSWORD, api_key=None, timeout=30)


@pytest.fixture
def remote(lab: Lab) -> Iterator[tuple[PageServer, Page]]:
    """A page for the lab as if that were a ThingsBoard somewhere else, and its operator."""
    mine = session(lab)
    door = KeyDoor(mine)
    with serving(PageServer(door, "127.0.0.1", 0)) as server:
        page = Page(server.url.removesuffix("/page/"))
        page.token = page.post("login", {"key": door.key}).json()["csrf"]
        yield server, page
        page.close()
    mine.close()


def rows(event: tuple[str, dict[str, Any], str]) -> dict[str, str]:
    return {row["name"]: row["state"] for row in event[1]["rows"]}


@pytest.mark.usefixtures("seldom")
def test_a_change_and_a_new_device_of_the_lab_are_told_and_not_asked_for(farm: Farm, inside: Page) -> None:
    board, _ = farm.boards(2)
    events = (event for event in inside.events() if event[0] == "fleet")
    assert len(rows(next(events))) == 2
    board.say(fw_state="DOWNLOADING")
    assert rows(next(events)) == {"board-1": "DOWNLOADING"}
    farm.board("newcomer")
    assert "newcomer" in rows(next(events))
    events.close()


@pytest.mark.usefixtures("seldom")
def test_a_change_on_a_remote_server_comes_over_its_websocket(farm: Farm, lab: Lab, remote: tuple[PageServer, Page]) -> None:
    board, _ = farm.boards(2)
    server, page = remote
    events = (event for event in page.events() if event[0] == "fleet")
    assert len(rows(next(events))) == 2
    (watcher,) = server.hub._watchers.values()
    until(lambda: watcher._is_told, "the WebSocket tells changes")
    for state in ("DOWNLOADING", "VERIFIED"):
        board.say(fw_state=state)
        assert rows(next(events)) == {"board-1": state}
    events.close()
    until(lambda: len(lab.core.live) == 0, "nobody looks, nobody listens")


def test_a_websocket_that_breaks_is_made_up_for_by_asking_and_made_anew(
    farm: Farm, remote: tuple[PageServer, Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_RENEW_SECONDS", 0.2)
    monkeypatch.setattr("cota.page.ears._AGAIN_SECONDS", 0.2)
    whole, cut = live._subscribe, threading.Event()

    def subscribe(*values: Any) -> Any:
        if cut.is_set():
            raise OSError("cut")
        return whole(*values)

    monkeypatch.setattr(live, "_subscribe", subscribe)
    board = farm.board("board-1")
    server, page = remote
    events = (event for event in page.events() if event[0] == "fleet")
    next(events)
    (watcher,) = server.hub._watchers.values()
    until(lambda: watcher._is_told, "the WebSocket tells changes")
    cut.set()
    until(lambda: not watcher._is_told, "the break is noticed")
    board.say(fw_state="DOWNLOADING")
    assert rows(next(events)) == {"board-1": "DOWNLOADING"}
    cut.clear()
    until(lambda: watcher._is_told, "the WebSocket tells changes again")
    events.close()


@pytest.mark.parametrize("secret", [{"api_key": "tb_key"}, {"username": "nobody@x.test", "password": "wrong"}])
def test_who_cannot_use_the_websocket_does_not_listen(secret: dict[str, str], lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.page.ears._AGAIN_SECONDS", 0.05)
    one = Session(lab.url, **({"username": None, "password": None, "api_key": None} | secret), timeout=30)  # type: ignore[arg-type]
    asked: list[bool] = []

    async def course() -> None:
        ears = RemoteEars(lambda: asked.append(True) or one)  # type: ignore[func-returns-value]
        ears.listen(lambda _ids: None)
        while len(asked) < 2:  # it has tried, and asks whether there is somebody else
            await asyncio.sleep(0.01)
        assert not ears.is_live
        ears.stop(wait=True)

    asyncio.run(asyncio.wait_for(course(), 20))
    one.close()


class _Told:
    """Ears that a test speaks into."""

    is_live = False
    tell: Tell | None = None

    def listen(self, tell: Tell) -> None:
        self.is_live, self.tell = True, tell

    def stop(self, *, wait: bool = False) -> None:
        self.is_live = False


def row(number: int, state: str) -> Row:
    return {"id": str(number), "name": f"board-{number}", "state": state, "group": "updating"}


@pytest.mark.usefixtures("seldom")
def test_a_burst_is_one_question_and_a_long_one_is_asked_for_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.page.watcher._MOST_MOVING", 30)
    looks: list[list[str] | None] = []
    ears = _Told()

    async def look(ids: list[str] | None) -> list[Row]:
        looks.append(ids)
        return [row(number, "x" if ids is None else "y") for number in (range(50) if ids is None else map(int, ids))]

    async def course() -> None:
        one = Watcher(look, lambda _error: False, ears)
        one.enter()
        while not one.known:
            await one.news(5)
        assert ears.tell is not None
        for number in range(50):
            ears.tell([str(number), str(number)])
        while sum(found["state"] == "y" for found in one.rows.values()) < 50:
            await one.news(5)
        assert [len(ids or []) for ids in looks] == [0, 30, 20]
        ears.tell(None)
        while one.rows["0"]["state"] == "y":
            await one.news(5)
        assert looks[3] is None, "after a time in which nobody listened all are looked at"
        one.leave()
        assert not ears.is_live

    asyncio.run(asyncio.wait_for(course(), 20))
