"""The API of GitLab below /api/v4/projects, as far as a board needs it, and its raw files at /{owner}/{repo}/-/raw/{ref}/{path}.

It follows GitLab's REST pages (https://docs.gitlab.com/api): "Projects", "Commits" (get a single commit), "Repositories" (list repository
tree, blobs), "Repository files" (get file, raw file), "Pagination", and "User and IP rate limits". What a client of GitHub would trip over:

* a project is a number or `owner%2Frepo`, one segment of the path, and so are a ref and a file's path;
* a listing has no sizes, and comes in pages of 20, at most 100: with `pagination=keyset` the Link header names the next page, else the
  x-next-page header does; the last full page of a keyset names one more, which is empty;
* folders come first, then files, then submodules;
* a file's size and both of its hashes stand in the X-Gitlab headers of its raw bytes, which HEAD gives alone;
* a Range is not honoured: the answer is 200 with the whole file;
* errors have `message` or, from before the call is found, `error`; the limit is 429 with plain text and Retry-After.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import islice
from math import ceil
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cota.git import Commit, EmptyRepositoryError, Entry, GitError, NoSuchPathError, NoSuchRefError, Repository
from cota.git.types import MODE_EXECUTABLE
from cota.lab.githost import shapes
from cota.lab.githost.access import Standing, client_key, read_token
from cota.lab.githost.desk import Desk
from cota.lab.githost.files import HARMLESS, media_type
from cota.lab.githost.replies import encode, matches
from cota.lab.githost.repos import number_of, split_ref

PER_PAGE = 20
MAX_PER_PAGE = 100
# Past so many records the headers with totals are left out ("Pagination response headers").
MAX_COUNTED = 10_000
_ORDER = {"tree": 0, "blob": 1, "commit": 2}
_SHORT = 8


class _RefusedError(Exception):
    def __init__(self, status: int, message: str, key: str = "message") -> None:
        super().__init__(message)
        self.status = status
        self.key = key


def answer(desk: Desk, request: Request, parts: list[str]) -> Response:
    """Answer a call, and say where its caller stands if a limit is enforced.

    Args:
        desk: The host.
        request: The request.
        parts: The path's segments behind /api/v4/projects, percent-decoded.
    """
    token = _token(request)
    known = token is not None and desk.tokens.knows(token)
    key = client_key(request.client.host if request.client else "unknown", token if known else None)
    standing = desk.limiter.count(f"gitlab {key}", signed_in=known)
    if not standing.allowed:
        late = max(1, standing.reset - int(datetime.now(UTC).timestamp()))
        when = format_datetime(datetime.fromtimestamp(standing.reset, UTC), usegmt=True)
        response: Response = PlainTextResponse("Retry later\n", 429, {"retry-after": str(late), "ratelimit-resettime": when})
    else:
        response = _guarded(desk, request, token, parts)
    response.headers.update(_limits(standing, desk.limiter.window_seconds, known))
    return response


def _token(request: Request) -> bytes | None:
    own = request.headers.get("private-token")
    return read_token(request.headers.get("authorization")) if own is None else own.encode("utf-8", "surrogateescape")


def _limits(standing: Standing, window: int | None, signed_in: bool) -> dict[str, str]:
    if window is None:
        return {}
    return {
        "ratelimit-limit": str(ceil(standing.limit * 60 / window)),
        "ratelimit-name": "throttle_authenticated_api" if signed_in else "throttle_unauthenticated_api",
        "ratelimit-observed": str(standing.used if standing.allowed else standing.used + 1),
        "ratelimit-remaining": str(standing.remaining),
        "ratelimit-reset": str(standing.reset),
    }


def _guarded(desk: Desk, request: Request, token: bytes | None, parts: list[str]) -> Response:
    try:
        return _answer(desk, request, token, parts)
    except _RefusedError as refused:
        return _json(request, {refused.key: str(refused)}, refused.status)
    except (NoSuchPathError, NoSuchRefError, EmptyRepositoryError):
        return _json(request, {"message": "404 Not Found"}, 404)
    except GitError:
        return _json(request, {"message": "500 Internal Server Error"}, 500)


def _answer(desk: Desk, request: Request, token: bytes | None, parts: list[str]) -> Response:
    if token is not None and desk.tokens.is_expired(token):
        raise _RefusedError(401, "invalid_token", "error")
    if token is not None and not desk.tokens.knows(token):
        raise _RefusedError(401, "401 Unauthorized")
    if request.method not in ("GET", "HEAD"):
        raise _RefusedError(405, "405 Not Allowed", "error")
    if not parts or not parts[0]:
        raise _RefusedError(404, "404 Not Found", "error")
    project, *rest = parts
    number = int(project) if project.isascii() and project.isdigit() and len(project) < 12 else None
    owner, _, repo = project.partition("/")
    found = desk.repositories.by_number(number) if number is not None else desk.repositories.full_name(owner, repo)
    name = desk.seen(found, token)
    if name is None:
        raise _RefusedError(404, "404 Project Not Found")
    with desk.repositories.open(name) as repository:
        call = _Call(request, repository, str(request.base_url).rstrip("/"), name, desk.tokens.is_private(name))
        match rest:
            case []:
                return _project(call)
            case ["repository", "tree"]:
                return _tree(call)
            case ["repository", "commits", ref]:
                return _commit(call, ref)
            case ["repository", "blobs", sha]:
                return _blob(call, sha, raw=False)
            case ["repository", "blobs", sha, "raw"]:
                return _blob(call, sha, raw=True)
            case ["repository", "files", path]:
                return _file(call, path)
            case ["repository", "files", path, "raw"]:
                return _raw(call, path)
    raise _RefusedError(404, "404 Not Found", "error")


class _Call:
    def __init__(self, request: Request, repository: Repository, base: str, name: str, private: bool) -> None:
        self.request, self.repository, self.base, self.name, self.private = request, repository, base, name, private
        self.query = request.query_params

    def ref(self) -> str:
        return self.query.get("ref") or "HEAD"

    def number(self, name: str, default: int) -> int:
        """Read a number of the query, which must be one and not 0."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise _RefusedError(400, f"{name} is invalid", "error")
        if int(text) == 0:
            raise _RefusedError(400, f"{name} has a value not allowed", "error")
        return int(text)

    def flag(self, name: str) -> bool:
        """Read a boolean of the query, which must be one."""
        text = self.query.get(name, "").lower()
        if text not in ("", "true", "t", "on", "1", "false", "f", "off", "0"):
            raise _RefusedError(400, f"{name} is invalid", "error")
        return text in ("true", "t", "on", "1")


