"""The seam between HTTP and the lab: bounded bodies, one shape of errors, and no answer before the disk has it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cota.lab.core import Core
from cota.lab.data import values
from cota.lab.data.store import StorageError
from cota.lab.device.hub import ClosedError, OverfullError
from cota.lab.errors import BAD_REQUEST, GENERAL, ApiError, TooLargeError

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")
Handler = Callable[[Request], Awaitable[Response]]

# ThingsBoard's HTTP_MAX_PAYLOAD_SIZE_LIMIT_CONFIGURATION for /api/**, and its limit for a device's RPC.
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_RPC_BYTES = 65536
# Whoever has not logged in has no reason to send more: a login, a provisioning request.
MAX_STRANGER_BYTES = 65536


class GoneError(Exception):
    """The client hung up; nobody reads the answer."""


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the body.

    Raises:
        ApiError: It is larger than the limit, by its Content-Length or by its bytes.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length[:20]) > limit:
        raise TooLargeError(limit)
    parts, received = [], 0
    async for part in request.stream():
        received += len(part)
        if received > limit:
            raise TooLargeError(limit)
        parts.append(part)
    return b"".join(parts)


async def read_json(request: Request, limit: int = MAX_BODY_BYTES) -> Any:
    """Return the body as plain Python values.

    Raises:
        ApiError: There is none, or it is no JSON.
    """
    body = await read_body(request, limit)
    if not body:
        raise ApiError(400, BAD_REQUEST, "Required request body is missing")
    try:
        return values.plain(values.parse(body))
    except values.PayloadError as error:
        raise ApiError(400, BAD_REQUEST, str(error)) from error


async def read_object(request: Request, limit: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises:
        ApiError: It is none.
    """
    given = await read_json(request, limit)
    if not isinstance(given, dict):
        raise ApiError(400, BAD_REQUEST, "Request body should be a JSON object")
    return given


def json_answer(value: Any) -> Response:
    """Return 200 with JSON."""
    return JSONResponse(value)


def done() -> Response:
    """Return 200 without a body."""
    return Response(status_code=200)


async def wait_for(request: Request, future: "asyncio.Future[_Answer]", seconds: float) -> _Answer:
    """Wait for an answer from inside the lab on behalf of a client that holds its request open.

    Raises:
        TimeoutError: It did not come in time, or the client has opened too many of these.
        GoneError: The client hung up.
        ClosedError: The lab stops, or the device was deleted.
    """
    hung_up = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait([cast("asyncio.Future[Any]", future), hung_up], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        if hung_up.done():
            raise GoneError
        raise TimeoutError
    except OverfullError:
        raise TimeoutError from None
    finally:
        hung_up.cancel()
        future.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Router:
    """A family of routes over one core.

    Args:
        core: The lab.
        public: Whether these routes ask for no login (the device API, and the login itself).
    """

    def __init__(self, core: Core, *, public: bool = False) -> None:
        self.core, self._public = core, public

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """Return a route that answers errors in ThingsBoard's shape and only after everything is on the disk."""

        async def endpoint(request: Request) -> Response:
            response = await self._answer(request, handler)
            try:
                await self.core.store.settled()
            except StorageError:
                _log.exception("%s %s", request.method, request.scope["route"].path)
                return ApiError(500, GENERAL, "The server's database cannot be written").response()
            return response

        return Route(path, endpoint, methods=[method])

    async def _answer(self, request: Request, handler: Handler) -> Response:
        try:
            if not self._public:
                request.state.principal = self.core.auth.authenticate(request.headers)
            return await handler(request)
        except ApiError as error:
            return error.response()
        except HTTPException as error:
            return ApiError(error.status_code, GENERAL, error.detail).response()
        except (ClientDisconnect, GoneError):
            return Response(status_code=499)  # nobody reads it; the number is nginx's for this
        except ClosedError as error:
            return closed_answer(self.core, error)
        except Exception:
            # Names the route and not the path: a device's path holds its token.
            _log.exception("%s %s", request.method, request.scope["route"].path)
            return ApiError(500, GENERAL, "Internal server error").response()


def closed_answer(core: Core, error: ClosedError) -> Response:
    """Return what ends a poll from outside: 503 when the lab stops, else 403 and the reason as text."""
    if core.hub.closed:
        return ApiError(503, GENERAL, str(error)).response()
    return Response(str(error), status_code=403, media_type="text/plain")


async def hold(core: Core, request: Request, future: "asyncio.Future[_Answer]", seconds: float) -> _Answer:
    """Wait as `wait_for`, but no longer than ThingsBoard's monolith holds any request open.

    Raises:
        TimeoutError: The time that was asked for is over.
        ApiError: The monolith's own time is over: 503 with a null message.
        GoneError: The client hung up.
        ClosedError: The lab stops, or the device was deleted.
    """
    limit = core.timing.async_timeout
    try:
        return await wait_for(request, future, min(seconds, limit))
    except TimeoutError:
        if limit < seconds:
            raise ApiError(503, GENERAL, None) from None
        raise
