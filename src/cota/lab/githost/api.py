"""The API under /api/v3/repos: each call as a function of an open repository.

Paths and answers are those of GitHub's REST API, version 3 (https://docs.github.com/rest), under the prefix of GitHub Enterprise Server.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cota.git import EmptyRepositoryError, GitError, NoSuchRefError, Repository
from cota.lab.githost import shapes
from cota.lab.githost.replies import NOT_FOUND, RefusedError, encode, json_reply, reply, wants
from cota.lab.githost.repos import Cache

# GitHub cuts a listing at 100,000 entries or 7 MB ("Get a tree").
MAX_TREE_ENTRIES = 100_000
_MAX_TREE_BYTES = 7 * 1024 * 1024
_MAX_PER_PAGE = 100
_PER_PAGE = 30
_MAX_PAGE = 1_000_000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request for one repository, with what it may use.

    Attributes:
        request: The request.
        repository: Open until the answer is made.
        place: Where the repository is shown.
        rest: What the path has behind the call's name, percent-decoded; bytes that are not UTF-8 are lone surrogates.
        private: Whether only a token opens the repository.
        cache: Answers that never change.
        max_entries: Entries after which a listing is cut.
    """

    request: Request
    repository: Repository
    place: shapes.Place
    rest: str
    private: bool
    cache: Cache
    max_entries: int


def _number(call: Call, name: str, default: int, most: int) -> int:
    given = call.request.query_params.get(name, "")
    # Nine digits are past every limit here.
    return min(max(int(given), 1), most) if given.isascii() and given.isdigit() and len(given) <= 9 else default


def _paged(call: Call, values: Iterable[_T], shape: Callable[[shapes.Place, _T], shapes.Json]) -> Response:
    per_page, page = _number(call, "per_page", _PER_PAGE, _MAX_PER_PAGE), _number(call, "page", 1, _MAX_PAGE)
    start = (page - 1) * per_page
    found = list(islice(values, start, start + per_page + 1))
    links = []
    for relation, number, there in (("prev", page - 1, page > 1), ("next", page + 1, len(found) > per_page), ("first", 1, page > 1)):
        if there:
            query = urlencode({**call.request.query_params, "page": number})
            links.append(f'<{call.place.base}{call.request.url.path}?{query}>; rel="{relation}"')
    body = encode([shape(call.place, value) for value in found[:per_page]])
    return json_reply(call.request, body, {"link": ", ".join(links)} if links else None)


def get_repository(call: Call) -> Response:
    """GET /repos/{owner}/{repo}."""
    return json_reply(call.request, encode(shapes.repository(call.place, call.repository.default_branch, call.private)))


def list_commits(call: Call) -> Response:
    """GET /commits, with `sha`, `path`, `per_page` and `page`."""
    ref = call.request.query_params.get("sha") or "HEAD"
    try:
        sha = call.repository.resolve(ref)
    except EmptyRepositoryError:
        raise
    except NoSuchRefError:
        raise RefusedError(404, f"No commit found for SHA: {ref}") from None
    path = call.request.query_params.get("path", "").strip("/").encode("utf-8", "surrogateescape")
    return _paged(call, call.repository.history(sha, path or None), shapes.listed_commit)


def get_commit(call: Call) -> Response:
    """GET /commits/{ref}: JSON, or the bare id where the Accept header asks for application/vnd.github.sha."""
    try:
        sha = call.repository.resolve(call.rest)
    except EmptyRepositoryError:
        raise
    except NoSuchRefError:
        raise RefusedError(
            422, f"No commit found for SHA: {call.rest}", "https://docs.github.com/rest/commits/commits#get-a-commit"
        ) from None
    if wants(call.request, "sha"):
        headers = {"x-github-media-type": "github.v3; param=sha", "vary": "Accept"}
        return reply(call.request, sha.encode("ascii"), f'"{sha}"', "application/vnd.github.sha; charset=utf-8", headers)
    commit = call.repository.commit(sha)
    changes = list(islice(call.repository.changes(commit), shapes.MAX_CHANGES))
    return json_reply(call.request, encode(shapes.full_commit(call.place, commit, changes)))


def get_git_commit(call: Call) -> Response:
    """GET /git/commits/{sha}."""
    return json_reply(call.request, encode(shapes.git_commit(call.place, call.repository.commit(call.rest))))


def _tree_sha(call: Call) -> str:
    if call.repository.is_tree(call.rest):
        return call.rest
    return call.repository.resolve(call.rest)


def get_tree(call: Call) -> Response:
    """GET /git/trees/{sha or ref}; `recursive` with any value, even 0, goes into folders, as on GitHub."""
    sha = _tree_sha(call)
    recursive = "recursive" in call.request.query_params
    key = (call.place, sha, recursive, call.max_entries)
    body = call.cache.get(key)
    if body is None:
        body = _listing(call, sha, recursive)
        call.cache.put(key, body)
    return json_reply(call.request, body)


def _listing(call: Call, sha: str, recursive: bool) -> bytes:
    lines: list[bytes] = []
    held, truncated = 0, False
    for entry in call.repository.tree(sha, recursive=recursive):
        line = encode(shapes.tree_line(call.place, entry))
        held += len(line) + 1
        if len(lines) >= call.max_entries or held > _MAX_TREE_BYTES:
            truncated = True
            break
        lines.append(line)
    head, tail = encode(shapes.tree(call.place, sha, [], truncated)).split(b"[]")
    return head + b"[" + b",".join(lines) + b"]" + tail


def get_blob(call: Call) -> Response:
    """GET /git/blobs/{sha}: JSON with base64, or the bytes where the Accept header asks for raw."""
    data = call.repository.blob(call.rest)
    if wants(call.request, "raw"):
        return reply(
            call.request, data, f'"{call.rest}"', "application/vnd.github.raw; charset=utf-8", {"x-content-type-options": "nosniff"}
        )
    return json_reply(call.request, encode(shapes.blob(call.place, call.rest, data)))


def get_git_ref(call: Call) -> Response:
    """GET /git/ref/{heads/…, tags/…} and /git/refs/{…}."""
    return json_reply(call.request, encode(shapes.git_ref(call.place, call.repository.ref(f"refs/{call.rest}"))))


def list_branches(call: Call) -> Response:
    """GET /branches."""
    return _paged(call, call.repository.branches(), shapes.branch)


def get_branch(call: Call) -> Response:
    """GET /branches/{branch}."""
    try:
        ref = call.repository.ref(f"refs/heads/{call.rest}")
    except NoSuchRefError:
        raise RefusedError(404, "Branch not found") from None
    shape = shapes.branch(call.place, ref)
    shape["commit"] = shapes.listed_commit(call.place, call.repository.commit(ref.commit))
    return json_reply(call.request, encode(shape))


def list_tags(call: Call) -> Response:
    """GET /tags."""
    return _paged(call, call.repository.tags(), shapes.tag)


def get_tarball(call: Call) -> Response:
    """GET /tarball[/{ref}]: 302 to the address that streams it."""
    ref = call.rest or call.repository.default_branch
    try:
        call.repository.resolve(ref)
    except GitError:
        raise RefusedError(404, NOT_FOUND) from None
    return RedirectResponse(call.place.archive(ref), 302, {"cache-control": "public, must-revalidate, max-age=0"})
