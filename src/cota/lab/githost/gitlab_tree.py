"""GitLab's listing of a tree, page by page ("Repositories: list repository tree", "Pagination")."""

import base64
from collections.abc import Sequence
from math import ceil
from urllib.parse import urlencode

from starlette.responses import Response

from cota.git import EmptyRepositoryError, Entry, NoSuchPathError, NoSuchRefError
from cota.lab.githost import shapes
from cota.lab.githost.gitlab_call import Call, GitLabError, json_reply

PER_PAGE = 20
MAX_PER_PAGE = 100
# Past so many records the headers with totals are left out ("Pagination response headers").
MAX_COUNTED = 10_000
_ORDER = {"tree": 0, "blob": 1, "commit": 2}


def get_tree(call: Call) -> Response:
    """GET /repository/tree, with `ref`, `path`, `recursive`, `per_page`, and `page` or `pagination=keyset` and `page_token`."""
    per_page = min(call.number("per_page", PER_PAGE), MAX_PER_PAGE)
    recursive = call.flag("recursive")
    manner = call.query.get("pagination", "legacy")
    if manner not in ("legacy", "keyset", "none"):
        raise GitLabError(400, "pagination does not have a valid value", "error")
    if manner == "none" and not recursive:
        raise GitLabError(400, 'pagination cannot be "none" unless "recursive" is true', "error")
    try:
        sha = call.repository.resolve(call.ref())
    except (NoSuchRefError, EmptyRepositoryError):
        raise GitLabError(404, "404 Tree Not Found") from None
    folder = call.query.get("path", "").strip("/")
    try:
        top = call.repository.find(sha, folder.encode("utf-8", "surrogateescape"))
    except NoSuchPathError:
        top = None
    if top is None or top.kind != "tree":
        raise GitLabError(404, "404 invalid revision or path Not Found")
    entries = sorted(call.repository.tree(top.sha, recursive=recursive, sizes=False), key=lambda entry: _ORDER[entry.kind])
    prefix = f"{folder}/" if folder else ""
    if manner == "none":
        return json_reply(call.request, [_line(entry, prefix) for entry in entries])
    if manner == "keyset":
        return _keyset_page(call, entries, prefix, per_page)
    return _numbered_page(call, entries, prefix, per_page)


def _line(entry: Entry, prefix: str) -> shapes.Json:
    path = shapes.text(entry.path)
    return {"id": entry.sha, "name": path.rpartition("/")[2], "type": entry.kind, "path": prefix + path, "mode": f"{entry.mode:06o}"}


def _address(call: Call, **changed: object) -> str:
    # As it was asked for: in the path of a project the slash is %2F.
    path = bytes(call.request.scope["raw_path"]).partition(b"?")[0].decode("latin-1")
    return f"{call.base}{path}?{urlencode({**call.query, **changed})}"


def _keyset_page(call: Call, entries: Sequence[Entry], prefix: str, per_page: int) -> Response:
    # To a client the token is opaque; ours is the path of the last entry that was given.
    token = call.query.get("page_token", "")
    start = 0
    if token:
        try:
            last = base64.urlsafe_b64decode(token.encode("ascii"))
            start = next(number for number, entry in enumerate(entries, 1) if entry.path == last)
        except (ValueError, StopIteration):
            raise GitLabError(422, "page_token is invalid", "error") from None
    page = entries[start : start + per_page]
    headers = {}
    if len(page) == per_page:
        following = base64.urlsafe_b64encode(page[-1].path).decode("ascii")
        headers["link"] = f'<{_address(call, page_token=following)}>; rel="next"'
    return json_reply(call.request, [_line(entry, prefix) for entry in page], headers=headers)


def _numbered_page(call: Call, entries: Sequence[Entry], prefix: str, per_page: int) -> Response:
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
    return json_reply(call.request, [_line(entry, prefix) for entry in entries[start : start + per_page]], headers=headers)
