"""The plan: what a release holds and what must change on this board, as records in 512-byte sectors.

A record never crosses a sector, so that it can be changed in place by one sector write. The release's files come first, in the order
of their source; the deletes that follow were found on the drive. Nothing here opens a file: sectors come from an object with
`read(number, buffer)` and `write(number, buffer)`.
"""

import struct

from .errors import error

SECTOR = 512
MAX_FILES = 2000  # a record costs flash, not heap; 2,000 files fill the largest boards' folders

# What is to be done with a record's path.
FILE = 0x46  # F: a file of the release, not looked at yet
BAD = 0x42  # B: a file of the release that a board cannot hold; `offset` is an index into PROBLEMS
SKIP = 0x53  # S: a file of the release that stays off the board
SAME = 0x3D  # =: the drive holds exactly these bytes
WRITE = 0x57  # W: a file on the drive to be changed, from the arena's sector `offset`
NEW = 0x4E  # N: a file that the drive lacks (under exactly this name), from there too
MAKE = 0x4D  # M: a folder to be made (of the undo plan)
DELETE = 0x44  # D: a file on the drive to be deleted
FOLDER = 0x58  # X: a folder on the drive to be removed once it is empty

PROBLEMS = ("path_fat", "path_long", "symlink", "submodule")

_FORMAT = "<BBII20s"  # record bytes, action, file bytes, arena sector, SHA-1 of a Git blob; the path follows
HEAD_BYTES = 30


def sectors(length):
    """How many sectors hold `length` bytes."""
    return (length + SECTOR - 1) // SECTOR


class Plan:
    """A cursor over the plan's records with one sector in RAM.

    Attributes:
        action, length, offset, digest: The record under the cursor.
        first: The store's sector that the plan begins at.
        files: How many records were appended before `seal`.
        count: How many sectors the plan has.
    """

    def __init__(self, store, first):
        """Start an empty plan whose sectors begin at sector `first` of `store`."""
        self._store = store
        self.first = first
        self._buffer = bytearray(SECTOR)
        self._loaded = 0  # which sector the buffer holds
        self._dirty = False
        self._at = 0  # start of the record under the cursor
        self._next = 0
        self._end = 0  # where the next record of the last sector goes
        self.count = 1
        self.files = 0
        self.action = self.length = self.offset = 0
        self.digest = b""

    def restore(self, count, files):
        """Take over the sealed plan of `count` sectors that an earlier run wrote."""
        self.count = count
        self.files = files
        self._loaded = -1
        self.seal()

    def seal(self):
        """Let the next record start a sector of its own, so that what is appended from here on can be dropped by `restore`."""
        self._end = SECTOR

    def append(self, action, length, offset, digest, path):
        """Add a record at the plan's end; `path` is text, `digest` 20 bytes or None."""
        name = path.encode()
        total = HEAD_BYTES + len(name)
        self._load(self.count - 1)
        if self._end + total > SECTOR:
            self.close()
            self._buffer[:] = bytes(SECTOR)
            self.count += 1
            self._loaded = self.count - 1
            self._end = 0
        at = self._end
        struct.pack_into(_FORMAT, self._buffer, at, total, action, length, offset, digest or b"")
        self._buffer[at + HEAD_BYTES : at + total] = name
        self._end = at + total
        self._dirty = True
        if action in (FILE, BAD):
            self.files += 1
            if self.files > MAX_FILES:
                raise error("too_many", "more than " + str(MAX_FILES))

    def rewind(self):
        """Put the cursor before the first record."""
        self.close()
        self._load(0)
        self._next = 0

    def next(self):
        """Move to the next record; False at the end of the plan."""
        if self._next >= SECTOR or not self._buffer[self._next]:
            if self._loaded + 1 >= self.count:
                self.close()
                return False
            self._load(self._loaded + 1)
            self._next = 0
            if not self._buffer[0]:
                return False
        at = self._at = self._next
        total, self.action, self.length, self.offset, self.digest = struct.unpack_from(_FORMAT, self._buffer, at)
        if total < HEAD_BYTES or at + total > SECTOR:
            raise error("staged", "plan sector " + str(self._loaded))
        self._next = at + total
        return True

    @property
    def path(self):
        """The path of the record under the cursor."""
        return bytes(self._buffer[self._at + HEAD_BYTES : self._next]).decode()

    def mark(self, action, offset=0):
        """Change what is to be done with the record under the cursor."""
        if (action, offset) != (self.action, self.offset):
            self.action = action
            self.offset = offset
            struct.pack_into("<BII", self._buffer, self._at + 1, action, self.length, offset)
            self._dirty = True

    def place(self):
        """Where the cursor is: equal for the same record."""
        return self._loaded, self._at

    def _load(self, number):
        if number != self._loaded:
            self.close()
            self._store.read(self.first + number, self._buffer)
            self._loaded = number

    def close(self):
        """Write what is still in RAM; the plan may be used on."""
        if self._dirty:
            self._store.write(self.first + self._loaded, self._buffer)
            self._dirty = False
