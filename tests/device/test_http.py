"""The response reader against every vector, whole, byte by byte, and split in two at every position."""

import gc
import json

from helper import latin, lines, pieces, raises
from ota.http import DATA, DONE, HEAD, KEPT, NEED_DATA, ProtocolError, ResponseReader, request_head

PURE = True
LANES = ("cpython", "micropython", "circuitpython")  # nothing here depends on hashlib
VECTORS = "tests/vectors/http/"
LONG = 600  # from here on not every position is split at, but every 61st
READ = 4096  # bytes of one read of the socket; a piece is never longer
BUFFER = bytearray(READ + 10)


class Exchange:
    """Feeds a reader as a connection would, and keeps what came out."""

    def __init__(self):
        self.reader = ResponseReader()
        self.body = bytearray()
        self.heads = 0
        self.done = False

    def feed(self, data):
        buf = BUFFER
        at, end = 3, 3 + len(data)
        buf[at:end] = data
        buf[end : end + 5] = b"\r\n\r\nX"  # what lies around the bytes must not matter
        while True:
            event = self.reader.next(buf, at, end)
            assert 0 <= self.reader.consumed <= end - at
            at += self.reader.consumed
            if event == DATA:
                assert not self.done and self.heads == 1
                assert at == self.reader.data_end and self.reader.data_start < at
                self.body += buf[self.reader.data_start : at]
                assert self.reader.received == len(self.body)
            elif event == HEAD:
                self.heads += 1
            else:
                assert event in (NEED_DATA, DONE)
                assert event == DONE or at == end
                self.done = event == DONE
                return


def feed_all(case, parts):
    exchange = Exchange()
    for piece in parts:
        exchange.feed(piece)
    if case.get("eof"):
        assert exchange.reader.eof() == DONE
    return exchange


def check_accepted(case, parts):
    exchange = feed_all(case, parts)
    reader = exchange.reader
    assert exchange.heads == 1
    assert exchange.done or case.get("eof")
    assert exchange.body == case["body"]
    assert reader.status == case["status"] and reader.length == case["length"]
    assert reader.reusable == case["keep"]
    for name in reader.headers:
        assert name in KEPT
    assert case.get("headers", reader.headers) == reader.headers


def check_refused(case, parts):
    exchange = Exchange()
    try:
        for piece in parts:
            exchange.feed(piece)
        assert case.get("eof"), "accepted"
        exchange.reader.eof()
    except ProtocolError as exc:
        assert exc.args[0] == case["error"], exc.args[0]
        assert len(exc.args) == 2
        assert case.get("detail", "") in exc.args[1]
        assert not exchange.done and not exchange.reader.reusable
        assert exchange.body == case.get("body", exchange.body)
        raises(RuntimeError, exchange.reader.next, bytearray(b"x"), 0, 1)
        raises(ProtocolError, exchange.reader.eof)
        return
    raise AssertionError("accepted")


def run_vectors(name, check):
    count = 0
    for line in lines(VECTORS + name):
        gc.collect()
        case = json.loads(line)
        raw = latin(case["raw"])
        if "body" in case:
            case["body"] = latin([case["body"]])
        del case["raw"]
        gc.collect()
        size = min(len(raw), READ) or 1
        check_split(case, raw, check, 0, size)
        check_split(case, raw, check, 0, 1)
        for first in range(1, size, 1 if size < LONG else 61):
            check_split(case, raw, check, first, size)
        count += 1
    return count


def check_split(case, raw, check, first, step):
    try:
        check(case, pieces(raw, first, step))
    except Exception:
        print("case:", case["name"], "- split after", first, "bytes, then every", step)
        raise


def test_every_good_response_is_read_alike_however_it_is_split():
    assert run_vectors("accepted.jsonl", check_accepted) > 70


def test_every_bad_response_is_refused_alike_however_it_is_split():
    assert run_vectors("refused.jsonl", check_refused) > 120


def test_two_responses_share_one_connection_and_one_reader():
    reader = ResponseReader()
    for status, body in ((200, b"one"), (200, b""), (404, b"three")):
        reader.begin()
        raw = bytearray(b"HTTP/1.1 %d X\r\nETag: %s\r\nContent-Length: %d\r\n\r\n" % (status, body, len(body)) + body)
        assert reader.next(raw, 0, len(raw)) == HEAD
        at = reader.consumed
        assert reader.status == status and reader.headers["etag"] == str(body, "utf-8")
        if body:
            assert reader.next(raw, at, len(raw)) == DATA
            at += reader.consumed
            assert bytes(raw[reader.data_start : reader.data_end]) == body
        assert reader.next(raw, at, len(raw)) == DONE
        assert at == len(raw) and reader.reusable and reader.received == len(body)


