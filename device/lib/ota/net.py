"""One connection at a time: the only module that touches sockets.

One TLS connection costs a Pico W 30 KB of heap, so a request to another host closes the connection before it opens its own; requests to
the same host share one connection and one handshake.
"""

import gc

from . import http
from .errors import NetworkError, OverTheAirUpdateError, error
from .url import PORTS, join

BUFFER = 1024  # bytes read from the socket at once; more only helps where the radio is faster than the flash
WAIT_SECONDS = 7  # one wait for the socket: shorter than the 8 s that an RP2's watchdog can be set to
SILENCES = 3  # such waits without a byte; GitHub thinks for up to 10 s about a large listing
GRACE_SECONDS = 30  # how long an answer may take before the rate counts
MIN_RATE = 256  # bytes a second; a slower body would keep the board busy for hours
MAX_SECONDS = 3600  # of waiting for one answer, whatever came before
MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_TIMEOUTS = (110, 116, 11)  # ETIMEDOUT on a PC, on newlib; EAGAIN after a timeout on MicroPython


class Net:
    """HTTP requests over sockets from `board`.

    Attributes:
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
        self._waited = self._got = 0  # milliseconds and bytes of this answer
        self._done = True  # the last answer was read to its end
        self.headers = {}

    def open(self, method, url, headers, body=b""):
        """Send a request and read the answer's head; the body waits for `read_into`. Returns the status code.

        Args:
            method: The request's method, kept through a redirect.
            url: (scheme, host, port, target).
            headers: Header names and values.
            body: Bytes to send.

        Raises:
            NetworkError: the network did not carry it.
        """
        for _ in range(MAX_REDIRECTS + 1):
            self.drain()
            status = 0
            if self._peer == url[:3]:
                try:
                    status = self._send(method, url, headers, body)
                except NetworkError as exc:
                    # A server may close an idle connection at any time (RFC 9112 9.3.1): one fresh try if nothing of an answer had come.
                    if exc.code != "closed" or self._got:
                        raise
            if not status:
                self._connect(url[:3])
                status = self._send(method, url, headers, body)
            location = self.headers.get("location")
            if status not in _REDIRECTS or not location:
                return status
            try:
                target = join(url, location)
            except OverTheAirUpdateError:
                target = ""  # its text may repeat our request
            if not target or url[0] == "https" != target[0]:
                raise self._fail("http", "redirect off https, or to nowhere")
            url = target
        raise self._fail("http", "too many redirects")

    def read_into(self, view):
        """Fill `view` with body bytes; returns how many, fewer than `len(view)` only at the body's end."""
        filled = 0
        while filled < len(view) and not self._done:
            event = self._next(len(view) - filled)
            if event == http.DATA:
                part = self._view[self._reader.data_start : self._reader.data_end]
                view[filled : filled + len(part)] = part
                filled += len(part)
            else:
                self._done = True
                if not self._reader.reusable or self._start < self._end:
                    self.close()
        return filled

    def read_all(self, limit):
        """The whole body as bytes; more than `limit` bytes are refused."""
        body = bytearray(limit + 1)
        count = self.read_into(memoryview(body))
        if count > limit:
            raise self._fail("http", "too long")
        return bytes(body[:count])

    def drain(self):
        """Let the connection be used again: read a short rest of the body, or close. Raises nothing."""
        try:
            self.read_into(memoryview(bytearray(64)))
        except NetworkError:
            pass  # closed already
        if not self._done:
            self.close()

    def close(self):
        """Close the connection, if one is open."""
        if self._socket:
            try:
                self._socket.close()
            except OSError:
                pass
            self._socket = None
        self._peer = None
        self._done = True
        self.headers.clear()
        gc.collect()  # what lives longer comes to lie where the connection was, and the next one finds its 16 KiB in one piece

    def _send(self, method, url, headers, body):
        """Send a request over the open connection and read the answer's head; returns the status code."""
        scheme, host, port, target = url
        if body:
            headers = dict(headers)
            headers["Content-Length"] = str(len(body))
        self._reader.begin()
        self._start = self._end = self._got = self._waited = 0
        self._done = False
        try:
            head = http.request_head(method, host, None if port == PORTS[scheme] else port, target, headers)
            rest = memoryview(head + body)
            while rest:
                count = self._socket.send(rest)
                if not count:
                    raise OSError(32)  # EPIPE
                rest = rest[count:]
        except http.ProtocolError as exc:
            raise self._fail("http", exc.args[1])
        except OSError as exc:
            raise self._fail(_cause(exc, "closed"), host)
        while self._next(BUFFER) != http.HEAD:
            pass
        self.headers = self._reader.headers
        return self._reader.status

    def _next(self, room):
        """One event of the reader, with at most `room` bytes of body; reads from the socket where it must."""
        code = "http"
        try:
            while True:
                event = self._reader.next(self._buffer, self._start, min(self._end, self._start + room))
                self._start += self._reader.consumed
                if event != http.NEED_DATA:
                    return event
                if self._start == self._end and not self._receive():
                    code = "closed"
                    return self._reader.eof()
        except http.ProtocolError as exc:
            raise self._fail(code, " ".join(exc.args))

    def _receive(self):
        board = self._board
        for silences in range(1, SILENCES + 1):
            if self._waited > min(GRACE_SECONDS + self._got // MIN_RATE, MAX_SECONDS) * 1000:
                raise self._fail("slow", str(self._got) + " bytes")
            board.feed()
            began = board.millis()
            try:
                count = self._socket.recv_into(self._buffer, BUFFER)
                break
            except OSError as exc:
                cause = _cause(exc, "closed")
                if silences == SILENCES or cause != "timeout":
                    raise self._fail(cause, self._peer[1])
            finally:
                self._waited += board.millis() - began  # the program's own time between two steps does not count
        self._start = 0
        self._end = count
        self._got += count
        return count

    def _connect(self, peer):
        self.close()
        scheme, host, port = peer
        board = self._board
        pool = board.socket_pool()
        board.feed()
        try:
            info = pool.getaddrinfo(host, port, 0, pool.SOCK_STREAM)[0]
        except (OSError, RuntimeError):
            raise error("dns", host)
        address = info[4]
        try:
            self._socket = pool.socket(info[0], info[1])
            if scheme == "https":
                self._socket = board.tls_context().wrap_socket(self._socket, server_hostname=host)
                address = (host, port)  # as CircuitPython's own libraries give it
            self._socket.settimeout(WAIT_SECONDS)
            board.feed()
            self._socket.connect(address)
        except (OSError, RuntimeError) as exc:
            raise self._fail(_cause(exc, "connect"), host)
        self._peer = peer

    def _fail(self, code, detail):
        """Close, because nothing is known about the rest of the stream, and hand back the error to raise."""
        self.close()
        return error(code, detail)


def _cause(exc, code):
    """The code for what a socket raised: `code` where that says no more."""
    number = exc.args[0] if exc.args else 0
    if number in _TIMEOUTS:
        return "timeout"
    if code == "connect" and ((type(number) is int and number < -1000) or "SSL" in repr(exc)):
        return "tls"  # mbedTLS gives numbers below -1000; CPython's ssl, and CircuitPython where it gives words, name SSL
    return code
