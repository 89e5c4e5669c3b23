"""Real TCP servers for boards to talk to, each a thread on a free loopback port."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def server(serve: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve each connection with `serve` in a thread of its own; give the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def one(client: socket.socket) -> None:
        try:
            stream = client if context is None else context.wrap_socket(client, server_side=True)
            with stream:
                serve(stream)
        except OSError:
            pass  # the board went away, or refused the handshake: what the test is about

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            open_sockets.append(client)
            threading.Thread(target=one, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for client in open_sockets:
            client.close()


def hold(stream: socket.socket) -> None:
    """Say nothing until the peer goes."""
    while stream.recv(1024):
        pass


def greet(stream: socket.socket) -> None:
    """Answer the first bytes with `hello`, then close cleanly."""
    stream.recv(1024)
    stream.sendall(b"hello")
    if isinstance(stream, ssl.SSLSocket):
        stream.unwrap()
