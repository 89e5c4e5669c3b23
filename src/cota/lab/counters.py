"""Counting requests and body bytes by the kind of path, and the headers that every answer carries."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS = ("thingsboard", "git-api", "git-raw", "git-web")
# A browser must not guess types, and what a login sees is nobody's to cache or frame. The Git host sets its own caching.
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_PRIVATE = [(b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer"), (b"x-frame-options", b"DENY")]


def kind_of(path: str) -> str:
    """Return which of KINDS a path belongs to."""
    # With less behind it "repos" is the token of a device.
    if path.startswith("/api/v1/repos/") and path.count("/") > 4:
        return "git-raw" if path.split("/")[6:7] == ["raw"] else "git-api"
    if path.startswith("/api/v4/projects/"):
        return "git-raw" if path.endswith("/raw") else "git-api"
    if path.startswith(("/api/v3/", "/v1/packages/gh/")):
        return "git-api"
    if path.startswith(("/raw/", "/gh/")) or path.split("/")[3:5] == ["-", "raw"]:
        return "git-raw"
    return "thingsboard" if path.startswith("/api/") else "git-web"


class Counters:
    """ASGI middleware that counts.

    Args:
        app: What it wraps.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._requests = dict.fromkeys(KINDS, 0)
        self._bytes_out = dict.fromkeys(KINDS, 0)

    def read(self) -> dict[str, dict[str, int]]:
        """Return the counts so far; may be called from any thread."""
        return {kind: {"requests": self._requests[kind], "bytes_out": self._bytes_out[kind]} for kind in KINDS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        # The page counts for nobody and brings headers of its own.
        if scope["type"] != "http" or scope["path"].startswith("/page/"):
            await self._app(scope, receive, send)
            return
        kind = kind_of(scope["path"])
        self._requests[kind] += 1

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _NOSNIFF, *(_PRIVATE if kind == "thingsboard" else ())]
            elif message["type"] == "http.response.body":
                self._bytes_out[kind] += len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, counted)
