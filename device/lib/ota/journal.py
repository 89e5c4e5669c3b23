"""The journal: which release wins, what the recovery has still to do, how the trial goes. Bytes and dicts, no file.

Two slots of one sector each, written in turn; the valid one with the larger number counts. A sector is written whole or not at all, and
the erase page around a slot holds nothing but padding: a page that a power cut destroys costs one step, never the journal.

Keys, short because a slot is one sector:
    q number of this entry · p phase · s slot of the current release's record
    c n k: offset, length and CRC-32 of the recovery in the arena
    f m h: first sector, sectors and CRC-32 of the plan; F M H the same of the undo plan (M is 0 where there is none)
    y key of the release that was committed · x key of the release that is refused · e CRC-32 of the cota_retry last acted on
    w why the last release was undone · o how often silence undid a release
    t the tries of the release under way (attempts.py)
    z the program was started again because the heap was full
    a failures counted; 3 and more: what is on the drive is no release worth a backup · v a verdict is asked for
    b a run is under way; 2: and the one before it, ended by hand, came to nothing
    u seconds of uptime without contact, of earlier boots · i those of this boot, as of the last save; the next boot adds them to u
"""

import json
from binascii import crc32

SECTOR = 512
SLOTS = (7 * SECTOR, 15 * SECTOR)  # any 4 KiB page around one holds neither the other nor anything but padding
BYTES = 23 * SECTOR

IDLE = "I"  # nothing to finish
COMMITTED = "C"  # the next release has won; the recovery makes the tree equal to it
TRIAL = "T"  # the tree is the new release's, which has yet to prove itself
UNDOING = "U"  # the recovery makes the tree equal to the old release

# What `v` asks of the guard.
RESET, SILENT = 1, 2


def sealed(data, size):
    """`data` (a dict) as `size` bytes: eight hexadecimal digits of CRC-32, JSON, spaces; None where it does not fit."""
    body = json.dumps(data).encode()
    if len(body) > size - 8:
        return None
    body += b" " * (size - 8 - len(body))
    return b"%08x" % (crc32(body) & 0xFFFFFFFF) + body


def unsealed(raw):
    """The dict that `sealed` wrote, or None where the bytes are torn or foreign."""
    try:
        if int(raw[:8], 16) != crc32(raw[8:]) & 0xFFFFFFFF:
            return None
        return json.loads(raw[8:])
    except ValueError:
        return None


def newest(one, other):
    """The entry that counts, of two slots' bytes; an idle one without a release where neither is valid."""
    best = {"q": 0, "p": IDLE, "s": 0}
    for raw in (one, other):
        found = unsealed(raw)
        if found and found["q"] > best["q"]:
            best = found
    return best
