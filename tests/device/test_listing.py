"""The listing reader against every vector, whole, byte by byte, and split in two at every position."""

import gc
import json

from helper import latin, lines, pieces, raises, utf8
from ota.listing import LISTING_BYTES, ListingError, TreeListing

PURE = True
LANES = ("cpython", "micropython", "circuitpython")  # nothing here depends on hashlib
VECTORS = "tests/vectors/listing/"
LONG = 600  # from here on not every position is split at, but every 61st
READ = 1024
SHA = "0123456789abcdef0123456789abcdef01234567"


def collect(parts):
    """All entries of the listing."""
    entries = []

    def handler(path, mode, kind, sha, size):
        entries.append([path, mode, kind, sha, size])

    listing = TreeListing(handler)
    for part in parts:
        listing.feed(part)
    listing.end()
    return entries


def check(case, parts):
    if "error" in case:
        exc = raises(ListingError, collect, parts)
        assert exc.args[0] == case["error"], exc.args[0]
        assert exc.args[1] and exc.args == (exc.args[0], exc.args[1])
        return
    entries = collect(parts)
    assert entries == case["entries"], entries


def run_vectors(name):
    count = 0
    for line in lines(VECTORS + name):
        case = json.loads(line)
        raw = (latin if case.get("bytes") else utf8)(case["text"])
        del case["text"]
        gc.collect()
        size = len(raw) or 1
        try:
            check(case, pieces(memoryview(raw), 0, READ))
            check(case, pieces(memoryview(raw), 0, 1))
            for first in range(1, size, 1 if size < LONG else 61):
                check(case, pieces(memoryview(raw), first, READ))
        except Exception:
            print("case:", case["name"])
            raise
        count += 1
    return count


def test_every_listing_is_read_alike_however_it_is_split():
    assert run_vectors("accepted.jsonl") > 30


def test_every_bad_listing_is_refused_alike_however_it_is_split():
    assert run_vectors("refused.jsonl") > 100


def test_bytes_and_bytearrays_are_read_like_views():
    text = b'{"tree":[{"path":"a","mode":"100644","type":"blob","sha":"%s","size":1}],"truncated":false}' % SHA.encode()
    for kind in (bytes, bytearray, memoryview):
        assert collect([kind(text)]) == [["a", "100644", "blob", SHA, 1]]


def test_an_error_of_the_handler_reaches_the_caller():
    class Stop(Exception):
        pass

    def handler(path, mode, kind, sha, size):
        raise Stop

    listing = TreeListing(handler)
    raises(Stop, listing.feed, b'{"tree":[{"path":"a","mode":"100644","type":"blob","sha":"%s","size":1}]' % SHA.encode())


def test_entries_come_as_soon_as_they_are_complete():
    got = []
    listing = TreeListing(lambda path, mode, kind, sha, size: got.append(path))
    listing.feed(b'{"tree":[{"path":"a","mode":"100644","type":"blob","sha":"%s","size":1' % SHA.encode())
    assert got == []
    listing.feed(b"}")
    assert got == ["a"]


def test_an_endless_listing_is_refused():
    listing = TreeListing(None)
    spaces = bytearray(b" " * 4096)
    # As if the first 32 MB had come: feeding them takes minutes on a board's VM.
    listing._total = LISTING_BYTES - 4096
    listing.feed(spaces)
    assert raises(ListingError, listing.feed, b" ").args[0] == "listing_long"


def test_entries_that_lie_across_every_edge_of_the_reader_are_read():
    entry = b'{"path":"folder/module_%03d}.py","mode":"100644","type":"blob","sha":"%s","size":%d}'
    for step in (97, 1000, READ * 4):
        text = b'{"tree":[' + b",".join([entry % (i, SHA.encode(), i) for i in range(40)]) + b'],"truncated":false}'
        entries = collect(pieces(memoryview(text), 0, step))
        assert [e[0] for e in entries] == ["folder/module_%03d}.py" % i for i in range(40)]
        assert sum([e[4] for e in entries]) == 780
