"""How the page hears that something changed on a device, so that it need not ask for the whole fleet to find it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from cota.errors import CotaError
from cota.thingsboard.boards import boards_query
from cota.thingsboard.fleet import Fleet
from cota.thingsboard.live import Watch
from cota.thingsboard.session import Session

if TYPE_CHECKING:
    from cota.lab.listeners import Listeners

# Called in the event loop: the ids of devices that something changed on; None: nobody listened for a while, so look at all.
Tell = Callable[[Sequence[str] | None], None]
_AGAIN_SECONDS = 60.0  # until a server whose WebSocket failed is tried again
_TICK_SECONDS = 0.5  # how soon a listener notices that it shall stop
_STOP_SECONDS = 2.0  # how long the end of the page waits for it; it ends with the process all the same


class Ears(Protocol):
    """Something that hears of changes."""

    @property
    def is_live(self) -> bool:
        """Whether every change is heard of now."""
        ...

    def listen(self, tell: Tell) -> None:
        """Listen from now on; called in the event loop."""
        ...

    def stop(self, *, wait: bool = False) -> None:
        """Listen no more; with `wait` until it has ended."""
        ...


class LabEars:
    """Hears of the devices of the lab in this process.

    Args:
        listeners: Whom the lab tells.
    """

    def __init__(self, listeners: "Listeners") -> None:
        self._listeners = listeners
        self._tell: Tell | None = None

    @property
    def is_live(self) -> bool:
        """See Ears."""
        return self._tell is not None

    def listen(self, tell: Tell) -> None:
        """See Ears."""
        self._tell = tell
        self._listeners.add(self._heard)

    def stop(self, *, wait: bool = False) -> None:
        """See Ears."""
        self._listeners.remove(self._heard)
        self._tell = None

    def _heard(self, device_id: str) -> None:
        if self._tell is not None:
            self._tell([device_id])


class RemoteEars:
    """Hears of the devices of a ThingsBoard server over its WebSocket, as `cota watch` does, in a thread.

    Args:
        asker: Gives the connection of somebody who is logged in now, None where there is nobody.
    """

    def __init__(self, asker: Callable[[], Session | None]) -> None:
        self._asker = asker
        # Each listening has an event of its own that ends it, and that tells the word of a thread that is late from the present one's.
        self._stop = threading.Event()
        self._heard: threading.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_live(self) -> bool:
        """See Ears."""
        return self._heard is self._stop and not self._stop.is_set()

    def listen(self, tell: Tell) -> None:
        """See Ears."""
        loop, stop = asyncio.get_running_loop(), threading.Event()

        def tell_loop(ids: Sequence[str] | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(lambda: None if stop.is_set() else tell(ids))

        self._stop = stop
        self._thread = threading.Thread(target=self._run, args=(stop, tell_loop), name="cota-page-ears", daemon=True)
        self._thread.start()

    def stop(self, *, wait: bool = False) -> None:
        """See Ears."""
        self._stop.set()
        if wait and self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _run(self, stop: threading.Event, tell: Tell) -> None:
        while not stop.is_set():
            session = self._asker()
            if session is not None:
                with contextlib.suppress(CotaError):
                    self._follow(session, stop, tell)
            was_heard = self._heard is stop
            if was_heard:
                self._heard = None
                tell(None)
            # Where the one in whose name it was listened has left, another one may be there.
            if not was_heard or self._asker() is session:
                stop.wait(_AGAIN_SECONDS)

    def _follow(self, session: Session, stop: threading.Event, tell: Tell) -> None:
        """Listen until it fails, or the operator leaves."""
        if session.token is None:
            return  # an API key: the WebSocket takes none
        watch = Watch(_Client(session), boards_query(), tick=_TICK_SECONDS)
        with contextlib.closing(watch.changes()) as changes:
            for boards in changes:
                if stop.is_set() or not watch.is_live or self._asker() is not session:
                    return
                if self._heard is not stop:
                    # What happened before this moment, nobody heard.
                    self._heard = stop
                    tell(None)
                elif boards:
                    tell([board.id for board in boards])


class _Client:
    """As much of a client as a Watch needs, over a connection that is somebody else's."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.fleet = Fleet(session)

    @property
    def url(self) -> str:
        return self._session.url

    @property
    def token(self) -> str | None:
        return self._session.token
