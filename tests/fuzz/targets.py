"""What is fuzzed: each target takes bytes, feeds them to a module of the device library, and raises where that breaks its word."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARY = Path(__file__).parents[2] / "device/lib/ota"
PACKAGE = "fuzzed_ota"  # the host never imports the package `ota`


def module(name: str) -> Any:
    """A module of the device library."""
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE)
        package.__path__ = [str(LIBRARY)]
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.{name}")


def _splits(data: bytes) -> tuple[int, bytes]:
    """The first byte says how the rest is split: the size of a piece."""
    return (data[0] or 1, data[1:]) if data else (1, b"")


def _pieces(raw: bytes, size: int) -> Iterator[tuple[int, int]]:
    return ((at, min(at + size, len(raw))) for at in range(0, len(raw), size))


def _response(raw: bytes, size: int) -> tuple[object, ...]:
    """All that a caller can see of what the reader makes of a response in pieces, and of the end after it."""
    http = module("http")
    reader, body, heads = http.ResponseReader(), b"", []
    buf = bytearray(raw)
    try:
        for start, end in _pieces(raw, size):
            at, event = start, -1
            while event not in (http.NEED_DATA, http.DONE):
                event = reader.next(buf, at, end)
                assert 0 <= reader.consumed <= end - at
                at += reader.consumed
                if event == http.DATA:
                    assert reader.data_start < reader.data_end <= end
                    body += buf[reader.data_start : reader.data_end]
                elif event == http.HEAD:
                    assert 100 <= reader.status <= 999
                    assert all(name in http.KEPT and len(value) <= http.LINE_BYTES for name, value in reader.headers.items())
                    heads.append((reader.status, dict(reader.headers), reader.length))
        reader.eof()
    except http.ProtocolError as exc:
        return heads, body, exc.args[0]
    assert len(heads) == 1
    assert reader.length is None or reader.received in (0, reader.length)
    return heads, body, "whole"


def http(data: bytes) -> None:
    """A response means the same however it is split; whatever is no response raises ProtocolError."""
    size, raw = _splits(data)
    whole = _response(raw, max(1, len(raw)))
    assert _response(raw, size) == whole
    if len(raw) < 300:
        assert _response(raw, 1) == whole


def _entries(raw: bytes, size: int) -> tuple[list[tuple[Any, ...]], str]:
    listing = module("listing")
    got: list[tuple[Any, ...]] = []
    parser = listing.TreeListing(lambda *entry: got.append(entry))
    try:
        for start, end in _pieces(raw, size):
            parser.feed(memoryview(raw)[start:end])
        parser.end()
    except listing.ListingError as exc:
        return got, exc.args[0]
    return got, ""


def listing(data: bytes) -> None:
    """A listing means the same however it is split, every entry is well-formed, and whatever is no listing raises ListingError."""
    size, raw = _splits(data)
    whole = _entries(raw, max(1, len(raw)))
    assert _entries(raw, size) == whole
    for path, mode, kind, sha, length in whole[0]:
        assert path and path.encode() and len(mode) == 6 and len(sha) == 40
        assert kind in ("blob", "tree", "commit") and type(length) is int and length >= 0


def url(data: bytes) -> None:
    """A `fw_url` is an address whose requests are well-formed, or an error of ours that repeats no password."""
    errors, github, reader = module("errors"), module("github"), module("http")
    text = data.decode("utf-8", "replace")
    try:
        found = module("url").Repository(text, ("git.example", "127.0.0.1:8080"))
    except errors.OverTheAirUpdateError as exc:
        authority = text.partition("://")[2].split("/")[0].split("?")[0].split("#")[0]
        secret, at, _ = authority.rpartition("@")
        if (
            at
            and len(secret) > 3
            and secret not in text.replace(secret + "@", "", 1)
            and not any(secret in known for known in errors._NEVER.values())
        ):
            assert secret not in exc.args[0], exc.args[0]
        assert len(errors.sentence(exc)) <= 200
        return
    assert found.host in ("github.com", "www.github.com", "git.example", "127.0.0.1") and 0 < found.port < 65536
    for ref, folder in github.refs(found):
        assert ref
        for _, host, port, target in (github.commit_url(found, ref), github.raw_url(found, "0" * 40, folder + "/a b")):
            assert target[0] == "/"
            reader.request_head("GET", host, port, target, {})


def settings(data: bytes) -> None:
    """Settings of any text give usable values, and an address that is one or raises an error of ours."""
    errors, device = module("errors"), module("settings")
    values = dict(line.partition("=")[::2] for line in data.decode("utf-8", "replace").split("\n"))
    for convert in (str, _number):
        found = device.Settings(lambda key, convert=convert: convert(values[key]) if key in values else None)
        assert 0 < found.poll <= device.MAX_POLL and isinstance(found.update_settings, bool)
        assert all(host == host.lower() and " " not in host for host in found.git_hosts)
        assert len(found.problems) <= 2
        net = _Net()
        cloud = module("thingsboard").ThingsBoard(net, device.server(found.url, found.port), found.token)
        try:
            cloud.shared()
        except errors.OverTheAirUpdateError as exc:
            assert exc.code == "settings"
            if found.token:  # the message repeats nothing of it, so it is the same with any other one
                other = module("thingsboard").ThingsBoard(net, device.server(found.url, found.port), "another-token")
                assert str(exc) == _complaint(other)
            continue
        _, host, port, target = net.asked
        try:
            module("http").request_head("GET", host, port, target, {})
        except module("http").ProtocolError:
            assert not host.isascii() or not host.isprintable()  # no address at all, and refused before anything is sent


def _complaint(cloud: Any) -> str:
    try:
        cloud.shared()
    except module("errors").OverTheAirUpdateError as exc:
        return str(exc)
    return ""


class _Net:
    """Takes a request in place of ota.net.Net."""

    def open(self, method: str, url: tuple[str, str, int, str], headers: dict[str, str]) -> int:
        self.asked = url
        return 200

    def read_all(self, limit: int) -> bytes:
        return b"{}"


def _number(text: str) -> object:
    """A number where it is one: CircuitPython 10.1 and older give numbers so."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else text


