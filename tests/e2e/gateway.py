"""A gateway in front of a lab, on a port of its own: it passes requests on, keeps a record, and breaks the answers it is told to break."""

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

_CRLF = b"\r\n"
# Closes with RST in place of FIN: linger for no time.
_ABORT = struct.pack("ii", 1, 0)
_SECONDS = 30
# Told by the gateway itself, for its own connection to the board.
_HOP_BY_HOP = ("connection", "content-length", "transfer-encoding", "keep-alive")


@dataclass(frozen=True)
class Asked:
    """One request: its method, target and Range header."""

    method: str
    target: str
    range: str | None


@dataclass(frozen=True)
class Fault:
    """How an answer is broken.

    Attributes:
        after: The connection is closed after so many bytes of the body; 0 before the first byte of the answer; None: not at all.
        rst: Whether that is an abortive close.
        flip: Index of a body byte that is changed.
        status: Answer this, with `headers` and `body`, in place of asking the lab.
        headers: Headers of that answer.
        body: Body of that answer.
        ignore_range: Pass the request on without its Range header, so that the whole file comes.
        hold: After `after` bytes the answer waits for this, and then goes on.
    """

    after: int | None = None
    rst: bool = True
    flip: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ignore_range: bool = False
    hold: threading.Event | None = None


@dataclass
class _Rule:
    part: str
    fault: Fault
    times: int


class Gateway:
    """Passes requests on to a lab.

    Args:
        upstream: `host:port` of the lab.

    Attributes:
        address: Its own `host:port`.
        asked: Every request so far, also those that were not answered.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.asked: list[Asked] = []
        self.address = "127.0.0.1:0"
        self.open()

    def open(self) -> None:
        """Take connections, on the port of before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(self.address.rpartition(":")[2])))
        listener.listen()
        self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections, and abort those that are open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        with self._lock:
            live = list(self._live)
        for connection in live:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def break_next(self, part: str, fault: Fault, times: int = 1) -> None:
        """Break the next answers to requests whose target holds `part`."""
        with self._lock:
            self._rules.append(_Rule(part, fault, times))

    def heal(self) -> None:
        """Break nothing more."""
        with self._lock:
            self._rules.clear()

    def count(self, part: str) -> int:
        """How many requests so far had `part` in their target."""
        return sum(part in asked.target for asked in list(self.asked))

    def of(self, part: str) -> list[Asked]:
        """Those requests."""
        return [asked for asked in list(self.asked) if part in asked.target]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_SECONDS)
        with self._lock:
            self._live.add(connection)
        try:
            with connection.makefile("rb") as stream:
                while self._answer(connection, stream.readline, stream.read):
                    pass
        except (OSError, http.client.HTTPException):
            pass  # the board or the lab went away; so does this connection
        finally:
            with self._lock:
                self._live.discard(connection)
            connection.close()

    def _answer(self, connection, readline, read) -> bool:  # type: ignore[no-untyped-def]
        line = readline().decode("latin-1").split()
        if len(line) < 3:
            return False
        method, target = line[0], line[1]
        headers = {}
        while (text := readline().decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = read(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method, target, headers.get("range")))
        fault = self._fault(target)
        if fault.after == 0:
            return self._end(connection, fault)
        if fault.status is not None:
            head = "".join(f"{name}: {value}\r\n" for name, value in fault.headers.items())
            connection.sendall(f"HTTP/1.1 {fault.status} Broken\r\n{head}content-length: {len(fault.body)}\r\n\r\n".encode() + fault.body)
            return True
        if fault.ignore_range:
            headers.pop("range", None)
        status, reason, told, data = self._ask(method, target, headers, body)
        if fault.flip is not None and len(data) > fault.flip:
            data = data[: fault.flip] + bytes((data[fault.flip] ^ 1,)) + data[fault.flip + 1 :]
        lines = [f"HTTP/1.1 {status} {reason}".encode(), *(f"{name}: {value}".encode("latin-1") for name, value in told)]
        connection.sendall(_CRLF.join([*lines, b"content-length: %d" % len(data), b"", b""]) + data[: fault.after])
        if fault.hold is not None:
            fault.hold.wait(_SECONDS)
            connection.sendall(data[fault.after :])
            return True
        return self._end(connection, fault) if fault.after is not None else True

    def _fault(self, target: str) -> Fault:
        with self._lock:
            for rule in self._rules:
                if rule.times and rule.part in target:
                    rule.times -= 1
                    return rule.fault
        return Fault()

    def _ask(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, str, list[tuple[str, str]], bytes]:
        lab = http.client.HTTPConnection(self._upstream, timeout=_SECONDS)
        try:
            lab.request(method, target, body or None, {name: value for name, value in headers.items() if name not in _HOP_BY_HOP})
            answer = lab.getresponse()
            told = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
            return answer.status, answer.reason, told, answer.read()
        finally:
            lab.close()

    def _end(self, connection: socket.socket, fault: Fault) -> bool:
        if fault.rst:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        return False
