"""A Git host that looks like GitHub Enterprise Server, for local repositories.

It answers `/api/v3/…`, `/raw/{owner}/{repo}/…`, `/codeload/{owner}/{repo}/…` and, for the repositories it has, `/{owner}/{repo}…`, on one
port with whatever else the application serves. Paths are matched as bytes, so that any name that Git can hold can be asked for.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from cota.git import GitError
from cota.lab.githost import api
from cota.lab.githost.access import Limiter, RateLimit, Standing, Tokens, client_key, read_token
from cota.lab.githost.contents import get_contents
from cota.lab.githost.files import get_archive, get_raw, held_raw
from cota.lab.githost.page import get_page
from cota.lab.githost.replies import NOT_FOUND, RefusedError, encode, error_reply, json_reply, limit_exceeded, no_user_agent, refusal_of
from cota.lab.githost.repos import Cache, Repositories
from cota.lab.githost.shapes import Place

__all__ = ["RateLimit", "routes"]

_log = logging.getLogger(__name__)

# Reading and packing is bound by the processor: more threads only take turns.
_THREADS = 8

_Handler = Callable[[api.Call], Response]
# What can answer without opening the repository: from the request, the repository's name and the path behind it.
_Held = Callable[[Request, str, str, Cache], Response | None]

# What the path has behind /repos/{owner}/{repo}, and what answers it: alone, and with more path behind.
_CALLS: dict[str, tuple[_Handler | None, _Handler | None]] = {
    "": (api.get_repository, None),
    "branches": (api.list_branches, api.get_branch),
    "commits": (api.list_commits, api.get_commit),
    "contents": (get_contents, get_contents),
    "git/blobs": (None, api.get_blob),
    "git/commits": (None, api.get_git_commit),
    "git/ref": (None, api.get_git_ref),
    "git/refs": (None, api.get_git_ref),
    "git/trees": (None, api.get_tree),
    "tags": (api.list_tags, None),
    "tarball": (api.get_tarball, api.get_tarball),
}


def _handler(rest: str) -> tuple[_Handler, str]:
    first, _, behind = rest.partition("/")
    name = f"git/{behind.partition('/')[0]}" if first == "git" else first
    alone, with_more = _CALLS.get(name, (None, None))
    more = rest[len(name) + 1 :]
    found = with_more if more else alone
    if found is None:
        raise RefusedError(404, NOT_FOUND)
    return found, more


class _GitHost(BaseRoute):
    def __init__(self, repositories: Repositories, tokens: Tokens, limiter: Limiter, max_entries: int) -> None:
        self._repositories = repositories
        self._tokens = tokens
        self._limiter = limiter
        self._max_entries = max_entries
        self._cache = Cache()
        self._threads: anyio.CapacityLimiter | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        first, owner = [*_path(scope).split("/", 2), ""][:2]
        ours = (first, owner) == ("api", "v3") or first in ("raw", "codeload") or self._repositories.full_name(first, owner) is not None
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_THREADS)
        request = Request(scope, receive)
        response = await anyio.to_thread.run_sync(self._answer, request, limiter=self._threads)
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = _path(request.scope)
        if path.startswith("api/v3/") or path == "api/v3":
            return self._answer_api(request, path.removeprefix("api/v3").removeprefix("/"))
        try:
            if request.method not in ("GET", "HEAD"):
                return PlainTextResponse("405: Method Not Allowed", 405, {"allow": "GET, HEAD"})
            token = self._token(request)
            view, _, rest = path.partition("/")
            if view == "raw":
                return self._call(request, token, rest, get_raw, held_raw)
            if view == "codeload":
                return self._call(request, token, rest, self._archive)
            return self._call(request, token, path, get_page)
        except RefusedError as refused:
            return PlainTextResponse(f"{refused.status}: {refused.message}", refused.status)
        except GitError as error:
            failure = _logged(error)
            # Outside the API an empty repository has simply nothing at the path.
            if failure.status == 409:
                failure = RefusedError(404, NOT_FOUND)
            return PlainTextResponse(f"{failure.status}: {failure.message}", failure.status)

    def _answer_api(self, request: Request, path: str) -> Response:
        if not request.headers.get("user-agent"):
            return no_user_agent()
        address = request.client.host if request.client else "unknown"
        token = read_token(request.headers.get("authorization"))
        known = token is not None and self._tokens.knows(token)
        key = client_key(address, token if known else None)
        free = path == "rate_limit"
        standing = self._limiter.count(key, signed_in=known, calls=0 if free else 1)
        try:
            if not standing.allowed:
                raise limit_exceeded(address)
            self._token(request)
            response = _rate_limit(request, standing) if free else self._answer_call(request, token, path)
        except RefusedError as refused:
            response = error_reply(refused)
        except GitError as error:
            response = error_reply(_logged(error))
        if response.status_code == 304 and known:
            # Not counted for who is signed in (GitHub, "Best practices": conditional requests).
            standing = self._limiter.count(key, signed_in=True, calls=-1)
        response.headers.update(standing.headers())
        return response

    def _token(self, request: Request) -> bytes | None:
        token = read_token(request.headers.get("authorization"))
        if token is not None and not self._tokens.knows(token):
            raise RefusedError(401, "Bad credentials")
        return token

    def _answer_call(self, request: Request, token: bytes | None, path: str) -> Response:
        first, _, rest = path.partition("/")
        if first != "repos" or request.method not in ("GET", "HEAD"):
            raise RefusedError(404, NOT_FOUND)

        def answer(call: api.Call) -> Response:
            handler, more = _handler(call.rest)
            return handler(api.Call(call.request, call.repository, call.place, more, call.private, call.cache, call.max_entries))

        return self._call(request, token, rest, answer)

    def _call(self, request: Request, token: bytes | None, path: str, handler: _Handler, held: _Held | None = None) -> Response:
        owner, repo, rest = [*path.split("/", 2), "", ""][:3]
        name = self._repositories.full_name(owner, repo)
        if name is None or not self._tokens.opens(token, name):
            raise RefusedError(404, NOT_FOUND)
        if held is not None and (response := held(request, name, rest, self._cache)) is not None:
            return response
        place = Place(str(request.base_url).rstrip("/"), name)
        with self._repositories.open(name) as repository:
            return handler(api.Call(request, repository, place, rest, self._tokens.is_private(name), self._cache, self._max_entries))

    def _archive(self, call: api.Call) -> Response:
        return get_archive(call, self._repositories.open(call.place.name))


def _path(scope: Scope) -> str:
    """Give the path without its first slash, percent-decoded once; bytes that are not UTF-8 become lone surrogates."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw.partition(b"?")[0]).decode("utf-8", "surrogateescape").removeprefix("/")


