"""The matrix of the wire: what a server may do, and what a board must make of it.

A row says what is sent in place of the good answer, and for each of the four requests of an update which error it must end in. Every case
is a whole update with one answer broken: after the errors that the row names it must reach its end, the release committed, or given up
where the row says so.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from origin import BIG, COMMIT, LISTING, Good, shared
from scripted import Answer, close, forever, half_close, pieces, reset, stall

# The four requests: the poll, and at the Git host the commit, the listing, and a file in the midst of the release.
KINDS = ("poll", "commit", "tree", "file")
NETWORK = ("closed", "timeout", "slow", "http", "dns", "connect", "tls")
OK = ""

Make = Callable[[Good], Answer]


@dataclass(frozen=True)
class Case:
    """One update with one broken answer.

    Attributes:
        name: What happens, for people.
        slug: The same as the name of a token and of a repository's owner.
        kind: Which request is answered so; one of KINDS.
        answers: What the first such requests get; those after get the good answer.
        errors: The codes that the updater must raise, in order.
        end: "done", "failed" (given up), or "stopped" where no answer is ever good.
        wait: Least and most seconds from the error to the next try; None: as the updater's own backoff has it.
        again: How often the request must have come in all; None: once more for each error.
        place: What takes the place of the good servers' addresses: "refused" or "nowhere".
    """

    name: str
    slug: str
    kind: str
    answers: tuple[Make, ...]
    errors: tuple[str, ...]
    end: str = "done"
    wait: tuple[int, int] | None = None
    again: int | None = None
    place: str = ""

    @property
    def aborts(self) -> bool:
        return ": aborts " in self.name

    @property
    def told(self) -> dict[str, str | bool]:
        """What the board's side must know of it."""
        waits = "timeout" in self.errors or "slow" in self.errors or "then silence" in self.name
        return {"slug": self.slug, "heals": self.heals, "waits": waits}

    @property
    def heals(self) -> bool:
        return self.end != "stopped"


@dataclass(frozen=True)
class Row:
    """What is sent, and the code for each kind of request."""

    name: str
    answers: tuple[Make, ...]
    codes: Mapping[str, str]
    end: Mapping[str, str] = field(default_factory=dict)
    wait: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    again: Mapping[str, int] = field(default_factory=dict)


def every(code: str, **other: str) -> dict[str, str]:
    """The same code for every kind but those named."""
    return {kind: other.get(kind, code) for kind in KINDS}


def sent(name: str, make: Make, codes: Mapping[str, str], **more: object) -> Row:
    return Row(name, (make,), codes, **more)  # type: ignore[arg-type]


# Closing, stalling and aborting.


def _cut(at: int, end: Callable[..., None]) -> Make:
    """The good answer up to byte `at` (from its end where negative), and then this end."""
    return lambda good: [good.raw[:at], end]


