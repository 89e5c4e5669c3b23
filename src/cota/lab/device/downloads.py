"""Answers that carry a package's bytes: whole, in ThingsBoard's chunks, or a byte range of the whole."""

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from cota.lab.data.packages import Packages
from cota.lab.data.store import Row
from cota.lab.errors import EmptyError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_CONTENT_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+( *; *[\w-]+=[\w\".:+-]+)*", re.ASCII)


def _headers(package: Row) -> dict[str, str]:
    name = package["file_name"]
    if not re.fullmatch(r"[ -~]+", name):
        name = quote(name)  # a header holds printable ASCII
    kind = package["content_type"]
    return {
        "content-disposition": f"attachment;filename={name}",
        "x-filename": name,
        "content-type": kind if _CONTENT_TYPE.fullmatch(kind) else "application/octet-stream",
    }


def _part(packages: Packages, package: Row, status: int, span: tuple[int, int], extra: dict[str, str]) -> Response:
    offset, length = span

    async def stream() -> AsyncIterator[bytes]:
        for part in packages.read(package["id"], offset, length):
            yield part

    headers = {**_headers(package), "content-length": str(length), **extra}
    return StreamingResponse(stream(), status_code=status, headers=headers) if length else Response(status_code=status, headers=headers)


def whole(packages: Packages, package: Row, range_header: str | None) -> Response:
    """Return the whole file, or the one byte range that was asked for (206; 416 if it lies outside)."""
    size = package["data_size"]
    asked = _RANGE.fullmatch(range_header or "")
    if asked is None or asked[1] == asked[2] == "":
        return _part(packages, package, 200, (0, size), {"accept-ranges": "bytes"})
    if asked[1]:
        first, last = int(asked[1]), min(int(asked[2]) if asked[2] else size - 1, size - 1)
    else:
        first, last = max(0, size - int(asked[2])), size - 1
    if asked[1] and asked[2] and int(asked[1]) > int(asked[2]):  # no valid range: ignored, RFC 9110 section 14.1.1
        return _part(packages, package, 200, (0, size), {"accept-ranges": "bytes"})
    if first >= size or first > last:
        return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
    extra = {"accept-ranges": "bytes", "content-range": f"bytes {first}-{last}/{size}"}
    return _part(packages, package, 206, (first, last - first + 1), extra)


def chunk(packages: Packages, package: Row, size: int, number: int) -> Response:
    """Return a chunk; past the end it is empty and still a success, as on ThingsBoard.

    Raises:
        ApiError: 500 without a body where ThingsBoard's 32-bit offset is negative.
    """
    span = chunk_span(package, size, number)
    if span is None:
        raise EmptyError(500)
    return _part(packages, package, 200, span, {})


def chunk_span(package: Row, size: int, number: int) -> tuple[int, int] | None:
    """Return where a chunk begins and how long it is, 0 past the end; None where ThingsBoard's 32-bit offset is negative."""
    offset = (size * number + 2**31) % 2**32 - 2**31
    return None if offset < 0 else (offset, max(0, min(size, package["data_size"] - offset)))
