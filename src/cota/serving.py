"""A server on a socket of its own: what the lab and the page share."""

import errno
import socket
from collections.abc import Callable

import uvicorn

from cota.errors import CotaError


class ReadyServer(uvicorn.Server):
    """uvicorn's server, which also says when it answers.

    Attributes:
        ready: Called once it answers, and can be stopped.
    """

    ready: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.ready is not None and self.started:
            self.ready()


class Serving:
    """What serves on a socket that listens already; nothing is served before `serve`."""

    _socket: socket.socket
    _server: ReadyServer

    @property
    def started(self) -> bool:
        """Whether it answers."""
        return self._server.started

    def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until stopped; in the main thread Ctrl-C and SIGTERM stop it.

        Args:
            ready: Called once it answers, and can be stopped.
        """
        self._server.ready = ready
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Ask what serves to end; may be called from any thread."""
        self._server.should_exit = True


def listen(host: str, port: int, backlog: int = 128, option: str = "--port") -> socket.socket:
    """Listen on an address and a TCP port; 0 takes a free one. `option` is how a user chooses the port.

    Raises:
        CotaError: There is no such address, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise CotaError(f"cannot listen on {host} port {port}: {error}", "Give an address of this machine with --host.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise CotaError(f"port {port} on {host} is taken", f"Choose another one with {option}; 0 takes any free one.") from error
        raise CotaError(f"cannot listen on {host} port {port}: {error}", f"Choose others with --host and {option}.") from error
    return listener
