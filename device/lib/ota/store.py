"""The drive: the only module that opens files (beside the recovery, which must stand alone).

The state folder holds files that are made once and then written in place, so that an update rewrites no FAT sector for its own state:

* `j`, the journal (journal.py): one sector write decides which release wins.
* `r`, two release records; the journal says which one is the current release, the other is the next one's.
* `a`, the arena: head, recovery code, plan, payload, backup, undo plan. It only grows; removing a large file can lose all its clusters
  at a cut.

Besides them `g.py`, one sector, starts the guard, and `z`, empty but for a moment, is the recovery's pool of zeros.

FAT writes a file's entry whenever the file is closed. So the erase page that these entries lie in shall hold no file that the board cannot
start without: they are in a folder of their own, `s`, after a padding file, `p`, and before the padding that `j` begins with.
"""

import os
from binascii import crc32

from . import journal
from .errors import error
from .paths import STATE_FOLDER
from .plan import SECTOR

_HOME = "/" + STATE_FOLDER
_FOLDER = _HOME + "/s"
_JOURNAL = _FOLDER + "/j"
_RECORDS = _FOLDER + "/r"
_ARENA = _FOLDER + "/a"
_START = _FOLDER + "/g.py"
REDO = "lib/ota/redo.py"  # the recovery, a copy of which goes into the arena
RECORD_BYTES = 2048  # three attributes of 255 characters each, as UTF-8 and with JSON's escapes
_EROFS = 30
_ENOSPC = 28


def failed(exc):
    """The error that an OSError of the drive stands for; what reaches the network wraps its own."""
    number = (exc.args or (0,))[0]
    if number == _EROFS:
        return error("read_only")
    if number == _ENOSPC:
        return error("space", "the drive is full")
    return error("flash", repr(exc)[:100])


def sealed(data, size):
    """`data` (a dict) as `size` bytes.

    Raises:
        OverTheAirUpdateError: it is too long.
    """
    raw = journal.sealed(data, size)
    if raw is None:
        raise error("attributes", "longer than " + str(size) + " bytes")
    return raw