def test_nothing_of_a_refused_response_remains_after_begin():
    reader = ResponseReader()
    bad = bytearray(b"HTTP/1.1 200 OK\r\nETag: old\r\nContent-Length: x\r\n\r\n")
    raises(ProtocolError, reader.next, bad, 0, len(bad))
    reader.begin()
    good = bytearray(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert reader.next(good, 0, len(good)) == HEAD
    assert reader.headers == {} and reader.length is None and reader.status == 204


def test_a_connection_is_not_reusable_before_the_body_has_ended():
    reader = ResponseReader()
    raw = bytearray(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")
    assert reader.next(raw, 0, len(raw)) == HEAD and not reader.reusable
    assert reader.next(raw, reader.consumed, len(raw)) == DATA and not reader.reusable
    assert reader.next(raw, len(raw), len(raw)) == NEED_DATA and not reader.reusable


def test_a_truncated_body_names_what_came_and_what_was_promised():
    reader = ResponseReader()
    raw = bytearray(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 300)
    assert reader.next(raw, 0, len(raw)) == HEAD
    assert reader.next(raw, reader.consumed, len(raw)) == DATA
    exc = raises(ProtocolError, reader.eof)
    assert exc.args[0] == "http_truncated" and "300 of 1000" in exc.args[1]


def test_body_bytes_cost_no_heap():
    if not hasattr(gc, "mem_alloc"):
        return  # CPython counts its heap otherwise; the other lanes have it
    reader = ResponseReader()
    head = bytearray(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    reader.next(head, 0, len(head))
    block = bytearray(500)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    count = 0
    while count < 2000:
        reader.next(block, 0, 500)
        count += 1
    grown = gc.mem_alloc() - before
    gc.enable()
    assert reader.received == 1000000 and reader.next(block, 0, 0) == DONE
    assert grown < 200, grown  # not of 2000 blocks


def test_a_request_head_is_what_rfc_9112_shows():
    head = request_head("GET", "example.com", None, "/a%20b?c=d", {"Accept": "*/*"})
    assert head == b"GET /a%20b?c=d HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n"
    assert request_head("POST", "h", 8080, "/", {}) == b"POST / HTTP/1.1\r\nHost: h:8080\r\n\r\n"


def test_an_empty_header_value_and_inner_spaces_are_sent():
    head = request_head("GET", "h", None, "/", {"A": "", "B": "a b\tc"})
    assert b"\r\nA: \r\n" in head and b"\r\nB: a b\tc\r\n" in head


def test_no_part_of_a_request_can_smuggle_a_line():
    evil = ("\r\nX: y", "\n", "\r", "\0", "\x7f", "\u00e9", "\u010a")  # U+010A becomes LF where a byte is cut from it
    for text in evil:
        for at in range(3):
            bad = "a" * at + text + "b"
            for arguments in (
                ("GET" + bad, "h", None, "/", {}),
                ("GET", "h" + bad, None, "/", {}),
                ("GET", "h", None, "/" + bad, {}),
                ("GET", "h", None, "/", {"A" + bad: "x"}),
                ("GET", "h", None, "/", {"A": bad}),
                ("GET", "h", None, "/", {"A": "x", "B": bad}),
            ):
                assert raises(ProtocolError, request_head, *arguments).args[0] == "http_request"


def test_a_blank_in_method_or_target_is_refused():
    for arguments in (("G T", "h", None, "/", {}), ("GET", "h", None, "/a b", {}), ("GET", "h", None, "/a ", {})):
        assert raises(ProtocolError, request_head, *arguments).args[0] == "http_request"


def test_a_refused_request_does_not_repeat_the_secret():
    exc = raises(ProtocolError, request_head, "GET", "h", None, "/", {"Authorization": "Bearer s3cret\r\n"})
    assert "s3cret" not in repr(exc)
    exc = raises(ProtocolError, request_head, "GET", "h", None, "/api/v1/t0ken x/attributes", {})
    assert "t0ken" not in repr(exc)
