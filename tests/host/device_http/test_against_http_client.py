"""The device's HTTP reader and CPython's http.client read well-formed responses alike."""

from __future__ import annotations

import http.client
import socket
import string
from dataclasses import dataclass

from device_modules import load
from hypothesis import given
from hypothesis import strategies as st

device = load("http")
KEPT_FREELY = sorted(set(device.KEPT) - {"connection", "content-encoding", "content-length", "transfer-encoding"})

visible = st.text(alphabet=string.ascii_letters + string.digits + string.punctuation + " ", max_size=40)
values = visible.map(str.strip)
names = st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=1, max_size=30).map(lambda name: "X-" + name)


@dataclass(frozen=True)
class Response:
    """One well-formed response, how it is sent, and to which method."""

    method: str
    raw: bytes
    cuts: tuple[int, ...]


@st.composite
def responses(draw: st.DrawFn) -> Response:
    method = draw(st.sampled_from(["GET", "GET", "GET", "POST"]))
    status = draw(st.sampled_from([200, 200, 201, 204, 206, 301, 304, 400, 404, 500, 503]))
    modern = draw(st.booleans())
    # RFC 9112 section 6.1: no transfer coding in HTTP/1.0, nor with a status that has no body.
    framing = draw(st.sampled_from(["length", "chunked", "close"] if modern and status not in (204, 304) else ["length", "close"]))
    body = draw(st.binary(max_size=300))
    lines = [f"{name}: {value}" for name, value in draw(st.lists(st.tuples(names, values), max_size=6))]
    lines += [f"{name.title()}:{draw(values)}" for name in draw(st.lists(st.sampled_from(KEPT_FREELY), unique=True, max_size=4))]
    connection = draw(st.sampled_from(["", "close", "keep-alive"]))
    if connection:
        lines.append(f"Connection: {connection}")
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    start = f"HTTP/1.{int(modern)} {status} {draw(values)}"
    head = "\r\n".join([start, *draw(st.permutations(lines)), "", ""]).encode()
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * draw(st.integers(0, 3))
    bare = status in (204, 304)
    raw = interim + head + (b"" if bare else draw(chunks(body)) if framing == "chunked" else body)
    cuts = draw(st.lists(st.integers(0, len(raw)), max_size=8).map(sorted))
    return Response(method, raw, tuple(cuts))


@st.composite
def chunks(draw: st.DrawFn, body: bytes) -> bytes:
    """The body in chunks of any sizes, with extensions and a trailer."""
    out, at = b"", 0
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        extension = draw(st.sampled_from([b"", b"", b";a", b";name=value", b' ;q="x"']))
        out += draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % size + extension + b"\r\n" + body[at : at + size] + b"\r\n"
        at += size
    return out + b"0\r\n" + draw(st.sampled_from([b"", b"X-Sum: 1\r\n"])) + b"\r\n"


def read_on_device(response: Response) -> tuple[int, dict[str, str], bytes, bool]:
    reader, body = device.ResponseReader(), b""
    done = False
    ends = [*response.cuts, len(response.raw)]
    for start, end in zip([0, *ends], ends, strict=False):
        buf, at = bytearray(response.raw), start
        while not done:
            event = reader.next(buf, at, end)
            at += reader.consumed
            if event == device.DATA:
                body += buf[reader.data_start : reader.data_end]
            done = event == device.DONE
            if event == device.NEED_DATA:
                break
    reusable = reader.reusable
    assert reader.eof() == device.DONE and not reader.reusable
    return reader.status, reader.headers, body, reusable


@given(responses())
def test_a_well_formed_response_reads_as_in_http_client(response: Response) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.sendall(response.raw)
        near.shutdown(socket.SHUT_WR)
        with http.client.HTTPResponse(far, method=response.method) as known:
            known.begin()
            expected = known.read()
            kept = {name.lower(): value for name, value in known.getheaders() if name.lower() in device.KEPT}
            status, headers, body, reusable = read_on_device(response)
            assert (status, body) == (known.status, expected)
            assert headers == kept
            assert reusable is not known.will_close


def outcome(raw: bytes, cuts: list[int]) -> tuple[object, ...]:
    """All that a caller can see of what the reader makes of these bytes and the end after them."""
    reader, body, events = device.ResponseReader(), b"", []
    try:
        for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
            buf, at, event = bytearray(raw), start, -1
            while event not in (device.NEED_DATA, device.DONE):
                event = reader.next(buf, at, end)
                at += reader.consumed
                if event == device.DATA:
                    body += buf[reader.data_start : reader.data_end]
                elif event == device.HEAD:
                    events.append((reader.status, dict(reader.headers), reader.length))
        reader.eof()
    except device.ProtocolError as exc:
        return events, body, exc.args[0]
    return events, body, reader.reusable


# Pieces of which broken responses are made: chance alone would never come past the status line.
fragments = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404 No\n", b"HTTP/1.1 100 Go\r\n", b"Content-Length: 3\r\n", b"content-length:3\n"),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
            b"X: y\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b":",
            b";a=b",
            b"-",
        ),
        *(b"3\r\nabc\r\n", b"0\r\n\r\n", b"a", b"abc", b"3", b"0"),
    ]
)
broken = st.lists(fragments | st.binary(max_size=3), max_size=14).map(b"".join)


@given(st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n"]), broken, st.data())
def test_any_bytes_have_one_meaning_however_they_are_split(start: bytes, rest: bytes, data: st.DataObject) -> None:
    raw = start + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    whole = outcome(raw, [])
    assert outcome(raw, cuts) == whole
    assert outcome(raw, list(range(len(raw)))) == whole
