"""The lab as one ASGI application: device API first, because boards ask most, then REST, then the page, then the Git host."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from cota.lab.core import Core
from cota.lab.device.api import DeviceApi
from cota.lab.errors import GENERAL, ApiError
from cota.lab.rest.auth import AccountApi, LoginApi
from cota.lab.rest.dashboards import DashboardsApi
from cota.lab.rest.devices import DevicesApi
from cota.lab.rest.live import LiveApi
from cota.lab.rest.packages import PackagesApi
from cota.lab.rest.profiles import ProfilesApi
from cota.lab.rest.query import QueryApi
from cota.lab.rest.rpc import RpcApi
from cota.lab.rest.telemetry import TelemetryApi
from cota.page.lab import LabPage

if TYPE_CHECKING:
    from cota.lab.githost import GitToken

_REST = (TelemetryApi, QueryApi, DevicesApi, ProfilesApi, PackagesApi, AccountApi, RpcApi, DashboardsApi)


def build(core: Core, git_routes: list[BaseRoute]) -> Starlette:
    """Return the application.

    Args:
        core: The lab's parts; the application runs and closes them.
        git_routes: The Git host's routes, tried after ours.
    """

    page = LabPage(closing=lambda: core.hub.closed, live=core.live)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with core.running(), page.running(app):
            yield

    async def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if request.url.path.startswith("/api/") and not request.url.path.startswith(("/api/v1/", "/api/v3/")):
            with contextlib.suppress(ApiError):
                core.auth.authenticate(request.headers)
                return ApiError(status, GENERAL, str(getattr(error, "detail", error))).response()
            return ApiError(401, 10, "Authentication failed").response()
        return ApiError(status, GENERAL, str(getattr(error, "detail", error))).response()

    routes: list[BaseRoute] = [*DeviceApi(core).routes(), *LoginApi(core).routes(), *LiveApi(core).routes()]
    for api in _REST:
        routes += api(core).routes()
    handlers: Mapping[Any, Any] = {HTTPException: unknown}
    return Starlette(routes=[*routes, *page.routes(), *git_routes], lifespan=lifespan, exception_handlers=handlers)


def git_routes(
    repositories: Mapping[str, Path],
    rate_limit: int | None,
    rate_window: int | None = None,
    tokens: "Mapping[str, str | GitToken] | None" = None,
) -> list[BaseRoute]:
    """Return the Git host's routes for these repositories, "owner/name" -> path.

    Args:
        repositories: What is served.
        rate_limit: Calls in a window that an address has; None refuses nobody.
        rate_window: Seconds of a window; None is GitHub's hour.
        tokens: What opens the private ones.

    Raises:
        CotaError: A path is no repository.
    """
    # Imported here: a lab without repositories starts without the Git library.
    from cota.lab.githost import RateLimit, routes

    limit = None
    if rate_limit is not None:
        limit = RateLimit(rate_limit) if rate_window is None else RateLimit(rate_limit, rate_window)
    return routes(repositories, limit, tokens=tokens)
