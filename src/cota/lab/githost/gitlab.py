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

from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import islice
from math import ceil

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cota.git import Commit, EmptyRepositoryError, GitError, NoSuchRefError
from cota.lab.githost import shapes
from cota.lab.githost.access import Standing, client_key, read_token
from cota.lab.githost.desk import Desk
from cota.lab.githost.gitlab_call import Call, GitLabError, json_reply
from cota.lab.githost.gitlab_files import get_blob, get_file, get_raw, get_web_raw
from cota.lab.githost.gitlab_tree import get_tree
from cota.lab.githost.repos import number_of

_SHORT = 8


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
    except GitLabError as refused:
        return json_reply(request, {refused.key: str(refused)}, refused.status)
    except GitError:
        return json_reply(request, {"message": "500 Internal Server Error"}, 500)


def _answer(desk: Desk, request: Request, token: bytes | None, parts: list[str]) -> Response:
    if token is not None and desk.tokens.is_expired(token):
        raise GitLabError(401, "invalid_token", "error")
    if token is not None and not desk.tokens.knows(token):
        raise GitLabError(401, "401 Unauthorized")
    if request.method not in ("GET", "HEAD"):
        raise GitLabError(405, "405 Not Allowed", "error")
    if not parts or not parts[0]:
        raise GitLabError(404, "404 Not Found", "error")
    project, *rest = parts
    number = int(project) if project.isascii() and project.isdigit() and len(project) < 12 else None
    owner, _, repo = project.partition("/")
    found = desk.repositories.by_number(number) if number is not None else desk.repositories.full_name(owner, repo)
    name = desk.seen(found, token)
    if name is None:
        raise GitLabError(404, "404 Project Not Found")
    with desk.repositories.open(name) as repository:
        call = Call(request, repository, str(request.base_url).rstrip("/"), name, desk.tokens.is_private(name))
        match rest:
            case []:
                return _project(call)
            case ["repository", "tree"]:
                return get_tree(call)
            case ["repository", "commits", ref]:
                return _commit(call, ref)
            case ["repository", "blobs", sha]:
                return get_blob(call, sha, raw=False)
            case ["repository", "blobs", sha, "raw"]:
                return get_blob(call, sha, raw=True)
            case ["repository", "files", path]:
                return get_file(call, path)
            case ["repository", "files", path, "raw"]:
                return get_raw(call, path)
    raise GitLabError(404, "404 Not Found", "error")


def _project(call: Call) -> Response:
    owner, _, name = call.name.partition("/")
    return json_reply(
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


def _commit(call: Call, ref: str) -> Response:
    try:
        commit = call.repository.commit(call.repository.resolve(ref))
    except (NoSuchRefError, EmptyRepositoryError):
        raise GitLabError(404, "404 Commit Not Found") from None
    return json_reply(call.request, _commit_shape(call, commit))


def _commit_shape(call: Call, commit: Commit) -> shapes.Json:
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


def web_raw(desk: Desk, request: Request, name: str, rest: str) -> Response | None:
    """Give the answer to /{owner}/{repo}/-/raw/{ref}/{path}; None where the path is another.

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
        return get_web_raw(request, repository, rest.removeprefix("-/raw/"))
