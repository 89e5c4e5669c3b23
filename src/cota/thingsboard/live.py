"""Watching boards: over ThingsBoard's WebSocket where that works, else by asking again and again.

Source: ThingsBoard's WebSocket API, `/api/ws`: `authCmd` with a JWT within 10 s, then ENTITY_DATA commands. ThingsBoard 4.3 takes no API
key there. A subscription's devices are those of its first answer, so it is made anew now and then.
"""

import json
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import httpx2

from cota.thingsboard.address import checked_url, is_loopback
from cota.thingsboard.boards import LIVE_KEYS, Board, board_of
from cota.thingsboard.errors import ThingsBoardError
from cota.thingsboard.fleet import Fleet, member_of
from cota.thingsboard.session import Json

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

# Of one subscription; ThingsBoard's own dashboards ask for 1,024, and its answer to this is one message of about a megabyte.
_PAGE_SIZE = 1000
_MAX_PAGES = 50
_MAX_MESSAGE = 64 * 1024 * 1024
_OPEN_SECONDS = 10.0
# After this the subscriptions are made anew: devices may have come and gone.
_RENEW_SECONDS = 60.0
# After a WebSocket that failed, so long it is polled before another one is tried.
_POLLING_SECONDS = 60.0
# Of a first answer, for a whole page of a large fleet.
_ANSWER_SECONDS = 30.0


class Source(Protocol):
    """What is watched: a client, or as much of one."""

    @property
    def url(self) -> str:
        """The server's address."""
        ...

    @property
    def token(self) -> str | None:
        """The access token; None with an API key."""
        ...

    @property
    def fleet(self) -> Fleet:
        """Calls on many devices at once."""
        ...


class Watch:
    """Boards that are watched.

    Args:
        client: The server.
        query: Which boards, as `boards_query` makes it.
        interval: Seconds between two looks where it has to be polled.
        tick: Seconds after which `changes` gives something, if only an empty list.

    Attributes:
        is_live: Whether changes come by themselves now.
        why_not: Why not, for people; empty while it is.
    """

    def __init__(self, client: Source, query: Json, *, interval: float = 2.0, tick: float = 1.0) -> None:
        self._client, self._query, self._interval, self._tick = client, query, interval, tick
        self._boards: dict[str, Board] = {}
        self.is_live = False
        self.why_not = ""

    @property
    def boards(self) -> list[Board]:
        """The boards as they are known now, by name."""
        return sorted(self._boards.values(), key=lambda board: board.name.lower())

    def changes(self) -> Generator[list[Board]]:
        """Give the boards that are new or have changed, first all of them; for ever.

        Raises:
            ThingsBoardError: The server refuses, or was not reached even once.
        """
        self._boards = {}
        while True:
            token = self._client.token
            if token is None:
                self.why_not = "ThingsBoard's WebSocket takes no API key"
                yield from self._poll(None)
            yield from self._listen(str(token))
            self.is_live = False
            yield from self._poll(time.monotonic() + _POLLING_SECONDS)

    def _poll(self, end: float | None) -> Iterator[list[Board]]:
        failures = 0
        while end is None or time.monotonic() < end:
            try:
                found = {member.id: board_of(member) for member in self._client.fleet.find(self._query)}
            except ThingsBoardError as error:
                # A server that restarts comes back; one that refuses goes on refusing.
                if not self._boards or error.status not in (None, 429, 502, 503, 504):
                    raise
                failures += 1
                self.why_not = error.message
                found = self._boards
            else:
                failures = 0
            yield self._take(found)
            rest = self._interval * min(2**failures, 16)
            while rest > 0:
                time.sleep(min(rest, self._tick))
                rest -= self._tick
                if rest > 0:
                    yield []

    def _take(self, found: dict[str, Board]) -> list[Board]:
        changed = [board for key, board in found.items() if self._boards.get(key) != board]
        self._boards = found
        return changed

    def _listen(self, token: str) -> Iterator[list[Board]]:
        """Give changes as the server tells them, until the connection fails; says why in `why_not`."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        address = checked_url(self._client.url)
        url = ("wss" if address.scheme == "https" else "ws") + self._client.url.removeprefix(address.scheme) + "/api/ws"
        options: dict[str, Any] = {"ssl": httpx2.create_ssl_context()} if address.scheme == "https" else {}
        if is_loopback(address.host):
            options["proxy"] = None
        try:
            with connect(url, open_timeout=_OPEN_SECONDS, max_size=_MAX_MESSAGE, **options) as socket:
                socket.send(json.dumps({"authCmd": {"cmdId": 0, "token": token}, "cmds": []}))
                while True:
                    lines = _subscribe(socket, self._query)
                    self.is_live, self.why_not = True, ""
                    yield self._take({key: board_of(member_of(line)) for key, line in lines.items()})
                    yield from self._hear(socket, lines)
        except (WebSocketException, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            self.why_not = f"the WebSocket of {self._client.url} failed: {str(error).replace(token, '***') or type(error).__name__}"

    def _hear(self, socket: "ClientConnection", lines: dict[str, Json]) -> Iterator[list[Board]]:
        end = time.monotonic() + _RENEW_SECONDS
        while time.monotonic() < end:
            try:
                message = json.loads(socket.recv(timeout=self._tick))
            except TimeoutError:
                yield []
                continue
            found = [board_of(member_of(line)) for line in _put(message, lines)]
            news = [board for board in found if self._boards.get(board.id) != board]
            self._boards.update({board.id: board for board in news})
            yield news


def _subscribe(socket: "ClientConnection", query: Json) -> dict[str, Json]:
    """Subscribe page by page, the same pages as before under the same numbers, and give the lines by the device's id."""
    lines: dict[str, Json] = {}
    for page in range(_MAX_PAGES):
        number = page + 1
        asked = {**query, "pageLink": {**query["pageLink"], "pageSize": _PAGE_SIZE, "page": page}}
        command = {"type": "ENTITY_DATA", "cmdId": number, "query": asked, "latestCmd": {"keys": LIVE_KEYS}}
        socket.send(json.dumps({"cmds": [{"type": "ENTITY_DATA_UNSUBSCRIBE", "cmdId": number}, command]}))
        data = _answer(socket, number, lines)
        lines.update({line["entityId"]["id"]: line for line in data["data"]})
        if not data["hasNext"]:
            return lines
    raise ValueError(f"more than {_MAX_PAGES * _PAGE_SIZE} devices")


def _answer(socket: "ClientConnection", number: int, lines: dict[str, Json]) -> Json:
    """Wait for the first answer to a subscription; updates of earlier ones that come before it are put where they belong."""
    end = time.monotonic() + _ANSWER_SECONDS
    while True:
        message: Json = json.loads(socket.recv(timeout=max(0.0, end - time.monotonic())))
        if message.get("errorCode"):
            raise ValueError(message.get("errorMsg") or f"error {message['errorCode']}")
        if message.get("cmdId") == number and message.get("data") is not None:
            found: Json = message["data"]
            return found
        _put(message, lines)


def _put(message: Json, lines: dict[str, Json]) -> list[Json]:
    """Put the values of an update into the lines that they belong to, and give those lines."""
    changed = []
    for part in message.get("update") or []:
        line = lines.get(part["entityId"]["id"])
        if line is not None:
            for kind, values in part["latest"].items():
                line["latest"].setdefault(kind, {}).update(values)
            changed.append(line)
    return changed
