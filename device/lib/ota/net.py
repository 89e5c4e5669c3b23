"""One connection at a time: the only module that touches sockets.

One TLS connection costs a Pico W 30 KB of heap, so a request to another host closes the connection before it opens its own; requests to
the same host share one connection and one handshake.
"""

import gc

from . import http
from .errors import NetworkError, error
from .url import join

BUFFER = 1024  # bytes read from the socket at once; more only helps where the radio is faster than the flash
CONNECT_SECONDS = 10  # a socket operation's own timeout
GRACE_SECONDS = 30  # how long an answer may take before the rate counts
MIN_RATE = 256  # bytes a second; a slower body would keep the board busy for hours
MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_TIMEOUTS = (110, 116, 11)  # ETIMEDOUT on a PC, on newlib; EAGAIN after a timeout on MicroPython


class Net:
    """HTTP requests over sockets from `board`.

    Attributes:
        status: The answer's status code.
        headers: The answer's headers that matter, names in lower case.
    """

    def __init__(self, board):
        self._board = board
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._socket = None
        self._peer = None  # (scheme, host, port) of the open connection
        self._reader = http.ResponseReader()
        self._started = self._got = 0
        self._done = True  # the last answer was read to its end
        self.status = 0
        self.headers = {}

    def open(self, method, url, headers, body=None):
        """Send a request and read the answer's head; the body waits for `read_into`.

        Args:
            method: The request's method; redirects are followed for GET only.
            url: (scheme, host, port, target).
            headers: Header names and values.
            body: Bytes to send, or None.

        Raises:
            NetworkError: the network did not carry it.
        """
        for _ in range(MAX_REDIRECTS + 1):
            self._exchange(method, url, headers, body)
            location = self.headers.get("location")
            if method != "GET" or self.status not in _REDIRECTS or not location:
                return self.status
            target = join(url, location)
            if url[0] == "https" and target[0] != "https":
                raise self._fail("http", "redirect from https to http")
            url = target
        raise self._fail("http", "too many redirects")

    def read_into(self, view):
        """Fill `view` with body bytes; returns how many, fewer than `len(view)` only at the body's end."""
        filled = 0
        while filled < len(view) and not self._done:
            event = self._next(len(view) - filled)
            if event == http.DATA:
                count = self._reader.data_end - self._reader.data_start
                view[filled : filled + count] = self._view[self._reader.data_start : self._reader.data_end]
                filled += count
            elif event == http.DONE:
                self._finish()
        return filled

    def read_all(self, limit):
        """The whole body as bytes; more than `limit` bytes are refused."""
        body = bytearray(limit)
        count = self.read_into(memoryview(body))
        if not self._done and self.read_into(memoryview(bytearray(1))):
            raise self._fail("http", "answer longer than " + str(limit) + " bytes")
        return bytes(body[:count])

    def drain(self):
        """Let the connection be used again: read a short rest of the body, or close."""
        if not self._done:
            rest = bytearray(64)
            self.read_into(memoryview(rest))
            if not self._done:
                self.close()

    def close(self):
        """Close the connection, if one is open."""
        if self._socket is not None:
            try:
                self._socket.close()
            except OSError:
                pass
            self._socket = None
        self._peer = None
        self._done = True

    def _exchange(self, method, url, headers, body):
        self.drain()
        peer = url[:3]
        reused = self._socket is not None and self._peer == peer
        if not reused:
            self._connect(peer)
        try:
            self._send(method, url, headers, body)
            self._head()
        except NetworkError as exc:
            # A server may close an idle connection at any time (RFC 9112 9.3.1): one fresh try if nothing of an answer had come.
            if not reused or exc.code != "closed" or self._got:
                raise
            self._connect(peer)
            self._send(method, url, headers, body)
            self._head()

    def _send(self, method, url, headers, body):
        scheme, host, port, target = url
        lines = dict(headers)
        if body is not None:
            lines["Content-Length"] = str(len(body))
        head = http.request_head(method, host, None if port == _DEFAULT_PORTS[scheme] else port, target, lines)
        self._reader.begin(method)
        self._start = self._end = self._got = 0
        self._started = self._board.seconds()
        self._done = False
        try:
            self._send_all(head if body is None else head + body)
        except OSError as exc:
            raise self._fail(_code(exc, "closed"), url[1])

    def _send_all(self, data):
        view = memoryview(data)
        while view:
            count = self._socket.send(view)
            if not count:
                raise OSError(32)
            view = view[count:]

    def _head(self):
        while True:
            if self._next(0) == http.HEAD:
                break
        self.status = self._reader.status
        self.headers = self._reader.headers

    def _next(self, room):
        """One event of the reader, with at most `room` bytes of body; reads from the socket where it must."""
        while True:
            end = self._end if not room else min(self._end, self._start + room)
            try:
                event = self._reader.next(self._buffer, self._start, end)
                self._start += self._reader.consumed
                if event != http.NEED_DATA:
                    return event
                if self._start < self._end:
                    continue
                if self._receive() == 0:
                    return self._reader.eof()
            except http.ProtocolError as exc:
                code = "closed" if exc.args[0] in ("http_truncated", "http_closed") else "http"
                raise self._fail(code, exc.args[0] + " " + exc.args[1])

    def _receive(self):
        if self._board.seconds() - self._started > GRACE_SECONDS + self._got // MIN_RATE:
            raise self._fail("slow", str(self._got) + " bytes")
        try:
            count = self._socket.recv_into(self._buffer, BUFFER)
        except OSError as exc:
            raise self._fail(_code(exc, "closed"), self._peer[1])
        self._start = 0
        self._end = count
        self._got += count
        self._board.feed()
        return count

    def _finish(self):
        self._done = True
        if not self._reader.reusable or self._start < self._end:
            self.close()

    def _connect(self, peer):
        self.close()
        scheme, host, port = peer
        try:
            pool = self._board.socket_pool()
        except NetworkError:
            raise
        except (OSError, RuntimeError) as exc:
            raise error("wifi", str(exc))
        try:
            info = pool.getaddrinfo(host, port, 0, pool.SOCK_STREAM)[0]
        except (OSError, RuntimeError):
            raise error("dns", host)
        plain = None
        try:
            plain = self._socket = pool.socket(info[0], info[1])
            plain.settimeout(CONNECT_SECONDS)
            if scheme == "https":
                gc.collect()  # the 16 KiB that TLS needs in one piece
                self._socket = self._board.tls_context().wrap_socket(plain, server_hostname=host)
                self._socket.settimeout(CONNECT_SECONDS)
                self._socket.connect((host, port))
            else:
                plain.connect((info[4][0], port))
        except (OSError, RuntimeError) as exc:
            raise self._fail("tls" if scheme == "https" and _is_tls(exc) else _code(exc, "connect"), host)
        except MemoryError:
            self.close()
            raise
        self._peer = peer

    def _fail(self, code, detail=""):
        """Close, because nothing is known about the rest of the stream, and hand back the error to raise."""
        self.close()
        return error(code, detail)


def _code(exc, otherwise):
    return "timeout" if exc.args and exc.args[0] in _TIMEOUTS else otherwise


def _is_tls(exc):
    """mbedTLS gives numbers below -1000; CPython's ssl gives its own words."""
    number = exc.args[0] if exc.args else None
    if isinstance(number, int) and number < -1000:
        return True
    text = type(exc).__name__ + repr(exc)
    return "SSL" in text or "ertificate" in text or "mbedtls" in text
