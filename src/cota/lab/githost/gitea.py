"""The API of Gitea and Forgejo below /api/v1/repos, as far as a board needs it.

It follows their API's own pages (https://docs.gitea.com/api, https://codeberg.org/api/swagger): "Get a single commit from a repository",
"Gets the tree of a repository", "Gets the blob of a repository", "Get a file from a repository". What a client of GitHub would trip over:

* a listing comes in pages of at most 1,000 entries, and `truncated` means that there is one more page; behind the last one `tree` is null;
* every entry has a size, 0 for a folder and for a submodule, whose address is empty;
* a ref is one segment of the path, so a slash in it is written %2F; in `?ref=` it may stand as it is;
* an unknown ref is 404 where a commit is asked for, and 400 where a tree is;
* a Range is honoured for one range that names its start, any other is refused, and no header says that ranges are taken.
"""

import base64
from itertools import islice
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cota.git import Change, Commit, EmptyRepositoryError, Entry, GitError, NoSuchPathError, NoSuchRefError, Repository
from cota.lab.githost import shapes
from cota.lab.githost.access import read_token
from cota.lab.githost.desk import Desk
from cota.lab.githost.files import HARMLESS, media_type
from cota.lab.githost.replies import RefusedError, encode, matches
from cota.lab.githost.repos import file_at, number_of

# DEFAULT_GIT_TREES_PER_PAGE of Gitea's settings, which is the most that a page holds too.
MAX_TREES_PER_PAGE = 1_000
_MAX_PAGE = 1_000_000_000
# What git-check-ref-format(1) refuses in a ref's name.
_NO_REF = (" ", "~", "^", ":", "?", "*", "[", "\\", "..", "@{")
_STATUS = {"added": "added", "modified": "modified", "removed": "deleted"}
_UNSIGNED: shapes.Json = {"verified": False, "reason": "gpg.error.not_signed_commit", "signature": "", "signer": None, "payload": ""}


def answer(desk: Desk, request: Request, parts: list[str]) -> Response:
    """Answer a call.

    Args:
        desk: The host.
        request: The request.
        parts: The path's segments behind /api/v1/repos, percent-decoded.
    """
    base = str(request.base_url).rstrip("/")
    try:
        if request.method not in ("GET", "HEAD"):
            raise RefusedError(405, "Method Not Allowed")
        token = read_token(request.headers.get("authorization"))
        if token is not None and not desk.tokens.knows(token):
            raise RefusedError(401, "invalid username, password or token")
        owner, repo, *rest = [*parts, "", ""] if len(parts) < 2 else parts
        name = desk.seen(desk.repositories.full_name(owner, repo), token)
        if name is None:
            raise RefusedError(404, "not found")
        with desk.repositories.open(name) as repository:
            return _call(_Call(desk, request, repository, base, name), rest)
    except RefusedError as refused:
        return _error(base, refused.status, str(refused))
    except (NoSuchPathError, NoSuchRefError, EmptyRepositoryError):
        return _error(base, 404, "not found")
    except GitError:
        return _error(base, 500, "the repository cannot be read")


def _error(base: str, status: int, message: str) -> Response:
    return _json({"message": message, "url": f"{base}/api/swagger"}, status)


def _json(value: object, status: int = 200) -> Response:
    return _reply(encode(value), status)


def _reply(body: bytes, status: int = 200) -> Response:
    # Go's encoder ends what it writes with a newline.
    return Response(body + b"\n", status, {"cache-control": "max-age=0, private, must-revalidate"}, "application/json;charset=utf-8")


class _Call:
    def __init__(self, desk: Desk, request: Request, repository: Repository, base: str, name: str) -> None:
        self.desk, self.request, self.repository, self.base, self.name = desk, request, repository, base, name
        self.api = f"{base}/api/v1/repos/{name}"

    def flag(self, name: str, default: bool = False) -> bool:
        """Read a boolean of the query as Go's ParseBool does."""
        text = self.request.query_params.get(name, "").lower()
        return text in ("1", "t", "true", "on") if text else default

    def number(self, name: str) -> int:
        """Read a number of the query; 0 where it is none."""
        text = self.request.query_params.get(name, "")
        return min(int(text), _MAX_PAGE) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _call(call: _Call, rest: list[str]) -> Response:
    if not rest:
        return _repository(call)
    if rest[0] == "raw" and len(rest) > 1:
        return _raw(call, "/".join(rest[1:]))
    if len(rest) == 3 and rest[0] == "git" and rest[1] in _GIT:
        return _GIT[rest[1]](call, rest[2])
    raise RefusedError(404, "not found")


def _repository(call: _Call) -> Response:
    owner, _, name = call.name.partition("/")
    return _json(
        {
            "id": number_of(call.name),
            "owner": {"id": number_of(owner), "login": owner, "username": owner},
            "name": name,
            "full_name": call.name,
            "description": "",
            "empty": call.repository.is_empty(),
            "private": call.desk.tokens.is_private(call.name),
            "fork": False,
            "html_url": f"{call.base}/{call.name}",
            "url": call.api,
            "default_branch": call.repository.default_branch,
            "archived": False,
            "object_format_name": "sha1",
        }
    )


def _commit(call: _Call, ref: str) -> Response:
    """GET /git/commits/{ref}; `stat`, `verification` and `files` set to false leave the long parts out."""
    if any(mark in ref for mark in _NO_REF):
        raise RefusedError(422, f"no valid ref or sha: {ref}")
    try:
        commit = call.repository.commit(call.repository.resolve(ref))
    except (NoSuchRefError, EmptyRepositoryError):
        raise RefusedError(404, f"commit doesn't exist: {ref}") from None
    changes: list[Change] = []
    if call.flag("stat", True) or call.flag("files", True):
        changes = list(islice(call.repository.changes(commit), shapes.MAX_CHANGES))
    return _json(_commit_shape(call, commit, changes))


