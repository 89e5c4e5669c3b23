"""Read one HTTP/1.1 response (to any method but HEAD and CONNECT) from bytes, and write the head of one request. No sockets here.

The caller owns a bytearray and says which part of it holds fresh bytes; the reader says what they mean. Body bytes are never copied: the
reader names where they lie. The end of the stream is an input of its own (`ResponseReader.eof`), because a body that ends early must be an
error.

What is read in each state, and the state after it:

    STATUS      status line                 HEADER
    HEADER      header line                 HEADER
    HEADER      empty line after 1xx        STATUS
    HEADER      empty line                  FIXED, SIZE, UNTIL_EOF or END, and the event HEAD
    FIXED       Content-Length bytes        END (at once if there are none)
    SIZE        chunk-size line             CHUNK, or TRAILER after size 0
    CHUNK       that many bytes             CHUNK_END
    CHUNK_END   empty line                  SIZE
    TRAILER     line                        TRAILER, or END after the empty line
    UNTIL_EOF   everything                  END at eof()
    END         nothing                     END
    FAILED      nothing                     the response was refused; the connection must be closed
"""

NEED_DATA = 0
HEAD = 1
DATA = 2
DONE = 3

# A peer sizes all of these, so all are bounded; RFC 9112 section 3 and RFC 9110 section 5.4 leave the numbers to us.
LINE_BYTES = 1024  # kept of one line: GitHub's longest header that is of use here (Location) stays below it
HEAD_BYTES = 16384  # all that is not body: heads, skipped lines and interim responses, chunk extensions, trailers; node.js allows 16 KiB
LENGTH_DIGITS = 10  # 10 GB, beyond any board
CHUNK_DIGITS = 7  # 256 MiB in one chunk, and the number stays a small integer on a 32-bit board

# Everything else is skipped unread, so that a chatty server costs no heap.
KEPT = (
    "connection content-encoding content-length content-range date "
    "etag location retry-after transfer-encoding x-ratelimit-remaining x-ratelimit-reset"
).split()

_LISTS = ("connection", "content-encoding", "transfer-encoding")  # may come in several lines (RFC 9110 section 5.3)
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # RFC 9110 section 5.6.2
_TEXT = bytes(range(0x20, 0x7F)) + b"\t"

# In this order one comparison tells a line from a body: up to _TRAILER a line is read.
_STATUS = 0
_HEADER = 1
_SIZE = 2
_CHUNK_END = 3
_TRAILER = 4
_FIXED = 5
_CHUNK = 6
_UNTIL_EOF = 7
_END = 8
_FAILED = 9


class ProtocolError(ValueError):
    """The peer broke HTTP, or a request would.

    Its two arguments are a short stable name such as "http_truncated", and which header, or how many bytes, where the name does not say it
    all; that never repeats a value, ours or theirs.
    """