def _json(request: Request, value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = encode(value)
    shared = {"cache-control": "max-age=0, private, must-revalidate", "vary": "Origin", **(headers or {})}
    if status == 200:
        shared["etag"] = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        if matches(request.headers.get("if-none-match"), shared["etag"]):
            return Response(None, 304, shared)
    return Response(body, status, shared, "application/json")


def _project(call: _Call) -> Response:
    owner, _, name = call.name.partition("/")
    return _json(
        call.request,
        {
            "id": number_of(call.name),
            "description": None,
            "name": name,
            "name_with_namespace": f"{owner} / {name}",
            "path": name,
            "path_with_namespace": call.name,
            "default_branch": call.repository.default_branch,
            "web_url": f"{call.base}/{call.name}",
            "empty_repo": call.repository.is_empty(),
            "archived": False,
            "visibility": "private" if call.private else "public",
        },
    )


def _commit(call: _Call, ref: str) -> Response:
    try:
        commit = call.repository.commit(call.repository.resolve(ref))
    except (NoSuchRefError, EmptyRepositoryError):
        raise _RefusedError(404, "404 Commit Not Found") from None
    return _json(call.request, _commit_shape(call, commit))


def _commit_shape(call: _Call, commit: Commit) -> shapes.Json:
    created = _time(commit.committer.time)
    shape: shapes.Json = {
        "id": commit.sha,
        "short_id": commit.sha[:_SHORT],
        "created_at": created,
        "parent_ids": list(commit.parents),
        "title": commit.message.partition("\n")[0],
        "message": commit.message,
        "author_name": commit.author.name,
        "author_email": commit.author.email,
        "authored_date": _time(commit.author.time),
        "committer_name": commit.committer.name,
        "committer_email": commit.committer.email,
        "committed_date": created,
        "trailers": {},
        "extended_trailers": {},
        "web_url": f"{call.base}/{call.name}/-/commit/{commit.sha}",
    }
    if call.query.get("stats", "true").lower() not in ("false", "f", "off", "0"):
        changes = list(islice(call.repository.changes(commit), shapes.MAX_CHANGES))
        added, gone = sum(change.additions for change in changes), sum(change.deletions for change in changes)
        shape["stats"] = {"additions": added, "deletions": gone, "total": added + gone}
    return {**shape, "status": None, "project_id": number_of(call.name), "last_pipeline": None}


def _time(seconds: int) -> str:
    return f"{shapes.utc(seconds).removesuffix('Z')}.000+00:00"


def _tree(call: _Call) -> Response:
    """GET /repository/tree, with `ref`, `path`, `recursive`, `per_page`, and `page` or `pagination=keyset` and `page_token`."""
    per_page = min(call.number("per_page", PER_PAGE), MAX_PER_PAGE)
    recursive = call.flag("recursive")
    manner = call.query.get("pagination", "legacy")
    if manner not in ("legacy", "keyset", "none"):
        raise _RefusedError(400, "pagination does not have a valid value", "error")
    if manner == "none" and not recursive:
        raise _RefusedError(400, 'pagination cannot be "none" unless "recursive" is true', "error")
    try:
        sha = call.repository.resolve(call.ref())
    except (NoSuchRefError, EmptyRepositoryError):
        raise _RefusedError(404, "404 Tree Not Found") from None
    folder = call.query.get("path", "").strip("/")
    try:
        top = call.repository.find(sha, folder.encode("utf-8", "surrogateescape"))
    except NoSuchPathError:
        top = None
    if top is None or top.kind != "tree":
        raise _RefusedError(404, "404 invalid revision or path Not Found")
    entries = sorted(call.repository.tree(top.sha, recursive=recursive, sizes=False), key=lambda entry: _ORDER[entry.kind])
    prefix = f"{folder}/" if folder else ""
    if manner == "none":
        return _json(call.request, [_line(entry, prefix) for entry in entries])
    if manner == "keyset":
        return _keyset_page(call, entries, prefix, per_page)
    return _numbered_page(call, entries, prefix, per_page)


def _line(entry: Entry, prefix: str) -> shapes.Json:
    path = shapes.text(entry.path)
    return {"id": entry.sha, "name": path.rpartition("/")[2], "type": entry.kind, "path": prefix + path, "mode": f"{entry.mode:06o}"}


def _address(call: _Call, **changed: object) -> str:
    # As it was asked for: in the path of a project the slash is %2F.
    path = bytes(call.request.scope["raw_path"]).partition(b"?")[0].decode("latin-1")
    return f"{call.base}{path}?{urlencode({**call.query, **changed})}"


def _keyset_page(call: _Call, entries: Sequence[Entry], prefix: str, per_page: int) -> Response:
    # To a client the token is opaque; ours is the path of the last entry that was given.
    token = call.query.get("page_token", "")
    start = 0
    if token:
        try:
            last = base64.urlsafe_b64decode(token.encode("ascii"))
            start = next(number for number, entry in enumerate(entries, 1) if entry.path == last)
        except (ValueError, StopIteration):
            raise _RefusedError(422, "page_token is invalid", "error") from None
    page = entries[start : start + per_page]
    headers = {}
    if len(page) == per_page:
        following = base64.urlsafe_b64encode(page[-1].path).decode("ascii")
        headers["link"] = f'<{_address(call, page_token=following)}>; rel="next"'
    return _json(call.request, [_line(entry, prefix) for entry in page], headers=headers)


def _numbered_page(call: _Call, entries: Sequence[Entry], prefix: str, per_page: int) -> Response:
    page = call.number("page", 1)
    pages = max(1, ceil(len(entries) / per_page))
    counted = len(entries) <= MAX_COUNTED
    before, after = page - 1 if page > 1 else None, page + 1 if page < pages else None
    numbers = {"prev": before, "next": after, "first": 1, "last": pages if counted else None}
    links = [f'<{_address(call, page=number, per_page=per_page)}>; rel="{name}"' for name, number in numbers.items() if number]
    headers = {
        "link": ", ".join(links),
        "x-next-page": str(after or ""),
        "x-page": str(page),
        "x-per-page": str(per_page),
        "x-prev-page": str(before or ""),
    }
    if counted:
        headers |= {"x-total": str(len(entries)), "x-total-pages": str(pages)}
    start = (page - 1) * per_page
    return _json(call.request, [_line(entry, prefix) for entry in entries[start : start + per_page]], headers=headers)


def _blob(call: _Call, sha: str, *, raw: bool) -> Response:
    try:
        data = call.repository.blob(sha)
    except NoSuchPathError:
        raise _RefusedError(404, "404 Blob Not Found") from None
    if raw:
        return Response(data, 200, {"cache-control": "no-store", **HARMLESS}, "application/octet-stream")
    return _json(call.request, {"size": len(data), "encoding": "base64", "content": base64.b64encode(data).decode("ascii"), "sha": sha})


def _found(call: _Call, path: str) -> tuple[dict[str, object], bytes]:
    """Give what GitLab tells of a file, and its bytes."""
    try:
        commit = call.repository.resolve(call.ref())
    except (NoSuchRefError, EmptyRepositoryError):
        raise _RefusedError(404, "404 Commit Not Found") from None
    where = path.strip("/").encode("utf-8", "surrogateescape")
    try:
        entry = call.repository.find(commit, where)
    except NoSuchPathError:
        entry = None
    if entry is None or entry.kind != "blob":
        raise _RefusedError(404, "404 File Not Found")
    data = call.repository.blob(entry.sha)
    last = next(iter(call.repository.history(commit, where)))
    return {
        "file_name": shapes.text(where.rpartition(b"/")[2]),
        "file_path": shapes.text(where),
        "size": len(data),
        "encoding": "base64",
        "content_sha256": hashlib.sha256(data).hexdigest(),
        "ref": call.ref(),
        "blob_id": entry.sha,
        "commit_id": commit,
        "last_commit_id": last.sha,
        "execute_filemode": entry.mode == MODE_EXECUTABLE,
    }, data


def _headers(facts: dict[str, object]) -> dict[str, str]:
    shown = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in facts.items()}
    # A header holds Latin-1 (RFC 9110, 5.5); the bytes of UTF-8 are sent as they are.
    return {f"x-gitlab-{name.replace('_', '-')}": text.encode("utf-8").decode("latin-1") for name, text in shown.items()}


