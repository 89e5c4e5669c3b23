"""The recovery: makes the tree equal to the committed release, from any point at which it was cut before.

It stands alone. Staging copies this file into the arena, and boot.py runs that copy with the journal as `j`, never this one, so that a
release may replace all of lib/ota. Every step may be done again: what is right already is skipped, nothing is renamed (a cut inside a
rename leaves two names on one cluster chain), and files are written in place where their clusters suffice.
"""

import hashlib
import json
import os
import struct
from binascii import crc32, hexlify

_STATE = "/cota_sys/"
_SECTOR = 512
_BUFFER = bytearray(2048)
_VIEW = memoryview(_BUFFER)
_SAME, _WRITE, _DELETE, _FOLDER = b"=WDX"
_SMALL = 16  # clusters that a cut may lose: a new file of no more is written in one go, which costs fewer FAT writes
_LAST = ("main.py", "boot.py")  # boot.py, which runs this, is the last file to be written


class RedoError(Exception):
    """The release cannot be applied now; the journal still says that it must be."""


def _sha1():
    return hashlib.new("sha1") if hasattr(hashlib, "new") else hashlib.sha1()


def _records(arena, first, count):
    """Yield (action, length, arena sector, digest, path) for each record of the plan."""
    sector = bytearray(_SECTOR)
    for number in range(first, first + count):
        arena.seek(number * _SECTOR)
        arena.readinto(sector)
        at = 0
        while at < _SECTOR and sector[at]:
            total, action, length, offset = struct.unpack_from("<BBII", sector, at)
            yield action, length, offset, bytes(sector[at + 10 : at + 30]), bytes(sector[at + 30 : at + total]).decode()
            at += total


def _size(path):
    """A file's length, or -1."""
    try:
        info = os.stat(path)
    except OSError:
        return -1
    return -1 if info[0] & 0x4000 else info[6]


def _hash(file, length, hasher):
    while length > 0:
        count = file.readinto(_VIEW[: min(length, len(_BUFFER))])
        if not count:
            return
        hasher.update(_VIEW[:count])
        length -= count


def _is_right(path, length, digest):
    if _size(path) != length:
        return False
    hasher = _sha1()
    hasher.update(b"blob %d\0" % length)
    with open(path, "rb") as file:
        _hash(file, length, hasher)
    return hasher.digest() == digest


def _copy(arena, offset, file, length):
    arena.seek(offset * _SECTOR)
    while length > 0:
        part = _VIEW[: min(length, len(_BUFFER))]
        arena.readinto(part)
        if file.write(part) != len(part):
            raise OSError(28)
        length -= len(part)


def _write(arena, path, length, offset, cluster):
    """Write a file: in place where its clusters suffice, else its new clusters are allocated by one seek before the first byte."""
    old = _size(path)
    if length < old or old < 0:
        with open(path, "wb") as file:  # there is no truncate: a shorter file is a new one
            file.seek(length)
            if length <= _SMALL * cluster:
                file.seek(0)
                _copy(arena, offset, file, length)
                return
        old = length  # closed: a cut from here on finds the clusters owned by the file
    with open(path, "r+b") as file:
        if (length + cluster - 1) // cluster > (old + cluster - 1) // cluster:
            file.seek(length)
            file.seek(0)
        _copy(arena, offset, file, length)


def _make_parents(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError as exc:
            if exc.args[0] != 17:  # EEXIST
                raise
        at = path.find("/", at + 1)


def _delete(arena, first, count):
    folders = 0
    for action, _, _, _, path in _records(arena, first, count):
        if action == _DELETE and _size("/" + path) >= 0:
            os.remove("/" + path)
        folders += action == _FOLDER
    removed = 1
    while folders and removed:  # each round empties one more level of nested folders
        removed = 0
        for action, _, _, _, path in _records(arena, first, count):
            if action == _FOLDER:
                try:
                    os.rmdir("/" + path)
                    removed += 1
                except OSError:
                    pass


def _write_all(arena, first, count):
    cluster = os.statvfs("/")[0]
    for last in range(len(_LAST) + 1):
        for action, length, offset, digest, path in _records(arena, first, count):
            turn = _LAST.index(path) + 1 if path in _LAST else 0
            if action == _WRITE and turn == last and not _is_right("/" + path, length, digest):
                _make_parents("/" + path)
                _write(arena, "/" + path, length, offset, cluster)


def _check(arena, journal):
    hasher = _sha1()
    arena.seek(journal["f"] * _SECTOR)
    _hash(arena, journal["m"] * _SECTOR, hasher)
    if hexlify(hasher.digest()).decode() != journal["h"]:
        raise RedoError("the plan does not read back")


def _set_journal(journal):
    body = json.dumps(journal).encode()
    body += b" " * (_SECTOR - 8 - len(body))
    with open(_STATE + "j", "r+b") as file:
        file.write(b"%08x" % (crc32(body) & 0xFFFFFFFF) + body)


def redo(journal):
    """Apply the committed release, check every file that was written, and say so in the journal.

    Raises:
        RedoError, OSError: it could not be finished; the journal is unchanged, so that the next boot does it again.
    """
    first, count = journal["f"], journal["m"]
    with open(_STATE + "a", "rb") as arena:
        _check(arena, journal)
        _delete(arena, first, count)
        _write_all(arena, first, count)
        for action, length, _, digest, path in _records(arena, first, count):
            if action == _WRITE and not _is_right("/" + path, length, digest):
                raise RedoError(path + " does not read back")
    journal["p"] = "A"
    journal["s"] = 1 - journal["s"]
    _set_journal(journal)


if "j" in globals():
    redo(globals()["j"])
