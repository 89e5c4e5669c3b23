"""A server that answers with any bytes at any pace, because it knows nothing of HTTP but where a request ends.

An answer is a list of steps: bytes are sent as they are, the others are the functions of this module. After its last step the connection
waits for the next request, unless a step has ended it.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from listening import PATIENCE_SECONDS, Listening, abort_at_close

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
    abort_at_close(connection)
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
        end = time.monotonic() + PATIENCE_SECONDS
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


class ScriptedServer(Listening):
    """Answers each request with what `handler` says.

    Attributes:
        most_open: The most connections that were open at once.
    """

    def __init__(self, handler: Callable[[Request], Answer]) -> None:
        super().__init__()
        self._handler = handler
        self.most_open = 0

    def _accepted(self, connection: socket.socket) -> tuple[()]:
        self._live.add(connection)
        self.most_open = max(self.most_open, len(self._live))
        return ()

    def _serve(self, connection: socket.socket) -> None:
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
                self._live.discard(connection)
            connection.close()
