"""Read one HTTP/1.1 response from bytes, and write the head of one request. No sockets here.

The caller owns a bytearray and says which part of it holds fresh bytes; the reader says what they mean. Body bytes are never copied: the
reader names where they lie. The end of the stream is an input of its own (`ResponseReader.eof`), because a body that ends early must be an
error.

What is read in each state, and the state after it:

    STATUS      status line                 HEADER
    HEADER      header line                 HEADER
    HEADER      empty line after 1xx        STATUS
    HEADER      empty line                  FIXED, SIZE, UNTIL_EOF or END, and the event HEAD
    FIXED       Content-Length bytes        END
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
HEAD_BYTES = 16384  # status lines and headers together, skipped ones too: node.js allows 16 KiB, Apache 8 KiB a line
HEADERS = 64  # GitHub's API sends about 30
INTERIM = 8  # 1xx responses before the real one (RFC 9110 section 15.2); nobody sends more than one or two
LENGTH_DIGITS = 10  # 10 GB, beyond any board
CHUNK_LINE_BYTES = 256  # a size and its extensions
CHUNK_DIGITS = 7  # 256 MiB in one chunk, and the number stays a small integer on a 32-bit board
EXTENSION_BYTES = 4096  # all chunk extensions of a body together (RFC 9112 section 7.1.1 asks for such a limit)
TRAILER_BYTES = 2048

# Everything else is skipped unread, so that a chatty server costs no heap.
KEPT = (
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "github-authentication-token-expiration",
    "location",
    "retry-after",
    "transfer-encoding",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
)

_LISTS = ("connection", "content-encoding", "transfer-encoding")  # may come in several lines (RFC 9110 section 5.3)
_DIGITS = "0123456789"
_HEX = b"0123456789abcdefABCDEF"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # RFC 9110 section 5.6.2
_VISIBLE = bytes(range(0x21, 0x7F))

# In this order one comparison tells a line from a body: up to _TRAILER a line is read, up to _CHUNK a counted body.
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

    Attributes:
        code: a short stable name such as "http_truncated".
        detail: one sentence for people; it never repeats what was sent to the server.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


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

    def __init__(self, method: str = "GET") -> None:
        self._line = bytearray(LINE_BYTES)
        self.headers: dict[str, str] = {}
        self.begin(method)

    def begin(self, method: str) -> None:
        """Forget the last response and expect one to a request with this method."""
        self.consumed = 0
        self.data_start = 0
        self.data_end = 0
        self.status = 0
        self.headers = {}
        self.length: int | None = None
        self.received = 0
        self.reusable = False
        self._no_body = method == "HEAD"
        self._state = _STATUS
        self._fill = 0  # bytes of the current line in _line
        self._lost = 0  # bytes of it that did not fit
        self._whole = False
        self._head = 0
        self._count = 0
        self._interim = 0
        self._modern = True
        self._keep = False
        self._left = 0
        self._extensions = 0

    def next(self, buf: bytearray, start: int, end: int) -> int:
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
        while True:
            state = self._state
            if state <= _TRAILER:
                if at == end:
                    break
                at = self._collect(buf, at, end)
                if self._whole:
                    self._on_line()
                    self._fill = self._lost = 0
                    self._whole = False
                    if state == _HEADER and self._state > _HEADER:
                        self.consumed = at - start
                        return HEAD
            elif state == _END:
                if at != end:
                    self.reusable = False
                self.consumed = at - start
                return DONE
            elif state == _FAILED:
                raise RuntimeError("this response was refused before")
            elif self._left == 0 and state != _UNTIL_EOF:
                if state == _FIXED:
                    self._finish()
                else:
                    self._state = _CHUNK_END
            elif at == end:
                break
            else:
                stop = end
                if state != _UNTIL_EOF:
                    stop = min(end, at + self._left)
                    self._left -= stop - at
                self.data_start = at
                self.data_end = stop
                self.received += stop - at
                self.consumed = stop - start
                return DATA
        self.consumed = end - start
        return NEED_DATA

    def eof(self) -> int:
        """Take the end of the stream.

        Returns:
            DONE: the response is complete, also if it had no other end than this one.

        Raises:
            ProtocolError: "http_closed" if not one byte of a response came, else "http_truncated", with received and expected counts.
        """
        state = self._state
        if state == _UNTIL_EOF:
            self._finish()
        elif state == _STATUS and self._head == 0:
            self._fail("http_closed", "the server closed the connection without an answer")
        elif state <= _HEADER:
            self._fail("http_truncated", "the connection ended inside the head, after %d bytes" % self._head)
        elif state == _FIXED:
            if self._left:
                self._fail("http_truncated", "the body ended after %d of %d bytes" % (self.received, self.received + self._left))
            self._finish()
        elif state == _FAILED:
            raise RuntimeError("this response was refused before")
        elif state != _END:
            self._fail("http_truncated", "the chunked body ended after %d bytes, before its last chunk" % self.received)
        return DONE

    def _finish(self) -> None:
        self._state = _END
        self.reusable = self._keep

    def _fail(self, code: str, detail: str) -> None:
        self._state = _FAILED
        self.reusable = False
        raise ProtocolError(code, detail)

    def _collect(self, buf: bytearray, at: int, end: int) -> int:
        """Move bytes up to the end of the line into _line; return the index behind the last one taken."""
        found = buf.find(b"\n", at, end)
        stop = end if found < 0 else found
        taken = stop - at
        fits = min(taken, LINE_BYTES - self._fill)
        if fits:
            self._line[self._fill : self._fill + fits] = buf[at : at + fits]
            self._fill += fits
        self._lost += taken - fits
        self._head += taken + (found >= 0)
        if self._state <= _HEADER:
            if self._head > HEAD_BYTES:
                self._fail("http_head_long", "the head is longer than %d bytes" % HEAD_BYTES)
        elif self._state == _TRAILER:
            if self._head > TRAILER_BYTES:
                self._fail("http_trailer_long", "the trailer is longer than %d bytes" % TRAILER_BYTES)
        elif self._fill > (CHUNK_LINE_BYTES if self._state == _SIZE else 1):
            self._fail("http_chunk", "a chunk's size line is too long, or a chunk longer than its size says")
        if found < 0:
            return end
        self._whole = True
        return found + 1

    def _on_line(self) -> None:
        """Take the complete line in _line[:_fill]; its LF is already gone."""
        line = self._line
        state = self._state
        size = self._fill
        if not self._lost and size and line[size - 1] == 13:
            size -= 1
        elif not self._lost and state > _HEADER:
            # RFC 9112 section 2.2 lets a recipient take a bare LF in the head, and small servers send it. It says nothing of the kind for
            # chunks, where two readings of one line give two bodies.
            self._fail("http_chunk", "a line of the chunked body does not end with CR LF")
        if line.find(b"\r", 0, size) >= 0 or line.find(b"\0", 0, size) >= 0:
            self._fail("http_header" if state <= _HEADER else "http_chunk", "a line holds a bare CR or a NUL")
        if state == _STATUS:
            self._on_status(bytes(line[:size]))
        elif state == _HEADER:
            if size:
                self._on_header(line, size)
            elif self._status_is_interim():
                self._state = _STATUS
            else:
                self._on_head()
        elif state == _SIZE:
            self._on_size(line, size)
        elif state == _CHUNK_END:
            if size:
                self._fail("http_chunk", "a chunk is longer than its size says")
            self._state = _SIZE
        elif not size:
            self._finish()

    def _on_status(self, line: bytes) -> None:
        # RFC 9112 section 4: HTTP-version SP status-code SP [ reason-phrase ]; servers also leave out the last SP.
        code = line[9:12]
        if (
            self._lost
            or line[:7] != b"HTTP/1."
            or line[7:9] not in (b"0 ", b"1 ")
            or len(code) != 3
            or not code.isdigit()
            or code[0] == 48
            or line[12:13] not in (b"", b" ")
        ):
            self._fail("http_status_line", "the answer does not start with an HTTP/1.x status line")
        self.status = int(code)
        self._modern = line[7] == 49
        self.headers = {}
        self._count = 0
        self._state = _HEADER
        if self.status == 101:
            # RFC 9110 section 7.8: only after our Upgrade, which we never send; what follows would not be HTTP.
            self._fail("http_upgrade", "the server switches to another protocol")

    def _status_is_interim(self) -> bool:
        if self.status >= 200:
            return False
        self._interim += 1
        if self._interim > INTERIM:
            self._fail("http_interim", "more than %d interim responses" % INTERIM)
        return True

    def _on_header(self, line: bytearray, size: int) -> None:
        if line[0] == 32 or line[0] == 9:
            # RFC 9112 section 5.2 lets a user agent replace the fold by spaces; nobody sends it but those who try to be misread.
            self._fail("http_header", "a folded header line")
        self._count += 1
        if self._count > HEADERS:
            self._fail("http_headers_many", "more than %d headers" % HEADERS)
        colon = line.find(b":", 0, size)
        # RFC 9112 section 5.1: no space between name and colon.
        if colon < 1 or line[:colon].strip(_TOKEN):
            self._fail("http_header", "a header line has no proper name")
        name = str(line[:colon], "utf-8").lower()
        if name not in KEPT:
            return
        if self._lost:
            self._fail("http_header_long", "the header %s is longer than %d bytes" % (name, LINE_BYTES))
        try:
            value = str(line[colon + 1 : size], "utf-8").strip(" \t")
        except ValueError:
            # UnicodeError, which is a ValueError everywhere.
            self._fail("http_header", "the header %s is not text" % name)
        old = self.headers.get(name)
        if old is not None and name in _LISTS:
            value = old + ", " + value
            if len(value) > LINE_BYTES:
                self._fail("http_header_long", "the header %s is longer than %d bytes" % (name, LINE_BYTES))
        elif old is not None and old != value:
            # RFC 9112 section 6.3 for Content-Length; for the others two values would let the sender choose who is misled.
            self._fail("http_header_twice", "two different values of the header %s" % name)
        self.headers[name] = value

    def _on_head(self) -> None:
        """Choose the framing of the body: RFC 9112 section 6.3, with every doubtful case refused."""
        get = self.headers.get
        coding = get("transfer-encoding")
        length = get("content-length")
        if coding is not None and length is not None:
            self._fail("http_framing", "both Content-Length and Transfer-Encoding")
        if coding is not None and (coding.lower() != "chunked" or not self._modern):
            self._fail("http_framing", "a Transfer-Encoding other than chunked over HTTP/1.1")
        if length is not None:
            if not length or len(length) > LENGTH_DIGITS or length.strip(_DIGITS):
                self._fail("http_length", "the Content-Length is not a number of up to %d digits" % LENGTH_DIGITS)
            self.length = int(length)
        connection = [word.strip().lower() for word in get("connection", "").split(",")]
        self._keep = "close" not in connection and (self._modern or "keep-alive" in connection)
        if self._no_body or self.status in (204, 304):
            self._finish()
            return
        # We send no Accept-Encoding; only the body of a success would be taken for what it is not.
        if self.status < 300 and get("content-encoding", "").lower() not in ("", "identity"):
            self._fail("http_encoding", "the body is compressed, though nobody asked for it")
        if coding is not None:
            self._state = _SIZE
        elif self.length is not None:
            self._left = self.length
            self._state = _FIXED
        else:
            self._keep = False
            self._state = _UNTIL_EOF

    def _on_size(self, line: bytearray, size: int) -> None:
        """RFC 9112 section 7.1: hex digits, and after a semicolon extensions, which are skipped."""
        semicolon = line.find(b";", 0, size)
        digits = line[: size if semicolon < 0 else semicolon].rstrip(b" \t")
        if not digits or len(digits) > CHUNK_DIGITS or digits.strip(_HEX):
            self._fail("http_chunk", "a chunk's size is not a hexadecimal number of up to %d digits" % CHUNK_DIGITS)
        self._extensions += size - len(digits)
        if self._extensions > EXTENSION_BYTES:
            self._fail("http_chunk", "more than %d bytes of chunk extensions" % EXTENSION_BYTES)
        self._left = int(str(digits, "utf-8"), 16)
        self._head = 0  # from here on it counts the trailer
        self._state = _CHUNK if self._left else _TRAILER


def request_head(method: str, host: str, port: int | None, target: str, headers: dict[str, str]) -> bytes:
    """Build the head of a request, up to and including the empty line.

    Args:
        port: for the Host header; None for the scheme's default port.
        target: the path with query, percent-encoded, from its first slash.
        headers: everything but Host.

    Raises:
        ProtocolError: "http_request": a part holds a character that could end it, such as CR or LF. The detail does not repeat it.
    """
    if not _is(method, _TOKEN):
        raise ProtocolError("http_request", "the method is not a word")
    if not _is(host, _VISIBLE) or "/" in host or "@" in host:
        raise ProtocolError("http_request", "the host name holds a space or another character that does not belong there")
    if not _is(target, _VISIBLE) or target[0] != "/":
        raise ProtocolError("http_request", "the path does not start with a slash, or is not percent-encoded")
    if ":" in host and host[0] != "[":
        host = "[" + host + "]"
    lines = [method + " " + target + " HTTP/1.1", "Host: " + host + ("" if port is None else ":%d" % port)]
    for name, value in headers.items():
        if not _is(name, _TOKEN) or name.lower() == "host":
            raise ProtocolError("http_request", "a header's name is not a word, or is Host")
        if value and (not _is(value.replace(" ", "!").replace("\t", "!"), _VISIBLE)):
            raise ProtocolError("http_request", "the value of the header %s holds a control character or is not ASCII" % name)
        lines.append(name + ": " + value)
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


def _is(text: str, characters: bytes) -> bool:
    """Whether text is not empty and made of these characters only; strip does the loop in C."""
    data = text.encode()
    return bool(data) and not data.strip(characters)
