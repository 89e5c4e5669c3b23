"""What every server of these tests does around its connections: it takes them on a port of its own, and ends them when it ends."""

import contextlib
import socket
import struct
import threading
from typing import Any, Self

PATIENCE_SECONDS = 60  # the end of a connection whose peer neither speaks nor goes


def abort_at_close(connection: socket.socket) -> None:
    """Let the connection close with RST in place of FIN: linger for no time."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Listening:
    """Takes connections, a thread a connection. A context manager.

    Attributes:
        port: The port, on 127.0.0.1.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()  # what is shut down at the end
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self._thread.join()
        with self._lock:
            for one in self._live:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                told = self._accepted(connection)
            connection.settimeout(PATIENCE_SECONDS)
            threading.Thread(target=self._serve, args=(connection, *told), daemon=True).start()

    def _accepted(self, connection: socket.socket) -> tuple[Any, ...]:
        """Note a new connection, in the order in which they come and under the lock; gives what `_serve` is to know besides it."""
        raise NotImplementedError

    def _serve(self, connection: socket.socket, *told: Any) -> None:
        """Serve a connection to its end, in a thread of its own, and close it."""
        raise NotImplementedError