def _meta(call: _Call, kind: str, sha: str, seconds: int | None) -> shapes.Json:
    # Of a parent, which is not read for this, Go's empty time is told.
    return {
        "url": f"{call.api}/git/{kind}/{sha}",
        "sha": sha,
        "created": "0001-01-01T00:00:00Z" if seconds is None else shapes.utc(seconds),
    }


def _commit_shape(call: _Call, commit: Commit, changes: list[Change]) -> shapes.Json:
    people = {
        who: {"name": person.name, "email": person.email, "date": shapes.utc(person.time)}
        for who, person in (("author", commit.author), ("committer", commit.committer))
    }
    added, gone = sum(change.additions for change in changes), sum(change.deletions for change in changes)
    return {
        **_meta(call, "commits", commit.sha, commit.committer.time),
        "html_url": f"{call.base}/{call.name}/commit/{commit.sha}",
        "commit": {
            "url": f"{call.api}/git/commits/{commit.sha}",
            **people,
            "message": commit.message,
            "tree": _meta(call, "trees", commit.tree, commit.committer.time),
            "verification": _UNSIGNED if call.flag("verification", True) else None,
        },
        "author": None,
        "committer": None,
        "parents": [_meta(call, "commits", sha, None) for sha in commit.parents],
        "files": [{"filename": shapes.text(change.path), "status": _STATUS[change.status]} for change in changes]
        if call.flag("files", True)
        else None,
        "stats": {"total": added + gone, "additions": added, "deletions": gone} if call.flag("stat", True) else None,
    }


def _tree(call: _Call, ref: str) -> Response:
    """GET /git/trees/{tree, commit or ref}, with `recursive`, `page` and `per_page`."""
    try:
        sha = ref if call.repository.is_tree(ref) else call.repository.resolve(ref)
    except (NoSuchRefError, EmptyRepositoryError):
        raise RefusedError(400, f"sha not found [{ref}]") from None
    per_page = call.number("per_page")
    if not 0 < per_page <= MAX_TREES_PER_PAGE:
        per_page = MAX_TREES_PER_PAGE
    page = max(call.number("page"), 1)
    recursive = call.flag("recursive")
    key = ("gitea", call.api, sha, recursive, per_page, page)
    body = call.desk.cache.get(key)
    if body is None:
        body = encode(_tree_shape(call, sha, list(call.repository.tree(sha, recursive=recursive)), (page, per_page)))
        call.desk.cache.put(key, body)
    return _reply(body)


def _tree_shape(call: _Call, sha: str, entries: list[Entry], cut: tuple[int, int]) -> shapes.Json:
    page, per_page = cut
    start = per_page * (page - 1)
    lines = [_line(call, entry) for entry in entries[start : start + per_page]]
    return {
        "sha": sha,
        "url": f"{call.api}/git/trees/{sha}",
        "tree": lines if start < len(entries) else None,
        "truncated": start + per_page < len(entries),
        "page": page,
        "total_count": len(entries),
    }


def _line(call: _Call, entry: Entry) -> shapes.Json:
    return {
        "path": shapes.text(entry.path),
        "mode": f"{entry.mode:06o}",
        "type": entry.kind,
        "size": entry.size or 0,
        "sha": entry.sha,
        "url": "" if entry.kind == "commit" else f"{call.api}/git/{entry.kind}s/{entry.sha}",
    }


def _blob(call: _Call, sha: str) -> Response:
    """GET /git/blobs/{sha}."""
    data = call.repository.blob(sha)
    content = base64.b64encode(data).decode("ascii")
    return _json({"content": content, "encoding": "base64", "url": f"{call.api}/git/blobs/{sha}", "sha": sha, "size": len(data)})


_GIT = {"blobs": _blob, "commits": _commit, "trees": _tree}


def _raw(call: _Call, path: str) -> Response:
    """GET /raw/{path}?ref=: a file's bytes; the default branch where no ref is named."""
    if call.repository.is_empty():
        raise RefusedError(404, "repository is empty")
    try:
        sha = call.repository.resolve(call.request.query_params.get("ref") or call.repository.default_branch)
    except NoSuchRefError:
        raise RefusedError(404, "unable to find a git ref") from None
    entry, data = file_at(call.repository, sha, path.encode("utf-8", "surrogateescape"))
    name = quote(entry.path.rpartition(b"/")[2])
    headers = {
        "etag": f'"{entry.sha}"',
        "cache-control": "private, max-age=300, no-transform",
        "content-disposition": f"inline; filename*=UTF-8''{name}",
        **HARMLESS,
    }
    if matches(call.request.headers.get("if-none-match"), headers["etag"]):
        return Response(None, 304, headers)
    kind = media_type(data)
    asked = call.request.headers.get("range", "")
    if not data or not asked.startswith("bytes="):
        return Response(data, 200, headers, kind)
    first, dash, last = asked.removeprefix("bytes=").partition("-")
    if not _is_number(first) or int(first) >= len(data):
        return PlainTextResponse("invalid start range\n", 416)
    if not dash or (last and (not _is_number(last) or int(last) < int(first))):
        return PlainTextResponse("invalid end range\n", 400)
    start, end = int(first), min(int(last), len(data) - 1) if last else len(data) - 1
    return Response(data[start : end + 1], 206, {**headers, "content-range": f"bytes {start}-{end}/{len(data)}"}, kind)


def _is_number(text: str) -> bool:
    # Go's 64-bit numbers end after 18 digits or one more.
    return text.isascii() and text.isdigit() and len(text) <= 18