class ResponseReader:
    """Read the response to one request; `begin` makes it ready for the next one on the same connection.

    Call `next` with fresh bytes until it returns NEED_DATA, then read more from the connection, or call `eof` if there is no more.

    Attributes:
        consumed: how many bytes from `start` the last `next` took.
        data_start: index of the first body byte in the caller's buffer, after DATA.
        data_end: index behind the last body byte, after DATA.
        status: the status code, after HEAD.
        headers: the headers named in KEPT, names in lower case, after HEAD.
        length: the body's length as Content-Length gives it, or None.
        received: body bytes seen so far.
        reusable: whether the connection may carry another request; True only after DONE.
    """

    def __init__(self):
        self._line = bytearray(LINE_BYTES)
        self.begin()

    def begin(self):
        """Forget the last response and expect the next one."""
        self.length = None
        self.received = 0
        self.reusable = False
        self._state = _STATUS
        self._fill = 0  # bytes of the current line in _line
        self._lost = 0  # bytes of it that did not fit
        self._head = 0  # bytes that were not body

    def next(self, buf, start, end):
        """Say what the bytes buf[start:end] hold first.

        Returns:
            NEED_DATA: nothing yet; all bytes were taken.
            HEAD: status and headers are complete.
            DATA: the body bytes buf[data_start:data_end].
            DONE: the response is complete. Bytes left in the buffer belong to no request of ours, so the connection is not reusable then.

        Raises:
            ProtocolError: the response is refused; close the connection.
        """
        at = start
        event = NEED_DATA
        while at < end and self._state <= _TRAILER and event == NEED_DATA:
            found = buf.find(b"\n", at, end)
            stop = end if found < 0 else found
            self._collect(buf, at, stop)
            at = stop
            if found >= 0:
                at += 1
                if self._on_line(self._state, self._fill):
                    event = HEAD
                self._fill = self._lost = 0
        if self._state == _FAILED:
            raise RuntimeError("refused")
        if event == NEED_DATA and self._state == _END:
            if at < end:
                self._keep = False
            self.reusable = self._keep
            event = DONE
        elif event == NEED_DATA and at < end:
            self.data_start = at
            at = self.data_end = self._on_body(at, end)
            event = DATA
        self.consumed = at - start
        return event

    def eof(self):
        """Take the end of the stream.

        Returns:
            DONE: the response is complete, also if it had no other end than this one.

        Raises:
            ProtocolError: "http_closed" if not one byte of a response came, else "http_truncated", with received and expected counts.
        """
        if self._state == _UNTIL_EOF:
            self._state = _END
        if self._state != _END:
            self._fail("truncated" if self._head else "closed", "%d of %s bytes of body" % (self.received, self.length))
        self.reusable = False
        return DONE

    def _fail(self, code, detail=""):
        self._state = _FAILED
        raise ProtocolError("http_" + code, detail)

    def _collect(self, buf, at, stop):
        """Move the bytes of a line into _line, as far as they fit."""
        fits = buf[at : min(stop, at + LINE_BYTES - self._fill)]
        self._line[self._fill : self._fill + len(fits)] = fits
        self._fill += len(fits)
        self._lost += stop - at - len(fits)
        self._head += stop - at
        if self._head > HEAD_BYTES:
            self._fail("long")

    def _on_body(self, at, end):
        """Count the body bytes that begin at `at`; returns where they end."""
        if self._state != _UNTIL_EOF:
            end = min(end, at + self._left)
            self._left -= end - at
            if not self._left:
                self._state = _END if self._state == _FIXED else _CHUNK_END
        self.received += end - at
        return end

    def _on_line(self, state, size):
        """Take the complete line in _line[:size], of which the LF is already gone; true if it completes the head."""
        line = self._line
        if not self._lost and size and line[size - 1] == 13:
            size -= 1
        elif state == _SIZE or (state > _HEADER and not self._lost):
            # RFC 9112 section 2.2 lets a recipient take a bare LF in the head, and small servers send it. It says nothing of the kind for
            # chunks, where two readings of one line give two bodies.
            self._fail("chunk")
        if line.find(b"\r", 0, size) >= 0 or line.find(b"\0", 0, size) >= 0:
            self._fail("chunk" if state > _HEADER else "header")
        if state == _STATUS:
            self._on_status(line[:size])
        elif state == _SIZE:
            self._on_size(line, size)
        elif size:
            if state == _HEADER:
                self._on_header(line, size)
            elif state == _CHUNK_END:
                self._fail("chunk")
        elif state == _CHUNK_END:
            self._head -= 1  # its CR
            self._state = _SIZE
        elif state == _TRAILER:
            self._state = _END
        elif self.status < 200:
            self._state = _STATUS  # interim, RFC 9110 section 15.2
        else:
            self._on_head()
            return True
        return False

    def _on_status(self, line):
        # RFC 9112 section 4: HTTP-version SP status-code SP [ reason-phrase ]; servers also leave out the last SP.
        code = line[9:12]
        if line[:9] not in (b"HTTP/1.1 ", b"HTTP/1.0 ") or len(code) < 3 or code.strip(_DIGITS) or code[0] == 48 or line[12:13].strip(b" "):
            self._fail("status_line")
        self.status = int(str(code, "utf-8"))
        self._modern = line[7] == 49
        self.headers = {}
        self._state = _HEADER

    def _on_header(self, line, size):
        # RFC 9112 section 5: no space before the colon, and no folded lines, which are sent only by those who try to be misread.
        colon = line.find(b":", 0, size)
        if colon < 1 or line[:colon].strip(_TOKEN):
            self._fail("header")
        name = str(line[:colon], "utf-8").lower()
        if name not in KEPT:
            return
        try:
            value = str(line[colon + 1 : size], "utf-8").strip(" \t")
        except ValueError:  # UnicodeError
            self._fail("header", name)
        old = self.headers.get(name, value)
        if name in _LISTS and name in self.headers:
            value = old + ", " + value
        elif old != value:
            # RFC 9112 section 6.3 for Content-Length; for the others two values would let the sender choose who is misled.
            self._fail("header_twice", name)
        if self._lost or len(value) > LINE_BYTES:
            self._fail("header_long", name)
        self.headers[name] = value

    def _on_head(self):
        """Choose the framing of the body: RFC 9112 section 6.3, with every doubtful case refused."""
        get = self.headers.get
        coding = get("transfer-encoding")
        length = get("content-length")
        if coding is not None and (length is not None or coding.lower() != "chunked" or not self._modern):
            self._fail("framing")
        if length is not None:
            if not length or len(length) > LENGTH_DIGITS or length.encode().strip(_DIGITS):
                self._fail("length")
            self.length = self._left = int(length)  # _left: bytes of the body, or of the chunk, still to come
        options = get("connection", "").lower()
        self._keep = "close" not in options and (self._modern or "keep-alive" in options)
        if self.status in (204, 304):
            self._state = _END
        # Nobody asked for a compressed body; only that of a success would be taken for what it is not.
        elif self.status < 300 and get("content-encoding", "").lower() not in ("", "identity"):
            self._fail("encoding")
        elif coding:
            self._state = _SIZE
        elif length is None:
            self._keep = False
            self._state = _UNTIL_EOF
        else:
            self._state = _FIXED if self._left else _END

    def _on_size(self, line, size):
        # RFC 9112 section 7.1: hex digits, and after a semicolon extensions, which are skipped.
        semicolon = line.find(b";", 0, size)
        digits = line[: size if semicolon < 0 else semicolon].rstrip(b" \t")
        if not digits or len(digits) > CHUNK_DIGITS or digits.strip(_HEX):
            self._fail("chunk")
        self._head -= len(digits) + 1  # with its CR: only extensions count
        self._left = int(str(digits, "utf-8"), 16)
        self._state = _CHUNK if self._left else _TRAILER


def request_head(method, host, port, target, headers):
    """Build the head of a request, up to and including the empty line.

    Args:
        port: for the Host header; None for the scheme's default port.
        target: the path with query, percent-encoded, from its first slash.
        headers: everything but Host.

    Raises:
        ProtocolError: "http_request": a part holds a character that could end it, such as CR or LF.
    """
    head = method + " " + target + " HTTP/1.1\r\nHost: " + host
    if port is not None:
        head += ":%d" % port
    for name, value in headers.items():
        head += "\r\n" + name + ": " + value
    # Each line break, and each blank of the first line, must be ours. That host and target are well formed is for ota.url to see to.
    lines = head.split("\r\n")
    if len(lines) != len(headers) + 2 or lines[0].count(" ") != 2 or "".join(lines).encode().strip(_TEXT):
        raise ProtocolError("http_request", "not one line each")
    return (head + "\r\n\r\n").encode()