class Store:
    """The live tree, and the state folder beside it. What the drive refuses comes out as the OSError that it is: see `failed`.

    Attributes:
        arena_sectors: How many sectors the arena has, while it is open.
    """

    def __init__(self):
        self._arena = None
        self.arena_sectors = 0

    # The live tree. Paths have no leading slash.

    def size(self, path):
        """A file's length in bytes, -1 where there is no such file, -2 for a folder."""
        try:
            info = os.stat("/" + path)
        except OSError:
            return -1
        return -2 if info[0] & 0x4000 else info[6]

    def names(self, folder):
        """The names in a folder, as one list: CircuitPython has no way to read a folder piece by piece."""
        try:
            return os.listdir("/" + folder)
        except UnicodeError:  # a torn folder
            raise error("flash", "cannot list /" + folder)

    def hash(self, path, hasher, view):
        """Feed a whole live file to `hasher` through `view`."""
        with open("/" + path, "rb") as file:
            for part in _parts(file, view, self.size(path)):
                hasher.update(part)

    def read_small(self, path, limit):
        """A live file of at most `limit` bytes, or None where it is longer or absent."""
        if 0 <= self.size(path) <= limit:
            with open("/" + path, "rb") as file:
                return file.read()
        return None

    def space(self):
        """(free bytes, cluster bytes) of the drive."""
        info = os.statvfs("/")
        return info[0] * info[3], info[0]

    # The journal and the release records.

    def prepare(self):
        """Make the state folder and its files where they are missing, in an order that keeps its pages and the journal's to themselves."""
        if self.size(STATE_FOLDER) == -1:
            os.mkdir(_HOME)
        if self.size(_FOLDER[1:]) == -1:
            with open(_HOME + "/p", "wb") as file:
                file.seek(7 * SECTOR)
            os.mkdir(_FOLDER)
        for path, size in (
            (_JOURNAL, journal.BYTES),
            (_RECORDS, 2 * RECORD_BYTES),
            (_ARENA, SECTOR),
            (_START, SECTOR),
            (_FOLDER + "/z", 0),
        ):
            if self.size(path[1:]) < size:
                with open(path, "wb") as file:
                    for _ in range(0, size, SECTOR):
                        file.write(bytes(SECTOR))
        code = self._read("/lib/ota/start.py", 0, SECTOR + 1)
        if 0 < len(code) <= SECTOR:  # the first part of a longer one would start nothing
            code += b"\n" * (SECTOR - len(code))
            if code != self._read(_START, 0, SECTOR):
                self._write(_START, 0, code)

    def journal(self):
        """The journal as a dict; a missing or torn one reads as idle, with no release."""
        return journal.newest(self._read(_JOURNAL, journal.SLOTS[0], SECTOR), self._read(_JOURNAL, journal.SLOTS[1], SECTOR))

    def write_journal(self, entry):
        """Make `entry` the journal: one sector, in place. The one act that every change of the board's state comes down to."""
        self.prepare()
        entry["q"] += 1
        raw = journal.sealed(entry, SECTOR)
        if raw is None:  # its one text of any length gives way
            entry["w"] = ""
            raw = journal.sealed(entry, SECTOR)
        self._write(_JOURNAL, journal.SLOTS[entry["q"] & 1], raw)

    def record(self, slot):
        """A release record as a dict, empty where there is none."""
        return journal.unsealed(self._read(_RECORDS, slot * RECORD_BYTES, RECORD_BYTES)) or {}

    def write_record(self, slot, record):
        """Replace a release record, in place."""
        self._write(_RECORDS, slot * RECORD_BYTES, sealed(record, RECORD_BYTES))

    def _read(self, path, offset, count):
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                return file.read(count)
        except OSError:
            return b""

    def _write(self, path, offset, data):
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def redo(self):
        """Run the recovery from the arena, as boot.py does; raises what stopped it."""
        entry = self.journal()
        code = self._read(_ARENA, entry["c"], entry["n"])
        if crc32(code) & 0xFFFFFFFF != entry["k"]:
            raise RuntimeError("the recovery does not read back")
        exec(code, {"j": entry})

    # The arena, by sectors.

    def open_arena(self):
        """Open the arena for reading and writing; it stays open until `close_arena`."""
        self.close_arena()
        self.arena_sectors = self.size(_ARENA[1:]) // SECTOR
        self._arena = open(_ARENA, "r+b")

    def close_arena(self):
        """Close the arena: what was written is on the flash after this."""
        arena = self._arena
        self._arena = None
        if arena is not None:
            arena.close()

    def grow(self, sectors):
        """Let the arena have at least `sectors` sectors: allocated by one seek, so that FAT sectors are written once."""
        if sectors > self.arena_sectors:
            self._arena.seek(sectors * SECTOR)
            self.open_arena()
            if self.arena_sectors < sectors:  # a host's file system grows a file only by writing
                self._arena.seek(sectors * SECTOR - 1)
                self._arena.write(b"\0")
                self.open_arena()

    def read(self, sector, view):
        """Fill `view` from the arena, from `sector` on."""
        self._arena.seek(sector * SECTOR)
        if self._arena.readinto(view) != len(view):
            raise error("staged", "the arena ends at " + str(sector))

    def write(self, sector, view):
        """Write whole sectors into the arena, from `sector` on. A full drive raises ENOSPC: the file object turns a short write into it."""
        self._arena.seek(sector * SECTOR)
        self._arena.write(view)
        self.arena_sectors = max(self.arena_sectors, sector + len(view) // SECTOR)

    def hash_arena(self, sector, length, hasher, view):
        """Feed `length` bytes of the arena, from `sector` on, to `hasher` through `view`."""
        self._arena.seek(sector * SECTOR)
        for part in _parts(self._arena, view, length):
            hasher.update(part)

    def checksum(self, sector, length, view):
        """The CRC-32 of `length` bytes of the arena, from `sector` on, or of as many as there are."""
        checksum = 0
        self._arena.seek(sector * SECTOR)
        for part in _parts(self._arena, view, length):
            checksum = crc32(part, checksum)
        return checksum & 0xFFFFFFFF

    def copy_in(self, path, sector, view):
        """Copy a live file into the arena through `view`, whole sectors; returns (length, CRC-32)."""
        length = checksum = 0
        with open("/" + path, "rb") as file:
            for part in _parts(file, view, self.size(path)):
                checksum = crc32(part, checksum) & 0xFFFFFFFF
                for i in range(len(part), len(view)):
                    view[i] = 0
                self.write(sector + length // SECTOR, view)
                length += len(part)
        return length, checksum


def _parts(file, view, length):
    """The next `length` bytes of a file, through `view`; fewer where it ends before."""
    while length > 0:
        count = file.readinto(view[: min(length, len(view))])
        if not count:
            return
        yield view[:count]
        length -= count