TARGETS: dict[str, Callable[[bytes], None]] = {"http": http, "listing": listing, "url": url, "settings": settings}

# Pieces that chance would not make.
WORDS: dict[str, list[bytes]] = {
    "http": [
        *(
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.0 404 No\n",
            b"HTTP/1.1 100 Go\r\n\r\n",
            b"HTTP/1.1 204 No\r\n",
            b"Content-Length: ",
            b"\r\n\r\n",
        ),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
            b"Connection: keep-alive\r\n",
            b"Content-Encoding: gzip\r\n",
            b"\r\n",
        ),
        *(b"\n", b"\r", b"\0", b"0\r\n\r\n", b"3\r\nabc\r\n", b";a=b", b"ETag: x\r\n", b"Location: /\r\n", b"x" * 1030, b"ffffffff"),
    ],
    "listing": [
        *(
            b'{"tree":[',
            b'],"truncated":false}',
            b'"truncated":true',
            b'"path":"a"',
            b'"mode":"100644"',
            b'"type":"blob"',
            b'"type":"commit"',
        ),
        *(
            b'"sha":"' + b"0" * 40 + b'"',
            b'"size":1',
            b"\\ud83d\\ude00",
            b"\\u0000",
            b'"\\"}"',
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b'"',
            b"\\",
        ),
        *(b"null", b"1e999", b"-1", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"x" * 2100, b" " * 600, b"[" * 70),
    ],
    "url": [
        *(
            b"https://github.com/",
            b"http://git.example/",
            b"http://127.0.0.1:8080/",
            b"/tree/",
            b"/tree/main/a",
            b"://",
            b"//",
            b"/",
            b"@",
            b":",
        ),
        *(
            b"?x=1",
            b"#f",
            b"%2F",
            b"%00",
            b"%zz",
            b"%C3%A4",
            b"..",
            b".git",
            b":99999",
            b":0",
            b" ",
            b"\t",
            "ä".encode(),
            b"a" * 600,
            b"user:pw@",
        ),
    ],
    "settings": [
        *(
            b"THINGSBOARD_URL=",
            b"THINGSBOARD_PORT=",
            b"THINGSBOARD_DEVICE_TOKEN=",
            b"COTA_KEEP=",
            b"COTA_GIT_HOSTS=",
            b"COTA_POLL_SECONDS=",
        ),
        *(
            b"COTA_UPDATE_SETTINGS=",
            b"\n",
            b"=",
            b"https://",
            b"http://h",
            b"://",
            b"/",
            b"@",
            b":",
            b"0",
            b"1",
            b"86400",
            b"86401",
            "²".encode(),
        ),
        *("٣".encode(), b" ", b",", b"-1", b"token-of-9", b"\0"),
    ],
}
