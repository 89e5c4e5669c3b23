"""A listing of 2,000 entries in a quarter of a board's heap: the heap must not grow with the listing."""

import gc

from ota.listing import TreeListing

PURE = True
HEAP = "48k"
LANES = ("micropython", "circuitpython")
ENTRY = b'{"path":"%s/module_%04d.py","mode":"100644","type":"blob","sha":"0123456789abcdef0123456789abcdef0123%04d","size":%d,"url":"https://api.github.com/repos/owner/repository/git/blobs/0123456789abcdef"}'


def read(count):
    """Feed a listing of that many entries, made as it goes; return the most heap that was in use, above the start's."""
    seen = [0, 0]

    def handler(path, mode, kind, sha, size):
        seen[0] += 1
        seen[1] += size

    gc.collect()
    start = gc.mem_alloc()
    most = 0
    listing = TreeListing(handler)
    listing.feed(b'{"sha":"x","url":"y","tree":[')
    for i in range(count):
        if i:
            listing.feed(b",")
        listing.feed(ENTRY % (b"folder/of/some/length", i, i, i))
        if i % 50 == 0:
            gc.collect()
            most = max(most, gc.mem_alloc() - start)
    listing.feed(b'],"truncated":false}')
    listing.end()
    assert seen == [count, count * (count - 1) // 2]
    return most


def test_two_thousand_entries_fit_where_a_hundred_fit():
    few, many = read(100), read(2000)
    assert many <= few + 256, (few, many)


def test_the_reader_keeps_less_than_four_kilobytes():
    assert read(500) < 4096
