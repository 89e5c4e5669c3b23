"""The live stream: server-sent events with the whole fleet first, in portions, and then only what changes."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cota.page.hub import Hub
from cota.page.sessions import Operator
from cota.page.watcher import Watcher
from cota.page.web import PageError, operator_of

_PORTION = 500  # rows in one event: the browser draws between two of them
_TURN_SECONDS = 0.5  # how soon a stream notices that its session or the server ends
_PING_SECONDS = 15.0  # a comment now and then keeps proxies from cutting a quiet stream
_RETRY_MS = 2000
_MOST_STREAMS = 200


class Stream:
    """The route of the stream.

    Args:
        hub: The page's parts.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        # Numbers of another run of the server mean nothing here.
        self._run = f"{time.time_ns():x}"

    async def open(self, request: Request) -> Response:
        """Answer with a stream; `after`, or the browser's own Last-Event-ID, names what it knows already."""
        operator = operator_of(request, self._hub)
        if self._hub.streams >= _MOST_STREAMS:
            raise PageError(503, "Too many pages are open. Close some.")
        known = self._known(request.headers.get("last-event-id") or request.query_params.get("after", ""))
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(self._events(operator, known), media_type="text/event-stream", headers=headers)

    def _known(self, text: str) -> int | None:
        run, _, number = text.partition("-")
        return int(number) if run == self._run and number.isdecimal() and len(number) < 16 else None

    async def _events(self, operator: Operator, known: int | None) -> AsyncIterator[str]:
        watcher = self._hub.watcher(operator)
        self._hub.streams += 1
        watcher.enter()
        try:
            yield f"retry: {_RETRY_MS}\n\n"
            async for event in self._told(operator, watcher, known):
                yield event
        finally:
            watcher.leave()
            self._hub.streams -= 1

    async def _told(self, operator: Operator, watcher: Watcher, known: int | None) -> AsyncIterator[str]:
        said: dict[str, Any] = {}
        last = time.monotonic()
        while not self._hub.closing():
            # An open page is a sign of life; it ends all the same once the longest time is over.
            self._hub.sessions.find(operator.cookie, time.monotonic())
            if operator.ended is not None:
                yield _event("end", {"message": operator.ended})
                return
            if watcher.status() != said:
                said = watcher.status()
                yield _event("status", said)
            if watcher.known and known != watcher.number:
                change = watcher.since(known)
                known = change.number
                for event in self._portions(change.whole, change.rows, change.removed, known):
                    yield event
                last = time.monotonic()
            elif time.monotonic() - last > _PING_SECONDS:
                last = time.monotonic()
                yield ": still here\n\n"
            await watcher.news(_TURN_SECONDS)

    def _portions(self, whole: bool, rows: list[dict[str, Any]], removed: list[str], number: int) -> list[str]:
        parts = [rows[at : at + _PORTION] for at in range(0, len(rows), _PORTION)] or [[]]
        events = []
        for at, part in enumerate(parts):
            body: dict[str, Any] = {"rows": part}
            if at == 0:
                body |= {"whole": whole, "removed": removed, "now": int(time.time() * 1000)}
            is_last = at == len(parts) - 1
            # The number goes with the last portion: a browser that is cut off before it asks for all of them again.
            events.append(_event("fleet", body | {"last": is_last}, f"{self._run}-{number}" if is_last else None))
        return events


def _event(name: str, body: dict[str, Any], number: str | None = None) -> str:
    # JSON has no line breaks of its own, so a text of a device cannot end the event.
    mark = f"id: {number}\n" if number else ""
    return f"event: {name}\n{mark}data: {json.dumps(body, separators=(',', ':'))}\n\n"