def cuts() -> Iterator[Row]:
    closed = every("closed")
    places = {"inside the version": 4, "before the status": 9, "inside the status": 11, "before the status line's end": 16}
    places |= {"after the status line": 17, "inside a header's name": 24, "inside a header's value": 38}
    for word, end in (("closes", close), ("aborts", reset)):
        yield sent(f"{word} without a byte", _cut(0, end), closed)
        for where, at in places.items():
            yield sent(f"{word} {where}", _cut(at, end), closed)
        yield sent(f"{word} before the head's last line feed", lambda good, end=end: [good.head[:-1], end], closed)
        yield sent(f"{word} after the head", lambda good, end=end: [good.head, end], closed)
        yield sent(f"{word} after one byte of the body", lambda good, end=end: [good.head + good.body[:1], end], closed)
        yield sent(f"{word} in mid body", lambda good, end=end: [good.head + good.body[: len(good.body) // 2], end], closed)
        yield sent(f"{word} before the last byte", _cut(-1, end), closed)
    silent = every("timeout")
    yield sent("stalls without a byte", _cut(0, stall), silent)
    yield sent("stalls inside the status line", _cut(9, stall), silent)
    yield sent("stalls inside a header", _cut(30, stall), silent)
    yield sent("stalls after the head", lambda good: [good.head, stall], silent)
    yield sent("stalls in mid body", lambda good: [good.head + good.body[: len(good.body) // 2], stall], silent)
    yield sent("stalls before the last byte", _cut(-1, stall), silent)
    yield sent("half closes in mid body", lambda good: [good.head + good.body[: len(good.body) // 2], half_close], closed)
    yield sent("half closes after the whole answer", lambda good: [good.raw, half_close], every(OK))
    yield sent("sends one byte at a time", lambda good: [pieces(good.raw, 1)], every(OK))
    yield sent("sends seven bytes at a time", lambda good: [pieces(good.raw, 7)], every(OK))
    yield sent("drips a header that never ends", lambda good: [b"HTTP/1.1 200 OK\r\nX-Slow: ", forever(b"x", 0.02)], every("slow"))
    yield sent("drips the body below the minimum rate", lambda good: [good.head_for(9_999_999), forever(b" ", 0.02)], every("slow"))
    yield sent("closes after the whole answer without a word", lambda good: [good.raw, close], every(OK))
    yield sent("aborts after a keep-alive answer", lambda good: [good.raw, reset], every(OK))


# Framing.

_SHORT_BODY = {"poll": "tb_answer", "commit": "git_answer", "tree": "listing_cut", "file": "hash"}


def _with(*lines: str, body: Callable[[bytes], bytes] = lambda body: body) -> Make:
    """A head of these lines in place of the good one, and the body."""
    return lambda good: ["\r\n".join(("HTTP/1.1 200 OK", good.type_line, *lines, "", "")).encode("latin-1") + body(good.body)]


def _chunks(data: bytes, size: int = 997) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(data[at : at + size]), data[at : at + size]) for at in range(0, len(data), size)) + b"0\r\n\r\n"


def _chunked(change: Callable[[bytes], bytes]) -> Make:
    return _with("Transfer-Encoding: chunked", body=change)


def _then_close(make: Make) -> Make:
    return lambda good: [*make(good), close]


def lengths() -> Iterator[Row]:
    bad = every("http")

    def length(change: Callable[[int], str]) -> Make:
        return lambda good: [f"HTTP/1.1 200 OK\r\n{good.type_line}\r\n{change(len(good.body))}\r\n\r\n".encode() + good.body]

    yield sent(
        "Content-Length one too long, then the end", _then_close(length(lambda n: f"Content-Length: {n + 1}")), every("closed", file=OK)
    )
    yield sent(
        "Content-Length one too long, then silence",
        lambda g: [*length(lambda n: f"Content-Length: {n + 1}")(g), stall],
        every("timeout", file=OK),
    )
    yield sent("Content-Length one too short", length(lambda n: f"Content-Length: {n - 1}"), _SHORT_BODY)
    yield sent("Content-Length 0 with a body", length(lambda n: "Content-Length: 0"), _SHORT_BODY)
    yield sent("Content-Length twice, the same", length(lambda n: f"Content-Length: {n}\r\nContent-Length: {n}"), every(OK))
    yield sent("Content-Length twice, different", length(lambda n: f"Content-Length: {n}\r\nContent-Length: {n + 1}"), bad)
    yield sent("Content-Length as a list", length(lambda n: f"Content-Length: {n}, {n}"), bad)
    for word, text in {
        "negative": "-{n}",
        "with a plus": "+{n}",
        "hexadecimal": "0x{n:x}",
        "with a fraction": "{n}.0",
        "empty": "",
        "a word": "many",
        "of 20 digits": "00000000001234567890",
        "with an underscore": "1_0",
    }.items():
        yield sent(f"Content-Length {word}", length(lambda n, text=text: "Content-Length: " + text.format(n=n)), bad)
    yield sent("Content-Length with chunked", _with("Content-Length: 5", "Transfer-Encoding: chunked", body=_chunks), bad)
    yield sent("chunked with Content-Length after it", _with("Transfer-Encoding: chunked", "Content-Length: 5", body=_chunks), bad)
    yield sent("neither length nor chunked, then the end", _then_close(_with("Connection: close")), every(OK))


def chunked() -> Iterator[Row]:
    bad = every("http")
    yield sent("chunked", _chunked(_chunks), every(OK))
    yield sent("chunked in chunks of one byte", _chunked(lambda b: _chunks(b, 1)), every(OK))
    yield sent(
        "chunked with extensions and a trailer", _chunked(lambda b: b"%x;a=b\r\n%b\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(b), b)), every(OK)
    )
    yield sent("chunked without its last chunk, then the end", _then_close(_chunked(lambda b: _chunks(b)[:-5])), every("closed", file=OK))
    yield sent("chunked without its last line, then the end", _then_close(_chunked(lambda b: _chunks(b)[:-2])), every("closed", file=OK))
    yield sent(
        "chunked without its last chunk, then silence",
        lambda g: [*_chunked(lambda b: _chunks(b)[:-5])(g), stall],
        every("timeout", file=OK),
    )
    yield sent("chunked with a chunk cut short, then the end", _then_close(_chunked(lambda b: b"ffff\r\n" + b[:30])), every("closed"))
    for word, size in {
        "empty": b"",
        "not hexadecimal": b"xyz",
        "negative": b"-5",
        "with 0x": b"0x5",
        "of 9 digits": b"fffffffff",
        "with a blank before it": b" 5",
        "in decimal point": b"5.0",
        "with a NUL": b"5\0",
    }.items():
        yield sent(f"a chunk size {word}", _chunked(lambda b, size=size: size + b"\r\n" + b), bad)
    yield sent("a chunk longer than its size", _chunked(lambda b: b"5\r\n" + b + b"\r\n"), bad)
    yield sent("a chunk without CR LF after it", _chunked(lambda b: b"5\r\n" + b[:5] + b"5\r\n" + b[5:10]), bad)
    yield sent("a chunk size that ends with LF alone", _chunked(lambda b: b"%x\n%b\r\n0\r\n\r\n" % (len(b), b)), bad)
    yield sent("a chunk extension without end", _chunked(lambda b: b"5;" + b"x" * 20_000), bad)
    yield sent("a trailer without end", _chunked(lambda b: _chunks(b)[:-2] + b"X: y\r\n" * 4_000), every("http", file=OK))
    yield sent("bytes after the last chunk", _chunked(lambda b: _chunks(b) + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!"), every(OK))
    yield sent("chunked and gzip", _with("Transfer-Encoding: gzip, chunked", body=_chunks), bad)
    yield sent("chunked twice", _with("Transfer-Encoding: chunked, chunked", body=_chunks), bad)
    yield sent("chunked in two lines", _with("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=_chunks), bad)
    yield sent("a coding nobody knows", _with("Transfer-Encoding: xchunked", body=_chunks), bad)
    yield sent("identity as a coding", _with("Transfer-Encoding: identity", "Content-Length: 5"), bad)
    yield sent(
        "chunked in HTTP/1.0",
        lambda good: [b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + _chunks(good.body)],
        bad,
    )


# Heads.


def heads() -> Iterator[Row]:
    bad = every("http")
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    yield sent("100 before the answer", lambda g: [go_on + g.raw], every(OK))
    yield sent("103 with headers before the answer", lambda g: [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + g.raw], every(OK))
    yield sent("100 three times before the answer", lambda g: [go_on * 3 + g.raw], every(OK))
    yield sent("100 without end", lambda g: [forever(go_on * 40)], bad)
    yield sent("101 in place of an answer", lambda g: [b"HTTP/1.1 101 Switching Protocols\r\n\r\n", close], every("closed"))
    yield sent("a header line of 8 KB that nobody reads", lambda g: [g.plus(f"X-Long: {'x' * 8000}")], every(OK))
    yield sent("a header of 8 KB that is read", lambda g: [g.plus(f"ETag: {'x' * 8000}")], bad)
    yield sent("a head of 20 KB", lambda g: [g.plus(*["X-Long: " + "x" * 1000] * 20)], bad)
    yield sent("a head without end", lambda g: [b"HTTP/1.1 200 OK\r\n", forever(b"X-More: and more\r\n" * 50)], bad)
    yield sent("a status line without end", lambda g: [b"HTTP/1.1 200 ", forever(b"O" * 500)], bad)
    yield sent("a header name without end", lambda g: [b"HTTP/1.1 200 OK\r\n", forever(b"N" * 500)], bad)
    yield sent("a folded header", lambda g: [g.plus("X-Fold: a\r\n b")], bad)
    yield sent("a blank before the colon", lambda g: [g.plus("X-Blank : a")], bad)
    yield sent("a header without a colon", lambda g: [g.plus("no colon here")], bad)
    yield sent("a header without a name", lambda g: [g.plus(": value")], bad)
    yield sent("a NUL in a header", lambda g: [g.plus("X-Nul: a\0b")], bad)
    yield sent("a CR inside a header", lambda g: [g.plus("X-Cr: a\rb")], bad)
    yield sent("LF alone in the head", lambda g: [g.head.replace(b"\r\n", b"\n") + g.body], every(OK))
    for word, line in {
        "HTTP/2": b"HTTP/2 200 OK",
        "HTTP/1.2": b"HTTP/1.2 200 OK",
        "HTTP/0.9": b"HTTP/0.9 200 OK",
        "ICY": b"ICY 200 OK",
        "lower case": b"http/1.1 200 OK",
        "two blanks": b"HTTP/1.1  200 OK",
        "no status": b"HTTP/1.1 OK",
        "two digits": b"HTTP/1.1 20 OK",
        "four digits": b"HTTP/1.1 2000 OK",
        "a status of 000": b"HTTP/1.1 000 OK",
        "a status of letters": b"HTTP/1.1 2OO OK",
    }.items():
        yield sent(f"a status line with {word}", lambda g, line=line: [line + g.raw[15:]], bad)
    yield sent("a status line without a reason", lambda g: [b"HTTP/1.1 200\r\n" + g.raw[17:]], every(OK))
    for word, data in {
        "HTML without a head": b"<!DOCTYPE html><html><body>Welcome</body></html>\r\n",
        "JSON without a head": b'{"shared": {}}\r\n',
        "an SSH banner": b"SSH-2.0-OpenSSH_9.6\r\n",
        "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46\r\n",
        "zeros": bytes(3000) + b"\n",
        "line ends only": b"\r\n" * 9000,
    }.items():
        yield sent(f"{word} in place of an answer", lambda g, data=data: [data, close], bad)
    yield sent("gzip that nobody asked for", lambda g: [g.plus("Content-Encoding: gzip")], bad)
    yield sent("deflate that nobody asked for", lambda g: [g.plus("Content-Encoding: deflate")], bad)
    yield sent("identity as the encoding", lambda g: [g.plus("Content-Encoding: identity")], every(OK))
    yield sent(
        "HTTP/1.0 that ends with the connection",
        lambda g: [f"HTTP/1.0 200 OK\r\n{g.type_line}\r\n\r\n".encode() + g.body, close],
        every(OK),
    )
    yield sent("HTTP/1.0 with a length", lambda g: [g.raw.replace(b"HTTP/1.1", b"HTTP/1.0", 1), close], every(OK))
    yield sent("HTTP/1.0 with keep-alive", lambda g: [g.plus("Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0", 1)], every(OK))
    yield sent("Connection: close, kept open", lambda g: [g.plus("Connection: close"), stall], every(OK))
    yield sent("another answer behind the answer", lambda g: [g.raw + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"], every(OK))
    yield sent("one byte behind the answer", lambda g: [g.raw + b"!"], every(OK))
    endless = {"poll": "http", "commit": "http", "tree": "git_answer", "file": "hash"}
    yield sent(
        "an endless body without a length", lambda g: [f"HTTP/1.1 200 OK\r\n{g.type_line}\r\n\r\n".encode(), forever(b"x" * 1000)], endless
    )
    yield sent(
        "a chunked body without end", lambda g: [_head("Transfer-Encoding: chunked"), forever(b"3e8\r\n" + b"x" * 1000 + b"\r\n")], endless
    )
    yield sent(
        "the right body and then more without end",
        lambda g: [f"HTTP/1.1 200 OK\r\n{g.type_line}\r\n\r\n".encode() + g.body, forever(b"x" * 1000)],
        {"poll": "http", "commit": "http", "tree": "git_answer", "file": OK},
    )


def _head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode()


# Statuses.

_LATER_GIT = every("git_status", poll="tb_status")
_PORTAL = b"<!DOCTYPE html><html><head><title>Log in to Wi-Fi</title></head><body>{}</body></html>" + b"<p>Welcome</p>" * 30


def _status(line: str, *headers: str, body: bytes = b'{"message":"no"}') -> Make:
    return lambda good: [_head(*headers, f"Content-Length: {len(body)}", status=line) + body]


# Of no interest to anyone but ours: what is not 200 is not an answer. (205 and 416 are told apart by some; we do not.)
_ODD = (
    *("201 Created", "202 Accepted", "203 Other", "205 Reset", "207 Multi", "299 Odd", "300 Choices", "305 Proxy", "400 Bad", "402 Pay"),
    *("405 Method", "406 Accept", "408 Timeout", "410 Gone", "413 Large", "414 Long", "416 Range", "418 Tea", "431 Head", "451 Law"),
    *("500 Oops", "501 No", "502 Bad Gateway", "503 Busy", "504 Timeout", "507 Full", "511 Log In", "599 Odd", "999 Odd"),
)


def statuses() -> Iterator[Row]:
    never = {"end": {"commit": "failed", "tree": "failed"}}
    yield sent("204 without a body", lambda g: [_head(status="204 No Content")], _LATER_GIT)
    yield sent("204 with a body", lambda g: [_head("Content-Length: 5", status="204 No Content") + b"hello"], _LATER_GIT)
    yield sent("304 without a body", lambda g: [_head(status="304 Not Modified")], _LATER_GIT)
    yield sent("304 with a body", lambda g: [_head("Content-Length: 5", status="304 Not Modified") + b"hello"], _LATER_GIT)
    for line in _ODD:
        yield sent(f"{line[:3]}", _status(line), _LATER_GIT)
    yield sent("401", _status("401 Unauthorized"), every("git_denied", poll="tb_token"))
    yield sent("403 without a word of limits", _status("403 Forbidden"), every("git_denied", poll="tb_status"))
    yield sent("404", _status("404 Not Found"), every("git_repo", poll="tb_status", file="git_answer"), **never)
    yield sent("409", _status("409 Conflict"), every("git_empty", poll="tb_status", file="git_answer"), **never)
    yield sent("422", _status("422 Unprocessable"), every("git_ref", poll="tb_status", file="git_answer"), **never)
    limit = every("git_limit", poll="tb_status")
    date = "Date: Wed, 25 Nov 2026 10:00:00 GMT"  # 1795600800
    none_left, at_reset = "x-ratelimit-remaining: 0", "x-ratelimit-reset: 1795601400"
    # ThingsBoard's polls have their own pace, to which what the server asks is added.
    asked = {**dict.fromkeys(KINDS, (600, 631)), "poll": (1200, 1400)}
    minute = {"commit": (60, 91), "tree": (60, 91), "file": (60, 91)}
    for line in ("403 Forbidden", "429 Too Many"):
        name = line[:3]
        for what, headers, wait in (
            ("Retry-After", ("Retry-After: 600",), asked),
            ("Retry-After as a date", ("Retry-After: Wed, 25 Nov 2026 10:10:00 GMT", none_left, date), asked),
            ("Retry-After of a year", ("Retry-After: 31536000",), dict.fromkeys(KINDS, (86400, 90000))),
            ("a reset time", (none_left, at_reset, date), asked),
            ("a reset time but no Date", (none_left, at_reset), minute),
            ("a Date of nonsense", (none_left, at_reset, "Date: soon"), minute),
            ("a reset time that is over", (none_left, "x-ratelimit-reset: 1795600700", date), {}),
            ("a reset time of nonsense", (none_left, "x-ratelimit-reset: 17956014000000", date), minute),
            ("a reset time years ahead", (none_left, "x-ratelimit-reset: 1895600700", date), dict.fromkeys(KINDS, (15, 44000))),
            ("a negative Retry-After", ("Retry-After: -5",), minute),
        ):
            yield sent(f"{name} with {what}", _status(line, *headers), limit, wait=wait)
    yield sent("429 without a word", _status("429 Too Many"), limit, wait=minute)
    yield sent("503 with Retry-After", _status("503 Busy", "Retry-After: 600"), _LATER_GIT, wait=asked)
    yield sent("500 with requests left", _status("500 Oops", "x-ratelimit-remaining: 7", at_reset, date), _LATER_GIT)
    page = ("Content-Type: text/html",)
    portal = {"poll": "tb_answer", "commit": "http", "tree": "git_answer", "file": "hash"}
    yield sent("a captive portal's page with 200", _status("200 OK", *page, body=_PORTAL), portal)
    yield sent("a captive portal's empty page with 200", _status("200 OK", *page, body=b""), _SHORT_BODY)
    yield sent("a captive portal's page with 511", _status("511 Log In", *page, body=_PORTAL), _LATER_GIT)
    wrong = {"poll": "tb_answer", "commit": "git_answer", "tree": "git_answer", "file": "hash"}
    spaces = b" " * 30
    yield sent("JSON of another kind", _status("200 OK", body=b'["a"]' + spaces), wrong)
    yield sent("null", _status("200 OK", body=b"null" + spaces), wrong)
    yield sent("bytes that are not UTF-8", _status("200 OK", body=b"\xff\xfe" * 20), wrong)


# Redirects.


def redirects() -> Iterator[Row]:
    def to(location: str, status: str = "302 Found") -> Make:
        return lambda good: [_head(f"Location: {good.place(location)}", "Content-Length: 0", status=status)]

    bad = every("http")
    for status in ("301 Moved", "302 Found", "303 Other", "307 Temporary", "308 Permanent"):
        yield sent(f"{status[:3]} to itself, then the answer", to("{path}", status), every(OK), again=dict.fromkeys(KINDS, 2))
        yield sent(f"{status[:3]} to the full address", to("{here}{path}", status), every(OK), again=dict.fromkeys(KINDS, 2))
        yield sent(f"{status[:3]} across hosts", to("{elsewhere}{path}", status), every(OK), again=dict.fromkeys(KINDS, 2))
        yield sent(f"{status[:3]} without Location", _status(status), _LATER_GIT)
    body = "Content-Length: 9"
    with_body: Make = lambda good: [_head(f"Location: {good.place('{path}')}", body, status="302 F") + b"elsewhere"]  # noqa: E731
    yield sent("302 with a body, to itself", with_body, every(OK), again=dict.fromkeys(KINDS, 2))
    yield Row("302 three times, then the answer", (to("{path}"),) * 3, every(OK), again=dict.fromkeys(KINDS, 4))
    yield Row("302 in a loop", (to("{path}"),) * 4, bad, again=dict.fromkeys(KINDS, 5))
    yield Row("302 to and fro between two hosts", (to("{elsewhere}{path}"), to("{here}{path}")) * 2, bad, again=dict.fromkeys(KINDS, 5))
    for word, location in {
        "to ftp": "ftp://127.0.0.1/a",
        "to a word": "elsewhere",
        "to a name with a password": "http://user:secret@127.0.0.1/a",
        "to port 0": "http://127.0.0.1:0/",
        "to port 99999": "http://127.0.0.1:99999/",
        "with a blank": "{here}/a b",
        "with a tab": "{here}/a\tb",
        "with UTF-8": "{here}/ä",
    }.items():
        yield sent(f"302 {word}", to(location), bad)
    portal = lambda good: [_head("Location: " + good.place("{portal}"), "Content-Length: 0", status="302 Found")]  # noqa: E731
    yield sent("302 to a captive portal's page", portal, {"poll": "tb_answer", "commit": "http", "tree": "git_answer", "file": "hash"})
    yield sent("302 to a port that refuses", to("{refused}/a"), every("connect"))


# Ranges: the file is cut first, and then its rest is asked for.

_CUT = 3000
_HALF: Make = lambda good: [good.head + good.body[:_CUT], close]  # noqa: E731


def ranges() -> Iterator[Case]:
    total = len(BIG)

    def rest(start: int, end: int, of: str = str(total), status: str = "206 Partial") -> Make:
        part = BIG[start : end + 1]
        return lambda good: [_head(f"Content-Range: bytes {start}-{end}/{of}", f"Content-Length: {len(part)}", status=status) + part]

    def case(name: str, second: Make, *codes: str, end: str = "done", again: int | None = None) -> Case:
        return Case(f"file: {name}", _slug("file", name), "file", (_HALF, second), ("closed", *codes), end, None, again)

    yield case("cut, and the rest is sent for the Range", lambda good: good.rest())
    yield case("cut, and 200 with the whole file for the Range", lambda good: [good.raw])
    yield case("cut, and 206 from the start", rest(0, total - 1), "git_answer")
    yield case("cut, and 206 of a later part", rest(4096, total - 1), "git_answer")
    yield case(
        "cut, and 206 without Content-Range",
        lambda g: [_head(f"Content-Length: {total - 2048}", status="206 P") + BIG[2048:]],
        "git_answer",
    )
    yield case(
        "cut, and 206 with a Content-Range of nonsense",
        lambda g: [_head("Content-Range: bytes some", "Content-Length: 9", status="206 P") + BIG[:9]],
        "git_answer",
    )
    yield case("cut, and 206 that ends early", rest(2048, total - 2), "hash")
    yield case(
        "cut, and 206 with other bytes",
        lambda g: [
            _head(f"Content-Range: bytes 2048-{total - 1}/{total}", f"Content-Length: {total - 2048}", status="206 P") + bytes(total - 2048)
        ],
        "hash",
    )
    yield case("cut, and 206 with a length of *", rest(2048, total - 1, "*"))
    yield case("cut, and 416", _status("416 Range"), "git_status")
    yield case("cut, and 200 with another file for the Range", _status("200 OK", body=b"x" * total), "hash")
    yield case("cut, and 304 for the Range", _status("304 Not Modified"), "git_status")
    yield case("cut, and cut again in the rest", lambda good: [*_first(good.rest(), 900), close], "closed")
    yield case(
        "cut, and multipart ranges",
        lambda g: [_head("Content-Type: multipart/byteranges; boundary=x", "Content-Length: 9", status="206 P") + b"--x\r\nab\r\n"],
        "git_answer",
    )
    yield Case("file: 206 that nobody asked for", "file-206-unasked", "file", (rest(0, total - 1),), ("git_status",))


def _first(answer: Answer, count: int) -> list[bytes]:
    return [b"".join(step for step in answer if isinstance(step, bytes))[:count]]


# What no answer is needed for.


def unreachable() -> Iterator[Case]:
    for kind in ("poll", "commit"):
        yield Case(f"{kind}: the port refuses", _slug(kind, "refused"), kind, (), ("connect",), "stopped", place="refused")
        yield Case(f"{kind}: no such host", _slug(kind, "nowhere"), kind, (), ("dns",), "stopped", place="nowhere")


# What the sources say, well-formed as HTTP.


def contents() -> Iterator[Case]:
    def case(kind: str, name: str, body: bytes, code: str, end: str = "done") -> Case:
        return Case(f"{kind}: {name}", _slug(kind, name), kind, (_status("200 OK", body=body),), (code,) if code else (), end)

    entry = json.loads(LISTING)["tree"][0]

    def tree(*entries: object, **more: object) -> bytes:
        return json.dumps({"sha": COMMIT, "tree": entries, "truncated": False, **more}).encode()

    yield case("poll", "an answer longer than any", json.dumps({"shared": {"fw_title": "x" * 5000}}).encode(), "http")
    yield case("poll", "attributes as a list", b'{"shared": []}', "tb_answer")
    yield case("poll", "attributes as a number", b'{"shared": 5}', "tb_answer")
    yield case("poll", "JSON cut short", shared("http://127.0.0.1/a/b")[:-2], "tb_answer")
    yield case("poll", "JSON nested 400 deep", b"[" * 400 + b"]" * 400, "tb_answer")
    yield case("commit", "39 digits", COMMIT[1:].encode(), "git_answer")
    yield case("commit", "41 digits", COMMIT.encode() + b"0", "git_answer")
    yield case("commit", "upper case digits", COMMIT.upper().encode(), "git_answer")
    yield case("commit", "the commit as JSON", json.dumps({"sha": COMMIT}).encode(), "git_answer")
    yield case("commit", "the commit and a line end", COMMIT.encode() + b"\n", OK)
    yield case("tree", "a listing that is truncated", tree(entry, truncated=True), "listing_truncated", "failed")
    yield case("tree", "a listing without the word truncated", json.dumps({"tree": [entry]}).encode(), "git_answer")
    yield case("tree", "a listing of nothing", tree(), "git_empty", "failed")
    yield case("tree", "an entry without a path", tree({k: v for k, v in entry.items() if k != "path"}), "git_answer")
    yield case("tree", "an entry with a size of text", tree({**entry, "size": "9"}), "git_answer")
    yield case("tree", "an entry with a negative size", tree({**entry, "size": -1}), "git_answer")
    yield case("tree", "an entry with a short digest", tree({**entry, "sha": "abc"}), "git_answer")
    yield case("tree", "an entry of 3 KB", tree({**entry, "path": "x" * 3000}), "too_many", "failed")
    yield case("tree", "two listings in one", LISTING + LISTING, "git_answer")
    yield case("tree", "a path that climbs out", tree({**entry, "path": "../settings.toml"}), "path_fat", "failed")
    yield case("tree", "a path from the root", tree({**entry, "path": "/settings.toml"}), "path_fat", "failed")
    yield case("tree", "a file of a gigabyte", tree({**entry, "size": 10**9}), "space", "failed")
    yield case("tree", "a symbolic link", tree({**entry, "mode": "120000"}), "symlink", "failed")


def _slug(kind: str, name: str) -> str:
    return kind + "-" + "".join(char if char.isascii() and char.isalnum() else "-" for char in name)[:70]


def _of_rows() -> Iterator[Case]:
    for table in (cuts, lengths, chunked, heads, statuses, redirects):
        for row in table():
            for kind in KINDS:
                code = row.codes[kind]
                yield Case(
                    f"{kind}: {row.name}",
                    _slug(kind, row.name),
                    kind,
                    row.answers,
                    (code,) if code else (),
                    row.end.get(kind, "done"),
                    row.wait.get(kind),
                    row.again.get(kind),
                )


CASES = (*_of_rows(), *ranges(), *unreachable(), *contents())
