"""Bytes of the Git host outside its API: raw files and archives."""

import re
from collections.abc import Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cota.git import GitError, NoSuchPathError, Repository
from cota.git.archive import tar_gz
from cota.lab.githost.api import Call
from cota.lab.githost.replies import matches
from cota.lab.githost.repos import Cache, file_at, split_ref

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# Of an object's id in hex, which stands before a file's bytes in the cache.
_SHA_DIGITS = 40
# A file from a repository must not run as a page of this host, which also holds the lab's own page.
HARMLESS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox", "x-content-type-options": "nosniff"}


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Give the one range of bytes that a Range header asks for (RFC 9110, 14.2).

    Returns:
        Start and end, the end not included; None where the whole is to be sent: no header, several ranges, or none that is well formed.

    Raises:
        ValueError: The range lies outside.
    """
    found = _RANGE.fullmatch(header.strip().lower()) if header else None
    if found is None or found.group() == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        count = min(int(last), size)
        if count == 0:
            raise ValueError("a range of no bytes")
        return size - count, size
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise ValueError("a range behind the end")
    return start, min(int(last) + 1, size) if last else size


def media_type(data: bytes) -> str:
    """Give the Content-Type under which a file is harmless: text where it is UTF-8 without NUL, else plain bytes."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "application/octet-stream" if b"\0" in data else "text/plain; charset=utf-8"


def file_reply(request: Request, data: bytes, sha: str) -> Response:
    """Give a file's bytes, or the part, 304 or 416 that the request's headers ask for."""
    headers = {"etag": f'"{sha}"', "accept-ranges": "bytes", "cache-control": "max-age=300", **HARMLESS}
    return ranged_reply(request, data, headers, media_type(data))


def ranged_reply(request: Request, data: bytes, headers: Mapping[str, str], content_type: str) -> Response:
    """Give bytes, or the part, 304 or 416 that the request's headers ask for (RFC 9110, 13 and 14).

    Args:
        request: The request.
        data: All of the bytes.
        headers: Headers of the answer, `etag` among them.
        content_type: The Content-Type of 200 and 206.
    """
    etag = headers["etag"]
    if matches(request.headers.get("if-none-match"), etag):
        return Response(None, 304, headers)
    condition = request.headers.get("if-range")
    # Only a strong ETag may be compared here (RFC 9110, 13.1.5).
    applies = condition is None or (condition == etag and not etag.startswith("W/"))
    try:
        part = wanted_range(request.headers.get("range") if applies else None, len(data))
    except ValueError:
        return Response(None, 416, {**headers, "content-range": f"bytes */{len(data)}"})
    if part is None:
        return Response(data, 200, headers, content_type)
    start, end = part
    return Response(data[start:end], 206, {**headers, "content-range": f"bytes {start}-{end - 1}/{len(data)}"}, content_type)


def held_raw(request: Request, name: str, rest: str, cache: Cache) -> Response | None:
    """Give a file that was asked for before at the same whole commit id: it never changes, and a fleet asks for the same files."""
    held = cache.get((name, rest))
    return None if held is None else file_reply(request, held[_SHA_DIGITS:], held[:_SHA_DIGITS].decode("ascii"))


def get_raw(call: Call) -> Response:
    """GET /raw/{owner}/{repo}/{ref}/{path}; a symbolic link gives its target as text, as on GitHub."""
    _, sha, path = split_ref(call.repository, call.rest)
    entry, data = file_at(call.repository, sha, path)
    if call.rest.startswith(f"{sha}/"):
        call.cache.put((call.place.name, call.rest), entry.sha.encode("ascii") + data)
    return file_reply(call.request, data, entry.sha)


def _pieces(repository: Repository, sha: str, folder: str) -> Iterator[bytes]:
    with repository:
        yield from tar_gz(repository, sha, folder)


def get_archive(call: Call, own: Repository) -> Response:
    """GET /codeload/{owner}/{repo}/legacy.tar.gz/{ref}: the ref's files as a stream without a length, as codeload.github.com gives it.

    Args:
        call: The request.
        own: A repository that is closed with the stream's end, here where the ref is unknown.
    """
    try:
        ref = call.rest.removeprefix("legacy.tar.gz/").removeprefix("tar.gz/")
        if ref == call.rest:
            raise NoSuchPathError("Not an archive.")
        sha = own.resolve(ref)
    except GitError:
        own.close()
        raise
    folder = f"{call.place.name.replace('/', '-')}-{sha[:7]}"
    headers = {
        "content-disposition": f"attachment; filename={folder}.tar.gz",
        "etag": f'"{sha}"',
        "x-content-type-options": "nosniff",
    }
    if matches(call.request.headers.get("if-none-match"), headers["etag"]):
        own.close()
        return Response(None, 304, headers)
    if call.request.method == "HEAD":
        own.close()
        return Response(None, 200, headers, "application/x-gzip")
    return StreamingResponse(_pieces(own, sha, folder), 200, headers, "application/x-gzip")
