"""The page as a server of its own, for a ThingsBoard somewhere else."""

import contextlib
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from cota.page.app import build
from cota.page.doors import Door
from cota.page.hub import Hub
from cota.serving import ReadyServer, Serving, listen

# Streams end by themselves when the page stops; what is still busy after this is cut.
_GRACE_SECONDS = 2
_PATH = "/page"


class PageServer(Serving):
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
        self._socket = listen(host, port)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}{_PATH}/"
        self.hub = Hub(door, closing=lambda: self._server.should_exit)
        self._server = ReadyServer(
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


def _application(hub: Hub) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        hub.close()

    return Starlette(routes=[Route("/", lambda _request: RedirectResponse(f"{_PATH}/")), Mount(_PATH, build(hub))], lifespan=lifespan)
