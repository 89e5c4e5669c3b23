"""The fleet as it is now: one loop a tenant asks the server while somebody looks, and knows what changed since any earlier moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from cota.page.fleet import Row
from cota.thingsboard.errors import ThingsBoardError

# Between two looks at the fleet, at least; and so many times as long as the look itself took, so that a fleet of thousands leaves the
# server nine tenths of its time.
_LOOK_SECONDS = 1.0
_LOOK_SHARE = 9.0
# Where looking at all takes its time, the devices that are being updated are looked at in between: so many in one turn.
_MOST_MOVING = 300
_MOVING = ("waiting", "updating")
_LONGEST_WAIT = 30.0  # between two tries while the server does not answer
# Devices that were deleted are remembered up to here; who slept through more of them gets the whole fleet anew.
_MOST_REMOVED = 10_000


class Change(NamedTuple):
    """What is new to a reader.

    Attributes:
        whole: Whether this is the whole fleet, and what the reader has is void.
        number: What the reader knows after this.
        rows: New and changed rows.
        removed: Ids of deleted devices.
    """

    whole: bool
    number: int
    rows: list[Row]
    removed: list[str]


class Watcher:
    """Watches one tenant's fleet.

    Args:
        look: Gives the rows of these devices, or of all for None.
        refused: Called when the server no longer accepts the one who asks; says whether somebody else is there to ask.
    """

    def __init__(self, look: Callable[[list[str] | None], Awaitable[list[Row]]], refused: Callable[[ThingsBoardError], bool]) -> None:
        self._look, self._refused = look, refused
        self.rows: dict[str, Row] = {}
        self.number = 0
        self.known = False
        self.trouble: ThingsBoardError | None = None
        self._changed: dict[str, int] = {}
        self._removed: dict[str, int] = {}
        self._oldest = 0
        self._readers = 0
        self._turn = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._soon = asyncio.Event()

    def enter(self) -> None:
        """Count a reader; the first one starts the loop."""
        self._readers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self) -> None:
        """Count a reader off; the last one stops the loop."""
        self._readers -= 1
        if self._readers == 0 and self._task is not None:
            self._task.cancel()
            self._task = None

    def look_soon(self) -> None:
        """Look now and not at the next turn: an operator has just changed something."""
        self._soon.set()

    async def news(self, seconds: float) -> None:
        """Wait until something is new, or so long."""
        event = self._news
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return

    def since(self, number: int | None) -> Change:
        """Return what changed since a reader knew `number`; the whole fleet for None and for a number too old or unknown."""
        if number is None or not self._oldest <= number <= self.number:
            return Change(True, self.number, list(self.rows.values()), [])
        rows = [self.rows[device] for device, at in self._changed.items() if at > number]
        return Change(False, self.number, rows, [device for device, at in self._removed.items() if at > number])

    def take(self, rows: list[Row], asked: list[str] | None = None) -> None:
        """Compare a look with the one before.

        Args:
            rows: What was found.
            asked: The devices that were looked at, None for all; one that was not found is gone.
        """
        fresh = {row["id"]: row for row in rows}
        if asked is not None:
            unasked = self.rows.keys() - set(asked)
            fresh = {device: fresh.get(device, row) for device, row in self.rows.items() if device in unasked or device in fresh}
        changed = [device for device, row in fresh.items() if self.rows.get(device) != row]
        gone = [device for device in self.rows if device not in fresh]
        first, self.known = not self.known, True
        if changed or gone or first:
            self.number += 1
        for device in changed:
            self._changed[device] = self.number
            self._removed.pop(device, None)
        for device in gone:
            self._changed.pop(device, None)
            self._removed[device] = self.number
        while len(self._removed) > _MOST_REMOVED:
            device = next(iter(self._removed))
            self._oldest = max(self._oldest, self._removed.pop(device))
        self.rows = fresh
        if changed or gone or first or self.trouble is not None:
            self.trouble = None
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _run(self) -> None:
        failures, due = 0, 0.0
        while True:
            began = time.monotonic()
            asked = None if began >= due or self._soon.is_set() else self._moving()
            self._soon.clear()
            try:
                if asked != []:
                    self.take(await self._look(asked), asked)
                failures = 0
                pause = max(_LOOK_SECONDS, _LOOK_SHARE * (time.monotonic() - began))
                if asked is None:
                    due = time.monotonic() + pause
                    pause = _LOOK_SECONDS
            except ThingsBoardError as error:
                if error.status in {401, 403} and self._refused(error):
                    continue
                failures += 1
                due = 0.0  # what happened meanwhile is only seen by a look at all
                pause = min(_LONGEST_WAIT, _LOOK_SECONDS * 2.0**failures)
                self.trouble = error
                self._tell()
            await self._rest(pause)

    def _moving(self) -> list[str]:
        """Choose the devices to look at in between; where there are too many they take turns."""
        moving = [device for device, row in self.rows.items() if row["group"] in _MOVING]
        start = self._turn * _MOST_MOVING % max(1, len(moving))
        self._turn += 1
        return (moving[start:] + moving[:start])[:_MOST_MOVING]

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._soon.wait(), seconds)
        except TimeoutError:
            return

    def status(self) -> dict[str, Any]:
        """Return whether the server answers, for the reader."""
        if self.trouble is None:
            return {"well": True}
        return {"well": False, "message": self.trouble.message, "hint": self.trouble.hint}
