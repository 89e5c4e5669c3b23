"""The page as a server of its own, for a ThingsBoard somewhere else."""

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from cota.errors import CotaError
from cota.page.app import build
from cota.page.doors import Door
from cota.page.hub import Hub

# Streams end by themselves when the page stops; what is still busy after this is cut.
_GRACE_SECONDS = 2
_PATH = "/page"


class PageServer:
    """A page that listens; nothing is served before `serve`.

    Attributes:
        url: The page's address.
        hub: Its parts.

    Args:
        door: Who is let in, and where to.
        host: The address to listen on.
        port: The TCP port; 0 takes a free one.

    Raises:
        CotaError: It cannot listen there.
    """

    def __init__(self, door: Door, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}{_PATH}/"
        self.hub = Hub(door, closing=lambda: self._server.should_exit)
        self._server = _Server(
            uvicorn.Config(
                _application(self.hub),
                http="httptools",
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    @property
    def started(self) -> bool:
        """Whether it answers."""
        return self._server.started

    def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until stopped; in the main thread Ctrl-C and SIGTERM stop it.

        Args:
            ready: Called once it answers, and can be stopped.
        """
        self._server.ready = ready
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Ask a page that serves to end; may be called from any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    ready: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.ready is not None and self.started:
            self.ready()


def _application(hub: Hub) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        hub.close()

    return Starlette(routes=[Route("/", lambda _request: RedirectResponse(f"{_PATH}/")), Mount(_PATH, build(hub))], lifespan=lifespan)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise CotaError(f"port {port} on {host} is taken", "Choose another one with --port; 0 takes any free one.") from error
        raise CotaError(f"cannot listen on {host} port {port}: {error}", "Choose others with --host and --port.") from error
