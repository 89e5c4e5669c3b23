"""The page's parts put together: operators, their fleets, and the threads in which the blocking REST client works."""

import asyncio
import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from cota.page.backend import Backend
from cota.page.doors import Door
from cota.page.ears import Ears, RemoteEars
from cota.page.fleet import Row
from cota.page.sessions import IDLE_SECONDS, Operator, Sessions
from cota.page.watcher import Watcher
from cota.page.wave import Course, series
from cota.thingsboard.errors import ThingsBoardError
from cota.thingsboard.session import Session

_T = TypeVar("_T")
# Threads of our own: the lab hashes passwords in the loop's usual ones, and a log-in through the lab would wait for itself.
_THREADS = 8
# Devices of one wave whose history is asked for, so many at a time; beyond it a device counts by its latest state.
_MOST_COURSES = 1000
_COURSES_AT_ONCE = 4
# Courses that are kept, so that a chart that is drawn again asks only for the devices that moved.
_KEPT_COURSES = 20_000


class Hub:
    """Everything behind the routes of one page.

    Args:
        door: Who is let in, and where to.
        idle: Seconds after which a quiet session ends.
        closing: Tells that the server around the page stops, so that open streams end.
        ears: Makes what hears of changes, given who asks; None listens to the server of whoever is logged in.
    """

    def __init__(
        self,
        door: Door,
        *,
        idle: float = IDLE_SECONDS,
        closing: Callable[[], bool] = lambda: False,
        ears: Callable[[], Ears] | None = None,
    ) -> None:
        self.door, self.closing, self._ears = door, closing, ears
        self.sessions = Sessions(idle, self._ended)
        self.streams = 0
        self._watchers: dict[str, Watcher] = {}
        self._operators: dict[str, list[Operator]] = {}
        self._courses: dict[str, tuple[tuple[int, int], Course]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cota-page")

    async def call(self, work: Callable[..., _T], *values: Any) -> _T:
        """Run blocking work in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, functools.partial(work, *values))

    async def ask(self, operator: Operator, work: Callable[..., _T], *values: Any) -> _T:
        """Run a call of an operator's backend; when the server no longer knows him, his session ends.

        Raises:
            ThingsBoardError: See Backend.
        """
        try:
            return await self.call(work, *values)
        except ThingsBoardError as error:
            if error.status == 401:
                self.sessions.end(operator, "The server ended your log-in. Log in again.")
            raise

    async def log_in(self, given: dict[str, Any], address: str) -> Operator:
        """Let somebody in.

        Raises:
            CotaError: Not with these, or the server is not reached.
        """
        backend: Backend = await self.call(self.door.enter, given, address)
        user = await self.call(backend.user)
        tenant = str((user.get("tenantId") or {}).get("id"))
        operator = self.sessions.begin(backend, str(user.get("email") or user.get("name") or ""), tenant, time.monotonic())
        self._operators.setdefault(tenant, []).append(operator)
        return operator

    def _ended(self, operator: Operator) -> None:
        mates = self._operators.get(operator.tenant, [])
        if operator in mates:
            mates.remove(operator)
        if not mates:
            self._operators.pop(operator.tenant, None)
        self._threads.submit(_leave, operator.backend)

    def watcher(self, operator: Operator) -> Watcher:
        """Return the watcher of an operator's fleet."""
        tenant = operator.tenant
        if tenant not in self._watchers:
            ears = self._ears() if self._ears is not None else RemoteEars(functools.partial(self._session, tenant))
            self._watchers[tenant] = Watcher(functools.partial(self._look, tenant), functools.partial(self._refused, tenant), ears)
        return self._watchers[tenant]

    async def _look(self, tenant: str, ids: list[str] | None) -> list[Row]:
        asker = self._asker(tenant)
        if asker is None:
            raise ThingsBoardError("Nobody is logged in.")
        return await self.call(asker.backend.rows, ids)

    def _asker(self, tenant: str) -> Operator | None:
        return next(iter(self._operators.get(tenant, [])), None)

    def _session(self, tenant: str) -> Session | None:
        asker = self._asker(tenant)
        return None if asker is None else asker.backend.session

    def _refused(self, tenant: str, error: ThingsBoardError) -> bool:
        asker = self._asker(tenant)
        if asker is not None and error.status == 401:
            self.sessions.end(asker, "The server ended your log-in. Log in again.")
        return error.status == 401 and self._asker(tenant) is not None

    async def wave(self, operator: Operator, title: str, version: str) -> dict[str, Any]:
        """Return the course of the wave of a release, from the histories of its devices."""
        rows = [row for row in self.watcher(operator).rows.values() if (row["toTitle"], row["toVersion"]) == (title, version)]
        now = int(time.time() * 1000)
        turns = asyncio.Semaphore(_COURSES_AT_ONCE)

        async def course(row: Row) -> Course:
            key, stamp = f"{operator.tenant}/{row['id']}", (row["assigned"], row["since"])
            kept = self._courses.get(key)
            if kept is not None and kept[0] == stamp:
                return kept[1]
            async with turns:
                found = await self.ask(operator, operator.backend.course, row["id"], row["assigned"], now + 1)
            if len(self._courses) >= _KEPT_COURSES:
                self._courses.clear()
            self._courses[key] = (stamp, found)
            return found

        exact = await asyncio.gather(*(course(row) for row in rows[:_MOST_COURSES]))
        guessed = [Course(row["assigned"], [(row["since"], row["state"])]) for row in rows[_MOST_COURSES:]]
        return {**series([*exact, *guessed], now), "devices": len(rows), "exact": not guessed}

    def close(self) -> None:
        """End all sessions and wait for the threads."""
        self.sessions.end_all()
        for watcher in self._watchers.values():
            watcher.close()
        self._threads.shutdown(wait=True, cancel_futures=False)


def _leave(backend: Backend) -> None:
    try:
        backend.log_out()
    except Exception:  # noqa: S110  # whatever a server does that hears a farewell, the session here is over
        pass
    finally:
        backend.close()
