"""The page as a web application, to be mounted under any path."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from cota.page.actions import Actions
from cota.page.hub import Hub
from cota.page.stream import Stream
from cota.page.web import Headers, route

_STATIC = Path(__file__).parent / "static"


class _Files(StaticFiles):
    """The page's files; a browser asks each time whether they are still the same, so that an upgrade shows at once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "no-cache"
        return response


def build(hub: Hub) -> Starlette:
    """Return the application. Whoever runs it closes the hub after it."""

    async def unknown(_request: Request, _error: Exception) -> Response:
        return JSONResponse({"message": "There is no such page."}, 404)

    routes: list[BaseRoute] = [
        *Actions(hub).routes(),
        route("GET", "/api/stream", hub, Stream(hub).open),
        Mount("/", _Files(directory=_STATIC, html=True)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Headers)], exception_handlers={404: unknown})