def _file(call: _Call, path: str) -> Response:
    """GET /repository/files/{path}?ref=, whose ref must be named."""
    if not call.query.get("ref"):
        raise _RefusedError(400, "ref is missing", "error")
    facts, data = _found(call, path)
    return _json(call.request, {**facts, "content": base64.b64encode(data).decode("ascii")}, headers=_headers(facts))


def _raw(call: _Call, path: str) -> Response:
    """GET /repository/files/{path}/raw?ref=: the bytes of a file, HEAD its facts alone."""
    facts, data = _found(call, path)
    name = quote(str(facts["file_name"]))
    headers = {
        **_headers(facts),
        "cache-control": "max-age=0, private, must-revalidate, no-store, no-cache",
        "content-disposition": f"inline; filename=\"{name}\"; filename*=UTF-8''{name}",
        **HARMLESS,
    }
    return Response(data, 200, headers, media_type(data))


def web_raw(desk: Desk, request: Request, name: str, rest: str) -> Response | None:
    """Give the answer to /{owner}/{repo}/-/raw/{ref}/{path}, without a Range as there; None where the path is another.

    Args:
        desk: The host.
        request: The request.
        name: The repository, as `Repositories.full_name` gave it.
        rest: The path behind the repository's name.
    """
    if not rest.startswith("-/raw/"):
        return None
    if desk.seen(name, _token(request)) is None:
        return PlainTextResponse("404: Not Found", 404)
    with desk.repositories.open(name) as repository:
        _, sha, path = split_ref(repository, rest.removeprefix("-/raw/"))
        entry = repository.find(sha, path)
        if entry.kind != "blob":
            raise NoSuchPathError("Not a file.")
        data = repository.blob(entry.sha)
    headers = {"etag": f'W/"{entry.sha}"', "cache-control": "max-age=60, public", "content-disposition": "inline", **HARMLESS}
    if matches(request.headers.get("if-none-match"), headers["etag"]):
        return Response(None, 304, headers)
    return Response(data, 200, headers, media_type(data))
