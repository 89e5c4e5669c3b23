"""CPython's sockets under the names and with the error numbers of CircuitPython's `socketpool`."""

import errno
import socket

SOCK_STREAM = 1


class Socket:
    """A socket whose timeout is ETIMEDOUT, as on a board."""

    def __init__(self, family: int, kind: int) -> None:
        self._socket = socket.socket(family, kind)
        self.settimeout = self._socket.settimeout
        self.connect = self._board(self._socket.connect)
        self.send = self._board(self._socket.send)
        self.recv_into = self._board(self._socket.recv_into)
        self.close = self._socket.close

    @staticmethod
    def _board(call):  # type: ignore[no-untyped-def]
        def on_board(*arguments):  # type: ignore[no-untyped-def]
            try:
                return call(*arguments)
            except TimeoutError:
                raise OSError(errno.ETIMEDOUT) from None

        return on_board


def getaddrinfo(host, port, family=0, kind=0):  # type: ignore[no-untyped-def]
    """IPv4 only, as most boards have it."""
    return socket.getaddrinfo(host, port, socket.AF_INET, kind)
