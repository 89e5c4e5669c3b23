"""A Git host for local repositories that looks like several, told apart by the path.

GitHub Enterprise Server at `/api/v3/…`, `/raw/{owner}/{repo}/…` and `/codeload/{owner}/{repo}/…`; Gitea and Forgejo at `/api/v1/repos/…`;
GitLab at `/api/v4/projects/…` and `/{owner}/{repo}/-/raw/…`; jsDelivr at `/v1/packages/gh/…` and `/gh/…`; and for the repositories it has a
page at `/{owner}/{repo}…`. All on one port with whatever else the application serves. Paths are matched as bytes, so that any name that Git
can hold can be asked for.
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
from cota.lab.githost import api, gitea, gitlab, jsdelivr
from cota.lab.githost.access import GitToken, Limiter, RateLimit, Standing, Tokens, client_key, read_token
from cota.lab.githost.contents import get_contents
from cota.lab.githost.desk import Desk
from cota.lab.githost.files import get_archive, get_raw, held_raw
from cota.lab.githost.page import get_page
from cota.lab.githost.replies import NOT_FOUND, RefusedError, encode, error_reply, json_reply, limit_exceeded, no_user_agent, refusal_of
from cota.lab.githost.repos import Cache, Repositories
from cota.lab.githost.shapes import Place

__all__ = ["GitToken", "RateLimit", "routes"]

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


# Where each of the other hosts begins, in segments of the path, and what answers it.
_OTHER_HOSTS: tuple[tuple[tuple[str, ...], Callable[[Desk, Request, list[str]], Response]], ...] = (
    (("api", "v1", "repos"), gitea.answer),
    (("api", "v4", "projects"), gitlab.answer),
    (("v1", "packages", "gh"), jsdelivr.answer_data),
    (("gh",), jsdelivr.answer_cdn),
)


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
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._repositories, self._tokens, self._limiter = desk.repositories, desk.tokens, desk.limiter
        self._threads: anyio.CapacityLimiter | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        first, owner = [*_path(scope).split("/", 2), ""][:2]
        ours = (first, owner) == ("api", "v3") or first in ("raw", "codeload") or self._repositories.full_name(first, owner) is not None
        return (Match.FULL if ours or _other_host(scope) else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_THREADS)
        request = Request(scope, receive)
        response = await anyio.to_thread.run_sync(self._answer, request, limiter=self._threads)
        await response(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = _path(request.scope)
        other = _other_host(request.scope)
        if other is not None:
            host, parts = other
            return host(self._desk, request, parts)
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
            return self._web_raw(request, path) or self._call(request, token, path, get_page)
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
        response.headers.update({**standing.headers(), **self._tokens.expiry_headers(token if known else None)})
        return response

    def _web_raw(self, request: Request, path: str) -> Response | None:
        owner, repo, rest = [*path.split("/", 2), "", ""][:3]
        name = self._repositories.full_name(owner, repo)
        return None if name is None else gitlab.web_raw(self._desk, request, name, rest)

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
        name = self._desk.seen(self._repositories.full_name(owner, repo), token)
        if name is None:
            raise RefusedError(404, NOT_FOUND)
        if held is not None and (response := held(request, name, rest, self._desk.cache)) is not None:
            return response
        place = Place(str(request.base_url).rstrip("/"), name)
        with self._repositories.open(name) as repository:
            private = self._tokens.is_private(name)
            return handler(api.Call(request, repository, place, rest, private, self._desk.cache, self._desk.max_entries))

    def _archive(self, call: api.Call) -> Response:
        return get_archive(call, self._repositories.open(call.place.name))


def _raw_path(scope: Scope) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    return raw.partition(b"?")[0].removeprefix(b"/")


def _path(scope: Scope) -> str:
    """Give the path without its first slash, percent-decoded once; bytes that are not UTF-8 become lone surrogates."""
    return unquote_to_bytes(_raw_path(scope)).decode("utf-8", "surrogateescape")


def _other_host(scope: Scope) -> tuple[Callable[[Desk, Request, list[str]], Response], list[str]] | None:
    """Give what answers a path of a host that is not GitHub, and the segments behind its start, decoded each by itself."""
    parts = [unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in _raw_path(scope).split(b"/")]
    for start, host in _OTHER_HOSTS:
        if tuple(parts[: len(start)]) == start:
            return host, parts[len(start) :]
    return None


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
    tokens: Mapping[str, str | GitToken] | None = None,
    max_tree_entries: int = api.MAX_TREE_ENTRIES,
) -> list[BaseRoute]:
    """Give the routes of a Git host; put them behind the application's own.

    Args:
        repositories: "owner/repo" to a local repository, bare or not. Looked at for each request, so what is added later is served.
        rate_limit: Calls of the API that a client has; None tells the headers and refuses nobody.
        tokens: "owner/repo" to the token without which that repository is not found, where it shall expire as a `GitToken`.
        max_tree_entries: Entries after which a listing is cut, with `truncated` true.

    Raises:
        CotaError: A name that no URL can hold, or a path with no repository that boards could use.
    """
    shown = Repositories(repositories)
    shown.check()
    return [_GitHost(Desk(shown, Tokens(tokens or {}), Limiter(rate_limit), Cache(), max_tree_entries))]
