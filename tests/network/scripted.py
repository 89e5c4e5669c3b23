"""A server that answers with any bytes at any pace, because it knows nothing of HTTP but where a request ends.

An answer is a list of steps: bytes are sent as they are, the others are the functions of this module. After its last step the connection
waits for the next request, unless a step has ended it.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

# Closes with RST in place of FIN: linger for no time.
_ABORT = struct.pack("ii", 1, 0)
_PATIENCE_SECONDS = 60  # the end of a connection whose client neither speaks nor goes
_MAX_REQUEST = 65536


class _Over(Exception):
    """The connection has come to its end."""


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method, target, headers: As sent, header names in lower case.
        body: Its bytes.
        nth: Its number on its connection, from 1.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    nth: int


Act = Callable[[socket.socket], None]
Step = bytes | Act
Answer = Iterable[Step]


def close(connection: socket.socket) -> None:
    """End the connection in good order."""
    raise _Over


def half_close(connection: socket.socket) -> None:
    """Say that nothing more comes, and go on listening until the client goes."""
    connection.shutdown(socket.SHUT_WR)
    stall(connection)


def reset(connection: socket.socket) -> None:
    """Abort the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    raise _Over


def stall(connection: socket.socket) -> None:
    """Say nothing more until the client goes."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass
    raise _Over


def pause(seconds: float) -> Act:
    """Let time pass."""

    def act(connection: socket.socket) -> None:
        time.sleep(seconds)

    return act


def pieces(data: bytes, size: int, seconds: float = 0) -> Act:
    """Send `size` bytes at a time, each in a packet of its own, with a pause after each."""

    def act(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), size):
            connection.sendall(data[at : at + size])
            if seconds:
                time.sleep(seconds)

    return act


def forever(data: bytes, seconds: float = 0) -> Act:
    """Send the same bytes again and again until the client goes."""

    def act(connection: socket.socket) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            connection.sendall(data)
            if seconds:
                time.sleep(seconds)
        raise _Over

    return act


def read_requests(connection: socket.socket) -> Iterator[Request]:
    """The requests of a connection, one after the other; ends where the client goes between two."""
    rest = b""
    nth = 0
    while True:
        while b"\r\n\r\n" not in rest:
            more = connection.recv(4096)
            if not more or len(rest) > _MAX_REQUEST:
                return
            rest += more
        head, _, rest = rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(rest) < length:
            more = connection.recv(4096)
            if not more:
                return
            rest += more
        method, target, _ = first.split(" ", 2)
        nth += 1
        yield Request(method, target, headers, rest[:length], nth)
        rest = rest[length:]


class ScriptedServer:
    """Answers each request with what `handler` says, on a port of its own, a thread a connection. A context manager.

    Attributes:
        port: The port, on 127.0.0.1.
        most_open: The most connections that were open at once.
    """

    def __init__(self, handler: Callable[[Request], Answer]) -> None:
        self._handler = handler
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.most_open = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
                self.most_open = max(self.most_open, len(self._open))
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE_SECONDS)
        try:
            for request in read_requests(connection):
                for step in self._handler(request):
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    else:
                        step(connection)
        except (OSError, _Over):
            pass  # the client went, or the script is at its end
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
