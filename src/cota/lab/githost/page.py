"""The page of a folder: what a person sees who opens the address of a release."""

import html
from itertools import islice
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from cota.git import EmptyRepositoryError, Entry, GitError, NoSuchPathError
from cota.lab.githost.api import Call
from cota.lab.githost.replies import NOT_FOUND, RefusedError
from cota.lab.githost.repos import split_ref

_POLICY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'", "x-content-type-options": "nosniff"}
_STYLE = "body{font:1rem/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}"
# Entries that a page lists; a person reads no more.
_MAX_LISTED = 1_000


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"))


def _shown(text: str | bytes) -> str:
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return html.escape(data.decode("utf-8", "replace"))


def get_page(call: Call) -> Response:
    """GET /{owner}/{repo}[/tree/{ref}[/{folder}]], and from /{owner}/{repo}/{raw or blob}/{ref}/{path} to the file's bytes."""
    view, _, rest = call.rest.partition("/")
    if view in ("raw", "blob") and rest:
        return RedirectResponse(f"/raw/{call.place.name}/{_quoted(rest)}", 302)
    if view not in ("", "tree") or (view == "tree" and not rest):
        raise RefusedError(404, NOT_FOUND)
    try:
        ref, sha, path = split_ref(call.repository, rest or "HEAD")
    except EmptyRepositoryError:
        return _page(call.place.name, "<p>This repository has no commit yet.</p>")
    folder = call.repository.find(sha, path.strip(b"/"))
    if folder.kind != "tree":
        raise NoSuchPathError("Not a folder.")
    if not rest and _leads_to(call, call.repository.default_branch, sha):
        ref = call.repository.default_branch
    entries = list(islice(call.repository.tree(folder.sha, recursive=False), _MAX_LISTED + 1))
    note = f"<p>Only the first {_MAX_LISTED} entries are listed.</p>" if len(entries) > _MAX_LISTED else ""
    lines = "".join(_line(call.place.name, ref, folder.path, entry) for entry in entries[:_MAX_LISTED])
    title = call.place.name + (f"/{_shown(folder.path)}" if folder.path else "")
    up = f"<li>{_up(call.place.name, ref, folder.path)}</li>" if folder.path else ""
    return _page(title, f"<p>{_shown(ref)} at commit <code>{sha}</code></p><ul>{up}{lines}</ul>{note}")


def _leads_to(call: Call, ref: str, sha: str) -> bool:
    try:
        return call.repository.resolve(ref) == sha
    except GitError:
        return False


def _up(name: str, ref: str, path: bytes) -> str:
    parent = path.rpartition(b"/")[0]
    return f'<a href="/{name}/tree/{_quoted(ref)}{"/" if parent else ""}{quote(parent)}">..</a>'


def _line(name: str, ref: str, folder: bytes, entry: Entry) -> str:
    label = _shown(entry.path)
    below = quote((folder + b"/" if folder else b"") + entry.path)
    if entry.kind == "tree":
        return f'<li><a href="/{name}/tree/{_quoted(ref)}/{below}">{label}/</a></li>'
    if entry.kind == "commit":
        return f"<li>{label} (submodule at {entry.sha[:12]})</li>"
    return f'<li><a href="/raw/{name}/{_quoted(ref)}/{below}">{label}</a> {entry.size} bytes</li>'


def _page(title: str, body: str) -> Response:
    """Give a page; both texts are HTML already."""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    )
    return Response(page.encode("utf-8"), 200, _POLICY, "text/html; charset=utf-8")
