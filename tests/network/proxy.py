"""A TCP proxy that makes a network bad: it knows nothing of what it passes on.

Faults are for what the upstream sends; what a client sends is passed on as it comes, after the latency.
"""

import contextlib
import select
import socket
import threading
import time
from dataclasses import dataclass

from listening import PATIENCE_SECONDS, Listening, abort_at_close

_PIECE = 4096
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Fault:
    """What happens to one connection.

    Attributes:
        latency: Seconds before each piece of either direction.
        rate: Bytes a second; 0: as they come.
        split: Bytes a packet at most; 0: as they come.
        after: So many bytes are passed on before `end` happens; None: never.
        end: "rst", "fin" (both ways), "half" (no more from the server, while the client is still heard) or "stall".
    """

    latency: float = 0
    rate: int = 0
    split: int = 0
    after: int | None = None
    end: str = "rst"


class Proxy(Listening):
    """Passes connections on to `host:port`.

    Attributes:
        address: Its own `host:port`.
        passed: Bytes from upstream that were passed on, a number a connection.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__()
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._faults: list[Fault] = []
        self._always = Fault()
        self.passed: list[int] = []
        self.address = f"127.0.0.1:{self.port}"

    def next(self, *faults: Fault) -> None:
        """Break the next connections so, one after the other."""
        with self._lock:
            self._faults.extend(faults)

    def always(self, fault: Fault) -> None:
        """Break every connection so for which `next` has nothing."""
        self._always = fault

    def _accepted(self, connection: socket.socket) -> tuple[Fault, int]:
        self.passed.append(0)
        return self._faults.pop(0) if self._faults else self._always, len(self.passed) - 1

    def _serve(self, client: socket.socket, fault: Fault, number: int) -> None:
        try:
            server = socket.create_connection(self._upstream, PATIENCE_SECONDS)
        except OSError:
            with client, contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
                while client.recv(_PIECE):
                    pass  # closed with a request unread, the connection would end in RST instead
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._live |= {client, server}
        over = threading.Event()
        back = threading.Thread(target=self._requests, args=(client, server, fault, over), daemon=True)
        back.start()
        try:
            self._answers(client, server, fault, number)
        except OSError:
            pass  # one of the two went away
        finally:
            over.set()
            back.join()  # a socket that another thread waits for is not closed, so neither FIN nor RST would be sent
            with self._lock:
                self._live -= {client, server}
            client.close()
            server.close()

    def _requests(self, client: socket.socket, server: socket.socket, fault: Fault, over: threading.Event) -> None:
        with contextlib.suppress(OSError, ValueError):
            while not over.is_set():
                if not select.select([client], [], [], _LOOK_SECONDS)[0]:
                    continue
                data = client.recv(_PIECE)
                if not data:
                    break
                time.sleep(fault.latency)
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _answers(self, client: socket.socket, server: socket.socket, fault: Fault, number: int) -> None:
        left = fault.after
        while left != 0:
            size = min(_PIECE, fault.split or _PIECE, _PIECE if left is None else left)
            data = server.recv(size)
            if not data:
                return
            time.sleep(fault.latency + (len(data) / fault.rate if fault.rate else 0))
            client.sendall(data)
            self.passed[number] += len(data)
            left = left if left is None else left - len(data)
        if fault.end == "rst":
            abort_at_close(client)
        elif fault.end != "fin":
            if fault.end == "half":
                client.shutdown(socket.SHUT_WR)
            while server.recv(_PIECE):
                pass  # heard, and kept back
