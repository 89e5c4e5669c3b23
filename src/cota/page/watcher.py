"""The fleet as it is now: one loop a tenant asks the server while somebody looks, and knows what changed since any earlier moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from cota.page.ears import Ears
from cota.page.fleet import Row
from cota.thingsboard.errors import ThingsBoardError

# Between two looks at the fleet, at least; and so many times as long as the look itself took, so that a fleet of thousands leaves the
# server nine tenths of its time.
_LOOK_SECONDS = 1.0
_LOOK_SHARE = 9.0
# The same for a question about devices that have changed: it is short, and somebody waits for its answer.
_TOLD_SHARE = 2.0
# Where changes are told as they happen, a look at all is for what nobody tells: devices that are new, gone or renamed.
_LIVE_LOOK_SECONDS = 5.0
# Changes are gathered so long, so that a burst is one question.
_GATHER_SECONDS = 0.1
# Where looking at all takes its time, the devices that are being updated are looked at in between: so many in one turn.
_MOST_MOVING = 300
_MOVING = ("waiting", "updating")
# So long after the last reader left it is not known any more how the fleet is: who comes then must not be shown old states as live ones.
_KEEP_SECONDS = 60.0
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
        ears: Tell of changes; None where nobody does.
    """

    def __init__(
        self,
        look: Callable[[list[str] | None], Awaitable[list[Row]]],
        refused: Callable[[ThingsBoardError], bool],
        ears: Ears | None = None,
    ) -> None:
        self._look, self._refused, self._ears = look, refused, ears
        self.rows: dict[str, Row] = {}
        self.number = 0
        self.known = False
        self.trouble: ThingsBoardError | None = None
        self._changed: dict[str, int] = {}
        self._removed: dict[str, int] = {}
        self._oldest = 0
        self._readers = 0
        self._left = 0.0
        self._turn = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._soon = asyncio.Event()
        self._told: dict[str, None] = {}
        self._wake = asyncio.Event()

    def enter(self) -> None:
        """Count a reader; the first one starts the loop."""
        self._readers += 1
        if self._readers == 1 and self.known and time.monotonic() - self._left > _KEEP_SECONDS:
            self._forget()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
            if self._ears is not None:
                self._ears.listen(self._hear)

    def leave(self) -> None:
        """Count a reader off; the last one stops the loop."""
        self._readers -= 1
        self._left = time.monotonic()
        if self._readers == 0 and self._task is not None:
            self._task.cancel()
            self._task = None
            if self._ears is not None:
                self._ears.stop()

    def close(self) -> None:
        """Listen no more, because the page stops."""
        if self._ears is not None:
            self._ears.stop(wait=True)

    def _hear(self, ids: Sequence[str] | None) -> None:
        if ids is None:
            self._soon.set()
        else:
            self._told.update(dict.fromkeys(ids))
        self._wake.set()

    @property
    def _is_told(self) -> bool:
        return self._ears is not None and self._ears.is_live

    def _forget(self) -> None:
        self.rows, self.known = {}, False
        self._changed, self._removed = {}, {}
        self.number += 1
        self._oldest = self.number

    def look_soon(self) -> None:
        """Look now and not at the next turn: an operator has just changed something."""
        self._soon.set()
        self._wake.set()

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
            mentioned = set(asked)
            fresh = {device: row for device, row in self.rows.items() if device not in mentioned} | fresh
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
            asked = None if began >= due or self._soon.is_set() else self._some()
            self._soon.clear()
            self._wake.clear()
            if asked is None:
                self._told.clear()
            try:
                if asked != []:
                    self.take(await self._look(asked), asked)
                failures = 0
                took = time.monotonic() - began
                if asked is None:
                    due = time.monotonic() + max(_LIVE_LOOK_SECONDS if self._is_told else _LOOK_SECONDS, _LOOK_SHARE * took)
                pause = _LOOK_SECONDS if asked is None else max(_LOOK_SECONDS, _LOOK_SHARE * took)
                if self._is_told:
                    # The server keeps its share of the time; then the loop rests until it is told of something.
                    await asyncio.sleep(_GATHER_SECONDS if asked is None else max(_GATHER_SECONDS, _TOLD_SHARE * took))
                    pause = 0.0 if self._told else max(0.0, due - time.monotonic())
            except ThingsBoardError as error:
                if error.status in {401, 403} and self._refused(error):
                    continue
                failures += 1
                due = 0.0  # what happened meanwhile is only seen by a look at all
                pause = min(_LONGEST_WAIT, _LOOK_SECONDS * 2.0**failures)
                self.trouble = error
                self._tell()
            await self._rest(pause)

    def _some(self) -> list[str]:
        """Choose the devices to look at before the next look at all: those that were told of, else those that are being updated."""
        if not self._is_told:
            return self._moving()
        chosen = list(self._told)[:_MOST_MOVING]
        for device in chosen:
            del self._told[device]
        return chosen

    def _moving(self) -> list[str]:
        """Choose the devices to look at in between; where there are too many they take turns."""
        moving = [device for device, row in self.rows.items() if row["group"] in _MOVING]
        start = self._turn * _MOST_MOVING % max(1, len(moving))
        self._turn += 1
        return (moving[start:] + moving[:start])[:_MOST_MOVING]

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    def status(self) -> dict[str, Any]:
        """Return whether the server answers, for the reader."""
        if self.trouble is None:
            return {"well": True}
        return {"well": False, "message": self.trouble.message, "hint": self.trouble.hint}
