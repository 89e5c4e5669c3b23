"""The page inside a lab: mounted beside the API that it uses, and made when somebody first opens it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from cota.lab.listeners import Listeners
    from cota.page.hub import Hub

PATH = "/page"


class LabPage:
    """The page of a lab.

    Args:
        closing: Tells that the lab stops.
        live: Tells of devices that something is written of.
    """

    def __init__(self, closing: Callable[[], bool], live: "Listeners") -> None:
        self._closing, self._live = closing, live
        self._lab: ASGIApp | None = None
        self._hub: Hub | None = None
        self._app: ASGIApp | None = None
        self._making = asyncio.Lock()

    def routes(self) -> list[BaseRoute]:
        """Return the routes: the page, and the way to it from the lab's bare address."""
        return [Route("/", _to_page, methods=["GET"]), Mount(PATH, self._serve)]

    @contextlib.asynccontextmanager
    async def running(self, lab: ASGIApp) -> AsyncIterator[None]:
        """Let the page ask this application while the block runs, and log its operators out at the end."""
        self._lab = lab
        try:
            yield
        finally:
            if self._hub is not None:
                # In a thread: the farewells go through the loop that runs this.
                await asyncio.to_thread(self._hub.close)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._making:
            if self._app is None:
                # A lab whose page nobody opens starts without the REST client; its import must not hold boards up either.
                self._app = await asyncio.to_thread(self._make, asyncio.get_running_loop())
        await self._app(scope, receive, send)

    def _make(self, loop: asyncio.AbstractEventLoop) -> ASGIApp:
        from cota.page.app import build
        from cota.page.doors import PasswordDoor
        from cota.page.ears import LabEars
        from cota.page.hub import Hub
        from cota.page.inside import connect_to

        if self._lab is None:
            raise RuntimeError("the lab does not run")
        self._hub = Hub(PasswordDoor("", connect_to(self._lab, loop)), closing=self._closing, ears=lambda: LabEars(self._live))
        return build(self._hub)


async def _to_page(_request: Request) -> Response:
    return RedirectResponse(f"{PATH}/")
