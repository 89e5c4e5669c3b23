"""The seam between HTTP and the page: headers of every answer, who is asking, bounded bodies, errors in one shape."""

import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cota.errors import CotaError
from cota.page.doors import RefusedError
from cota.page.hub import Hub
from cota.page.sessions import Operator
from cota.thingsboard.errors import ThingsBoardError

_log = logging.getLogger(__name__)

CSRF_HEADER = "x-csrf-token"
_MAX_BODY = 256 * 1024  # an assignment of a few thousand devices comes in portions far below this
# What ThingsBoard's multipart reader takes at most (SPRING_SERVLET_MULTIPART_MAX_FILE_SIZE); its usual limit is lower and its own to tell.
MAX_FILE = 50 * 1000 * 1000
# Scripts and styles come from here only and never from text: no inline script, no string that becomes markup (Trusted Types).
_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Headers:
    """ASGI middleware that puts the page's headers on every answer; what an operator sees is nobody's to keep."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.get("headers", ())}
                more = {**_HEADERS, "cache-control": "no-store"}
                added = [(name.encode(), value.encode()) for name, value in more.items() if name.encode() not in there]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, with_headers)


class PageError(Exception):
    """An answer that is not a success.

    Args:
        status: The HTTP status.
        message: One sentence for the operator.
        more: What the page's script needs beside it.
    """

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, {"message": message, **more}


def cookie_name(request: Request) -> str:
    """Return the name of the page's cookie; browsers share cookies among the ports of a host, so it has the port in it."""
    server = request.scope.get("server") or ("", 0)
    return f"cota_page_{server[1]}"


def set_cookie(request: Request, response: Response, value: str) -> None:
    """Give the browser its session's name; a script never sees it, another site never sends it."""
    path = request.scope.get("root_path") or "/"
    response.set_cookie(cookie_name(request), value, path=path, secure=request.url.scheme == "https", httponly=True, samesite="strict")


def operator_of(request: Request, hub: Hub) -> Operator:
    """Return who is asking.

    Raises:
        PageError: 401: nobody.
    """
    cookie = request.cookies.get(cookie_name(request), "")
    operator = hub.sessions.find(cookie, time.monotonic())
    if operator is None:
        raise PageError(401, hub.sessions.why_ended(cookie) or "Your session has ended. Log in again.", ended=True)
    return operator


def check_post(request: Request, hub: Hub) -> None:
    """Check that a POST comes from this page in this browser: its token fits the cookie, and no other site sent it.

    Raises:
        PageError: 403.
    """
    cookie = request.cookies.get(cookie_name(request), "")
    token = request.headers.get(CSRF_HEADER, "")
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if not cookie or foreign or token.encode() != hub.sessions.csrf(cookie).encode():
        raise PageError(403, "This page is out of date. Load it again.", reload=True)


async def read_bytes(request: Request, most: int) -> bytes | None:
    """Return the body, or None where it is longer than `most`; what is more is not read."""
    if int(request.headers.get("content-length") or 0) > most:  # a number: the server in front has looked
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            return None
    return bytes(body)


async def read_object(request: Request) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises:
        PageError: It is none, or too long.
    """
    body = await read_bytes(request, _MAX_BODY)
    if body is None:
        raise PageError(413, "That is too much at once.")
    with contextlib.suppress(ValueError, RecursionError):
        given = json.loads(body)
        if isinstance(given, dict):
            return given
    raise PageError(400, "The page sent something that is no JSON object.")


def route(method: str, path: str, hub: Hub, handler: Callable[[Request], Awaitable[Response]]) -> Route:
    """Return a route that checks POSTs and answers every error as JSON with a sentence."""

    async def endpoint(request: Request) -> Response:
        try:
            if method == "POST":
                check_post(request, hub)
            return await handler(request)
        except PageError as error:
            return JSONResponse(error.body, error.status)
        except ThingsBoardError as error:
            if error.status == 401 and (why := hub.sessions.why_ended(request.cookies.get(cookie_name(request), ""))):
                return JSONResponse({"message": why, "ended": True}, 401)
            return JSONResponse({"message": error.message, "hint": error.hint, "ended": error.status == 401}, _status(error))
        except RefusedError as error:
            return JSONResponse({"message": error.message, "hint": error.hint}, 403)
        except CotaError as error:
            return JSONResponse({"message": error.message, "hint": error.hint}, 400)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it; the number is nginx's for this
        except Exception:
            _log.exception("%s %s", method, path)
            return JSONResponse({"message": "The page itself failed. Its messages in the terminal say how."}, 500)

    return Route(path, endpoint, methods=[method])


def _status(error: ThingsBoardError) -> int:
    if error.status is None or error.status >= 500:
        return 502
    return error.status if error.status >= 400 else 502
