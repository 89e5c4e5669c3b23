"""GET /contents/{path}: a file, a folder or a link of a repository at a ref."""

import posixpath
from dataclasses import replace
from itertools import islice
from urllib.parse import quote

from starlette.responses import Response

from cota.git import EmptyRepositoryError, Entry, NoSuchPathError, NoSuchRefError, Repository
from cota.git.types import MODE_FOLDER, MODE_SUBMODULE, MODE_SYMLINK
from cota.lab.githost import shapes
from cota.lab.githost.api import Call
from cota.lab.githost.replies import NOT_FOUND, RefusedError, encode, json_reply, reply, wants

# GitHub lists no more of a folder and gives no bigger file ("Get repository content").
_MAX_FOLDER = 1_000
_MAX_BYTES = 100 * 1024 * 1024
# Symbolic links that are followed, as many as Linux does.
_MAX_LINKS = 40  # Past this a file's content is left out of JSON.
_MAX_JSON_BYTES = 1024 * 1024
_KINDS = {MODE_FOLDER: "dir", MODE_SUBMODULE: "submodule", MODE_SYMLINK: "symlink"}
_JSON = "github.v3; format=json"
_OBJECT = "github.v3; param=object; format=json"
_DOCS = "https://docs.github.com/rest/repos/contents#get-repository-content"


def get_contents(call: Call) -> Response:
    """GET /contents/{path}?ref=: JSON, or bytes where the Accept header asks for raw."""
    ref = call.request.query_params.get("ref") or call.repository.default_branch
    try:
        sha = call.repository.resolve(ref)
    except EmptyRepositoryError:
        raise RefusedError(404, "This repository is empty.", _DOCS) from None
    except NoSuchRefError:
        raise RefusedError(404, f"No commit found for the ref {ref}", _DOCS) from None
    path = call.rest.strip("/").encode("utf-8", "surrogateescape")
    entry = call.repository.find(sha, path)
    if entry.kind == "tree":
        return _folder(call, entry, ref)
    if entry.kind == "commit":
        return json_reply(call.request, encode(_shape(call.place, entry, ref, b"")))
    target = _follow(call.repository, sha, entry) if entry.mode == MODE_SYMLINK else entry
    data = call.repository.blob(target.sha)
    if len(data) > _MAX_BYTES:
        raise RefusedError(403, "This API returns blobs up to 100 MB in size.", _DOCS)
    if wants(call.request, "raw"):
        headers = {"x-content-type-options": "nosniff", "x-github-media-type": "github.v3; param=raw"}
        return reply(call.request, data, f'"{target.sha}"', "application/vnd.github.raw; charset=utf-8", headers)
    shown = Entry(path, target.mode, target.sha, len(data))
    shape = _shape(call.place, shown, ref, data)
    return json_reply(call.request, encode(shape), media=_OBJECT if wants(call.request, "object") else _JSON)


def _folder(call: Call, folder: Entry, ref: str) -> Response:
    if wants(call.request, "raw"):
        raise RefusedError(404, NOT_FOUND, _DOCS)
    prefix = folder.path + b"/" if folder.path else b""
    lines = islice(call.repository.tree(folder.sha, recursive=False), _MAX_FOLDER)
    listed = [_shape(call.place, replace(line, path=prefix + line.path), ref, None) for line in lines]
    if wants(call.request, "object"):
        shape = _shape(call.place, folder, ref, None)
        return json_reply(call.request, encode({**shape, "entries": listed}), media=_OBJECT)
    return json_reply(call.request, encode(listed))


def _follow(repository: Repository, sha: str, link: Entry) -> Entry:
    """Give the file that a link leads to inside the repository, or the link itself where it leads to none."""
    found = link
    for _ in range(_MAX_LINKS):
        if found.mode != MODE_SYMLINK:
            break
        target = repository.blob(found.sha)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(found.path), target))
        try:
            found = repository.find(sha, path)
        except NoSuchPathError:
            return link
    return found if found.kind == "blob" and found.mode != MODE_SYMLINK else link


def _shape(place: shapes.Place, entry: Entry, ref: str, data: bytes | None) -> shapes.Json:
    """Give what GET /contents says of one path.

    Args:
        place: The repository.
        entry: What is at the path; its path is from the root, its size known for a blob.
        ref: The ref as the client named it.
        data: The bytes of the one file that was asked for; None in the listing of a folder.
    """
    kind = _KINDS.get(entry.mode & 0o170000, "file")
    address = f"{place.api}/contents/{quote(entry.path)}?ref={shapes.quoted(ref)}"
    git = None if kind == "submodule" else f"{place.api}/git/{entry.kind}s/{entry.sha}"
    view = "tree" if kind == "dir" else "raw"
    html = f"{place.html}/{view}/{shapes.quoted(ref)}/{quote(entry.path)}"
    shape: shapes.Json = {
        "name": shapes.text(entry.path.rpartition(b"/")[2]),
        "path": shapes.text(entry.path),
        "sha": entry.sha,
        "size": entry.size or 0,
        "url": address,
        "html_url": html,
        "git_url": git,
        "download_url": place.raw(ref, entry.path) if kind in ("file", "symlink") else None,
        # In a folder's listing GitHub calls a submodule a file.
        "type": "file" if kind == "submodule" and data is None else kind,
        "_links": {"self": address, "git": git, "html": html},
    }
    if data is not None and kind == "file":
        fits = len(data) <= _MAX_JSON_BYTES
        shape["content"] = shapes.base64_lines(data) if fits else ""
        shape["encoding"] = "base64" if fits else "none"
    elif data is not None and kind == "symlink":
        shape["target"] = shapes.text(data)
    return shape
