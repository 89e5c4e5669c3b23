"""ThingsBoard and a Git host that serve one release under any name, and break the answers that a case names."""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scripted import Answer, Request, ScriptedServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BIG = bytes(range(250)) * 20  # the file in the midst of the release
FILES = {"a.txt": b"first\n" * 20, "b.bin": BIG, "c.txt": b"last\n" * 30}


def blob(data: bytes) -> str:
    """Git's SHA-1 of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def listing(files: Mapping[str, bytes]) -> bytes:
    """The Git host's listing of these files."""
    tree = [{"path": path, "mode": "100644", "type": "blob", "sha": blob(data), "size": len(data)} for path, data in files.items()]
    return json.dumps({"sha": COMMIT, "tree": tree, "truncated": False}).encode()


LISTING = listing(FILES)


def shared(url: str) -> bytes:
    """ThingsBoard's answer to a poll."""
    return json.dumps({"shared": {"fw_title": "app", "fw_version": "v1", "fw_url": url}}).encode()


@dataclass(frozen=True)
class Good:
    """The right answer to a request, in parts.

    Attributes:
        body: Its body.
        places: What an address in a redirect may be made of, by name.
        start: The first byte that a Range asked for.
    """

    body: bytes
    places: Mapping[str, str]
    start: int = 0
    type_line: str = "Content-Type: application/json"

    def head_for(self, length: int) -> bytes:
        """A head that promises so many bytes."""
        return f"HTTP/1.1 200 OK\r\n{self.type_line}\r\nContent-Length: {length}\r\n\r\n".encode()

    @property
    def head(self) -> bytes:
        return self.head_for(len(self.body))

    @property
    def raw(self) -> bytes:
        return self.head + self.body

    def plus(self, *lines: str) -> bytes:
        """The answer with these header lines besides its own."""
        return self.head[:-2] + "\r\n".join((*lines, "", "")).encode("latin-1") + self.body

    def rest(self) -> list[bytes]:
        """206 with what the Range asked for."""
        part = self.body[self.start :]
        told = f"Content-Range: bytes {self.start}-{len(self.body) - 1}/{len(self.body)}\r\nContent-Length: {len(part)}"
        return [f"HTTP/1.1 206 Partial Content\r\n{told}\r\n\r\n".encode() + part]

    def place(self, template: str) -> str:
        """An address, of a template such as `{elsewhere}{path}`."""
        return template.format(**self.places)


@dataclass
class Record:
    """What one case's board has asked.

    Attributes:
        asked: (kind, Range header or "") of each request, in order.
        told: What it posted as telemetry, in order.
        broken: Answers that are still to be broken.
    """

    kind: str
    broken: list[Callable[[Good], Answer]]
    asked: list[tuple[str, str]] = field(default_factory=list)
    told: list[dict[str, object]] = field(default_factory=list)

    def count(self, kind: str) -> int:
        return sum(asked[0] == kind for asked in self.asked)

    def ranges(self) -> list[str]:
        """The Range header of each request for the file in the midst."""
        return [asked[1] for asked in self.asked if asked[0] == "file"]


class Origin:
    """Both servers. A context manager.

    Attributes:
        cloud, git: Their `host:port`.
        records: What was asked, by case.
    """

    def __init__(self) -> None:
        self._servers = (ScriptedServer(self._answer), ScriptedServer(self._answer))
        self.cloud, self.git = (f"127.0.0.1:{server.port}" for server in self._servers)
        self.records: dict[str, Record] = {}
        self._urls: dict[str, str] = {}  # fw_url, by case
        self._lock = threading.Lock()
        self._closed = socket.create_server(("127.0.0.1", 0))  # its port is ours, and closed: nothing else answers there
        self.refused = f"127.0.0.1:{self._closed.getsockname()[1]}"
        self._closed.close()

    def __enter__(self) -> "Origin":
        for server in self._servers:
            server.__enter__()
        return self

    def __exit__(self, *unused: object) -> None:
        for server in self._servers:
            server.__exit__()

    def play(self, slug: str, kind: str, broken: list[Callable[[Good], Answer]], url_host: str | None = None) -> Record:
        """Serve the release under this name, with the first answers to requests of this kind broken."""
        record = self.records[slug] = Record(kind, list(broken))
        self._urls[slug] = f"http://{url_host or self.git}/{slug}/r"
        return record

    def _answer(self, request: Request) -> Answer:
        parts = request.target.partition("?")[0].strip("/").split("/")
        if parts == ["portal"]:
            page = b"<html><body>{} Welcome to our Wi-Fi</body></html>" + b" " * 100
            return [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page) + page]
        if parts[:2] == ["api", "v1"]:
            slug, kind = parts[2], "poll" if request.method == "GET" else "post"
        elif parts[0] == "raw":
            slug, kind = parts[1], "file" if parts[-1] == "b.bin" else "other"
        else:
            slug, kind = parts[3], "commit" if parts[5] == "commits" else "tree"
        with self._lock:
            record = self.records[slug]
            record.asked.append((kind, request.headers.get("range", "")))
            if kind == "post":
                if parts[-1] == "telemetry":
                    record.told.append(json.loads(request.body))
                return [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
            bodies = {
                "poll": shared(self._urls[slug]),
                "commit": COMMIT.encode(),
                "tree": LISTING,
                "file": BIG,
                "other": FILES.get(parts[-1], b""),
            }
            start = int(request.headers.get("range", "bytes=0-")[6:-1])
            here = request.headers["host"]
            places = {
                "path": request.target,
                "here": f"http://{here}",
                "portal": f"http://{self.git}/portal",
                "refused": f"http://{self.refused}",
            }
            places["elsewhere"] = f"http://{self.git if here == self.cloud else self.cloud}"
            good = Good(bodies[kind], places, start)
            if kind == record.kind and record.broken:
                steps = list(record.broken[0](good))
                # On a connection that was in use an answer that never begins is the server's right (RFC 9112 9.3.1): the board asks once
                # more, on a new one, and that request gets the same.
                if request.nth == 1 or steps[0] or steps[1].__name__ == "stall":
                    record.broken.pop(0)
                return steps
            return good.rest() if start else [good.raw]