def _logged(error: GitError) -> RefusedError:
    refused = refusal_of(error)
    if refused.status >= 500:
        _log.warning("%s", error)
    return refused


def _rate_limit(request: Request, standing: Standing) -> Response:
    core = {"limit": standing.limit, "remaining": standing.remaining, "used": standing.used, "reset": standing.reset, "resource": "core"}
    return json_reply(request, encode({"resources": {"core": core}, "rate": core}))


def routes(
    repositories: Mapping[str, Path],
    rate_limit: RateLimit | None = None,
    *,
    tokens: Mapping[str, str] | None = None,
    max_tree_entries: int = api.MAX_TREE_ENTRIES,
) -> list[BaseRoute]:
    """Give the routes of a Git host; put them behind the application's own.

    Args:
        repositories: "owner/repo" to a local repository, bare or not. Looked at for each request, so what is added later is served.
        rate_limit: Calls of the API that a client has; None tells the headers and refuses nobody.
        tokens: "owner/repo" to the token without which that repository is not found.
        max_tree_entries: Entries after which a listing is cut, with `truncated` true.

    Raises:
        CotaError: A name that no URL can hold, or a path with no repository that boards could use.
    """
    shown = Repositories(repositories)
    shown.check()
    return [_GitHost(shown, Tokens(tokens or {}), Limiter(rate_limit), max_tree_entries)]
