"""GitLab's files: blobs, a file with its facts, and raw bytes ("Repository files", "Repositories: get a blob")."""

import base64
import hashlib
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from cota.git import EmptyRepositoryError, NoSuchPathError, NoSuchRefError, Repository
from cota.git.types import MODE_EXECUTABLE
from cota.lab.githost import shapes
from cota.lab.githost.files import HARMLESS, media_type
from cota.lab.githost.gitlab_call import Call, GitLabError, json_reply
from cota.lab.githost.replies import reply
from cota.lab.githost.repos import file_at, split_ref


def get_blob(call: Call, sha: str, *, raw: bool) -> Response:
    """GET /repository/blobs/{sha} and /repository/blobs/{sha}/raw."""
    try:
        data = call.repository.blob(sha)
    except NoSuchPathError:
        raise GitLabError(404, "404 Blob Not Found") from None
    if raw:
        return Response(data, 200, {"cache-control": "no-store", **HARMLESS}, "application/octet-stream")
    return json_reply(
        call.request, {"size": len(data), "encoding": "base64", "content": base64.b64encode(data).decode("ascii"), "sha": sha}
    )


def _found(call: Call, path: str) -> tuple[dict[str, object], bytes]:
    """Give what GitLab tells of a file, and its bytes."""
    try:
        commit = call.repository.resolve(call.ref())
    except (NoSuchRefError, EmptyRepositoryError):
        raise GitLabError(404, "404 Commit Not Found") from None
    where = path.strip("/").encode("utf-8", "surrogateescape")
    try:
        entry = call.repository.find(commit, where)
    except NoSuchPathError:
        entry = None
    if entry is None or entry.kind != "blob":
        raise GitLabError(404, "404 File Not Found")
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


def get_file(call: Call, path: str) -> Response:
    """GET /repository/files/{path}?ref=, whose ref must be named."""
    if not call.query.get("ref"):
        raise GitLabError(400, "ref is missing", "error")
    facts, data = _found(call, path)
    return json_reply(call.request, {**facts, "content": base64.b64encode(data).decode("ascii")}, headers=_headers(facts))


def get_raw(call: Call, path: str) -> Response:
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


def get_web_raw(request: Request, repository: Repository, rest: str) -> Response:
    """GET /{owner}/{repo}/-/raw/{ref}/{path}; a Range is not honoured here either."""
    _, sha, path = split_ref(repository, rest)
    entry, data = file_at(repository, sha, path)
    headers = {"cache-control": "max-age=60, public", "content-disposition": "inline", **HARMLESS}
    return reply(request, data, f'W/"{entry.sha}"', media_type(data), headers)
