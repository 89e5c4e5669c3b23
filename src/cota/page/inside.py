"""The REST client's way into a server of the same process: no socket, no certificate, no port that the server must know of itself."""

import asyncio
from typing import Any

import httpx2
from starlette.types import ASGIApp, Message, Scope

from cota.page.doors import Connect
from cota.thingsboard.session import Session

# Any name does: no look-up takes place.
ADDRESS = "http://lab.localhost"
_TIMEOUT_SECONDS = 30.0


class InsideSession(Session):
    """A session whose requests go straight to an application. Its calls block, so they must not come from the application's own thread.

    Args:
        app: The application.
        loop: The event loop that it runs in.
        address: Where the operator comes from, for the application's own counting of wrong passwords.
    """

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop, username: str, password: str, address: str) -> None:
        super().__init__(ADDRESS, username=username, password=password, api_key=None, timeout=_TIMEOUT_SECONDS)
        self._http.close()
        self._http = httpx2.Client(transport=_Inside(app, loop, address))


def connect_to(app: ASGIApp, loop: asyncio.AbstractEventLoop) -> Connect:
    """Return what a PasswordDoor needs to let operators in to an application of this process."""

    def connect(username: str, password: str, address: str) -> Session:
        return InsideSession(app, loop, username, password, address)

    return connect


class _Inside(httpx2.BaseTransport):
    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop, address: str) -> None:
        self._app, self._loop, self._address = app, loop, address

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        call = asyncio.run_coroutine_threadsafe(self._call(request, request.read()), self._loop)
        try:
            return call.result(_TIMEOUT_SECONDS)
        except TimeoutError as error:
            call.cancel()
            raise httpx2.ReadTimeout("the lab did not answer", request=request) from error
        except Exception as error:
            raise httpx2.ReadError(f"the lab failed: {type(error).__name__}", request=request) from error

    async def _call(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        sent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        answer: dict[str, Any] = {}
        parts: list[bytes] = []

        async def receive() -> Message:
            if sent:
                return sent.pop()
            await asyncio.Event().wait()  # nobody hangs up
            raise AssertionError

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._app(self._scope(request), receive, send)
        return httpx2.Response(answer["status"], headers=answer.get("headers", []), content=b"".join(parts), request=request)

    def _scope(self, request: httpx2.Request) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": (self._address, 0),
            "server": ("lab.localhost", 80),
            "state": {},
        }
