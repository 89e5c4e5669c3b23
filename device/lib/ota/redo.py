"""The recovery: makes the tree equal to the release that won, from any point at which it was cut before; and ends a trial that fails.

It stands alone. Staging copies this file into the arena, and boot.py runs that copy with the journal's entry as `j`, never this one, so
that a release may replace all of lib/ota. Every step may be done again: what is right already is skipped, nothing is renamed (a cut inside
a rename leaves two names on one cluster chain), and files are written in place where their clusters suffice. Undoing a release is the same
with another plan, the one that backup.py wrote.

The guard runs the same copy without `j`, for `count` and `save`.
"""

import hashlib
import json
import os
import struct
import time
from binascii import crc32

_STATE = "/cota_sys/s/"
_SECTOR = 512
_SLOTS = (3584, 7680)
_BUFFER = bytearray(2048)
_VIEW = memoryview(_BUFFER)
_SAME, _NEW, _DELETE, _MAKE = b"=NDM"  # plan.py has them all
_STAGED = b"WN"
_SMALL = 16  # clusters that a cut may lose: a new file of no more is written in one go, which costs fewer FAT writes
_LAST = ("main.py", "boot.py")  # boot.py, which runs this, is the last file to be written
_HARD_FAULT, _OTHER = 0x48, 0x42  # what safemode.py leaves
FAILURES = 3  # of a release on trial, and it is undone


class RedoError(Exception):
    """The release cannot be applied now."""


def _records(arena, plan, actions):
    """Yield (action, length, arena sector, digest, path) for each record of the plan (see _apply) with one of these actions."""
    sector = bytearray(_SECTOR)
    for number in range(plan[0], plan[0] + plan[1]):
        arena.seek(number * _SECTOR)
        arena.readinto(sector)
        at = 0
        while at < _SECTOR and sector[at]:
            total, action, length, offset = struct.unpack_from("<BBII", sector, at)
            if action in actions:
                yield action, length, offset, bytes(sector[at + 10 : at + 30]), "/" + bytes(sector[at + 30 : at + total]).decode()
            at += total


def _size(path):
    """A file's length, -1 where there is nothing, -2 for a folder."""
    try:
        info = os.stat(path)
    except OSError:
        return -1
    return -2 if info[0] & 0x4000 else info[6]


def _digest(file, length):
    hasher = hashlib.new("sha1") if hasattr(hashlib, "new") else hashlib.sha1()
    hasher.update(b"blob %d\0" % length)
    while length > 0:
        count = file.readinto(_VIEW[: min(length, len(_BUFFER))])
        if not count:
            break
        hasher.update(_VIEW[:count])
        length -= count
    return hasher.digest()


def _is_right(path, length, digest):
    if _size(path) != length:
        return False
    with open(path, "rb") as file:
        return _digest(file, length) == digest


def _check(arena, plan):
    """Nothing is changed before the plan and all that it will write have been read back, and what guards the trial compiles.

    Where a release is undone, a folder that its program has made in a file's place goes.
    """
    checksum = 0
    arena.seek(plan[0] * _SECTOR)
    for _ in range(plan[1]):
        arena.readinto(_VIEW[:_SECTOR])
        checksum = crc32(_VIEW[:_SECTOR], checksum)
    if checksum & 0xFFFFFFFF != plan[2]:
        raise RedoError("plan torn")
    for _, length, offset, digest, path in _records(arena, plan, _STAGED):
        arena.seek(offset * _SECTOR)
        if _digest(arena, length) != digest:
            raise RedoError("staged " + path + " torn")
        if plan[3]:
            if _size(path) == -2:
                _clear(path)
        elif path in ("/boot.py", "/safemode.py") or (path[:9] == "/lib/ota/" and path[-3:] == ".py"):
            arena.seek(offset * _SECTOR)
            compile(arena.read(length) or "?", path, "exec")


def _clear(path):
    """Take a folder away, with all that is in it."""
    while _size(path) == -2:
        inner = path
        try:
            while True:
                part = inner + "/" + os.listdir(inner)[0]
                if _size(part) == -2:
                    inner = part
                else:
                    os.remove(part)
        except IndexError:
            os.rmdir(inner)


def _remains(name, shown):
    """True if `shown` is what FAT shows of the long `name` when a cut has torn off its long part: `GONE_L~1.PY` of gone_long_name.py."""
    body, dot, tail = name.upper().replace(" ", "").rpartition(".")
    if not dot:
        body, tail = tail, ""
    stem, _, extension = shown.partition(".")
    stem, mark, number = stem.rpartition("~")
    return bool(mark) and extension == tail[:3] and stem == body.replace(".", "")[: 7 - len(number)] and shown == shown.upper()


def _delete(arena, plan):
    folders = 0
    for action, _, _, _, path in _records(arena, plan, b"DX"):
        if action == _DELETE:
            if _size(path) >= 0:
                os.remove(path)
            folder, _, name = path.rpartition("/")
            if _size(folder or "/") == -2:
                for shown in os.listdir(folder or "/"):
                    if "~" in shown and _remains(name, shown):
                        os.remove(folder + "/" + shown)
        else:
            folders = 1
    removed = 1
    while folders and removed:  # each round empties one more level of nested folders
        removed = 0
        for _, _, _, _, path in _records(arena, plan, b"X"):
            try:
                os.rmdir(path)
                removed = 1
            except OSError:
                pass


def _make_folders(path):
    """Make the folders that `path`, which ends with a / where it is a folder itself, lies in."""
    at = path.find("/", 1)
    while at > 0:
        if _size(path[:at]) >= 0:  # a program's, made since the plan
            os.remove(path[:at])
        try:
            os.mkdir(path[:at])
        except OSError as exc:
            if exc.args[0] != 17:  # EEXIST
                raise
        at = path.find("/", at + 1)


def _make_names(arena, plan, cluster):
    """Give every new file of a folder its name, on clusters full of zeros.

    FatFs enlarges a folder by linking a cluster and clearing it afterwards; a cut between leaves old bytes in it that read as names. So
    zeros are written to the clusters that it takes next: those of a pool file that is emptied, behind which allocation starts again
    (f_open, "reuse the cluster hole"). The root has a fixed size, and its files get their names with their content.
    """
    entries = folders = 0
    before = ""
    for action, _, _, _, path in _records(arena, plan, b"NM"):
        if (action == _NEW and path.count("/") > 1 and _size(path) == -1) or (action == _MAKE and _size(path) == -1):
            entries += 2 + len(path.encode()) // 13
            at = path.find("/", 1)
            while at > 0:
                folders += before[: at + 1] != path[: at + 1] and _size(path[:at]) == -1
                at = path.find("/", at + 1)
            folders += action == _MAKE
            before = path
    if not entries:
        return
    _BUFFER[:] = bytes(len(_BUFFER))
    length = min(entries * 32 // cluster + folders + 4, os.statvfs("/")[3]) * cluster
    with open(_STATE + "z", "wb") as pool:
        pool.seek(length)
        pool.seek(0)
        for _ in range(length // _SECTOR):
            pool.write(_VIEW[:_SECTOR])
    with open(_STATE + "z", "wb"):
        pass
    for action, _, _, _, path in _records(arena, plan, b"NM"):
        if action == _MAKE:
            _make_folders(path + "/")
        elif path.count("/") > 1:
            _make_folders(path)
            if _size(path) == -1:
                with open(path, "wb"):
                    pass


def _copy(arena, offset, file, length):
    arena.seek(offset * _SECTOR)
    while length > 0:
        part = _VIEW[: min(length, len(_BUFFER))]
        arena.readinto(part)
        if file.write(part) != len(part):
            raise OSError(28)
        length -= len(part)


def _write(arena, path, length, offset, cluster, in_place):
    """Write a file: in place where its clusters suffice, else its new clusters are allocated by one seek before the first byte."""
    old = _size(path)
    grows = (length + cluster - 1) // cluster > (max(old, 0) + cluster - 1) // cluster
    if length < old or old < 0 or (grows and old and not in_place):
        with open(path, "wb") as file:  # there is no truncate: a shorter file is a new one
            file.seek(length)
            if length <= _SMALL * cluster:
                file.seek(0)
                _copy(arena, offset, file, length)
                return
        grows = False  # closed: a cut from here on finds the clusters owned by the file
    with open(path, "r+b") as file:
        if grows:
            file.seek(length)
            file.seek(0)
        _copy(arena, offset, file, length)


def _write_all(arena, plan, cluster):
    # A FAT12 link that crosses two sectors may be torn to a value from 0xF00 on: an end mark on smaller drives; larger ones are FAT16.
    in_place = not 3830 < os.statvfs("/")[2] < 4085
    failed = None
    for last in range(len(_LAST) + 1):
        for _, length, offset, digest, path in _records(arena, plan, _STAGED):
            turn = _LAST.index(path[1:]) + 1 if path[1:] in _LAST else 0
            if turn == last and not _is_right(path, length, digest):
                try:
                    _make_folders(path)
                    _write(arena, path, length, offset, cluster, in_place)
                except OSError as exc:
                    if not plan[3]:
                        raise
                    failed = exc  # a full drive: most files need no cluster, and perhaps they are enough for an updater that runs
    if failed:
        raise failed


def _apply(journal, keys):
    """Make the tree equal to the release of the plan behind these keys: first sector, sectors, CRC-32, whether it undoes. Hash all of it.

    Raises:
        RedoError, OSError: it could not be finished.
    """
    plan = [journal[key] for key in keys] + [keys == "FMH"]
    cluster = os.statvfs("/")[0]
    with open(_STATE + "a", "rb") as arena:
        _check(arena, plan)
        _delete(arena, plan)
        _make_names(arena, plan, cluster)
        _write_all(arena, plan, cluster)
        for action, length, _, digest, path in _records(arena, plan, b"=WN"):
            if not _is_right(path, length, digest):
                if action == _SAME:  # changed since the plan was made, which has no bytes for it: not the release's fault
                    journal["y"] = ""  # so once the old one is back, all that differs is fetched
                raise RedoError(path + " differs")


def save(journal):
    """Write the journal's next entry: one sector, in place."""
    journal["q"] += 1
    body = json.dumps(journal).encode()
    if len(body) > _SECTOR - 8:
        journal["w"] = ""
        body = json.dumps(journal).encode()
    body += b" " * (_SECTOR - 8 - len(body))
    with open(_STATE + "j", "r+b") as file:
        file.seek(_SLOTS[journal["q"] & 1])
        file.write(b"%08x" % (crc32(body) & 0xFFFFFFFF) + body)


def count(journal, why, failures=1):
    """Count failures of the release on trial; with the third it is to be undone, at the next boot. `why` is what ThingsBoard will show."""
    journal["a"] += failures
    journal["w"] = "".join(c for c in why[:96] if " " <= c <= "~")  # the journal is one sector
    journal["b"] = journal["v"] = 0
    if journal["a"] >= FAILURES:
        journal["p"] = "U" if journal["M"] else "I"
        journal["x"] = journal["y"]  # without a backup the release stays; it is FAILED all the same, and another one may come
    save(journal)


def _commit(journal):
    """Apply the committed release. What cannot be applied is undone; without a backup it stays to be applied."""
    for left in (1, 0):  # what is right already costs the second try nothing
        try:
            _apply(journal, "fmh")
            break
        except Exception as exc:
            if left:
                continue
            if not journal["M"]:
                raise
            journal["w"] = "apply " + repr(exc)[:80]
            journal["p"] = "U"
            save(journal)
            return
    journal["p"] = "T"
    journal["s"] = 1 - journal["s"]
    journal["u"] = -int(time.monotonic())  # under the original's boot.py no reset comes before the trial
    save(journal)


def _start_trial(journal):
    """A boot on trial: did the run before it end as it must not?

    A start by hand, after a run that came to nothing, counts nothing; the guard then asks whether another release is assigned (`b` is 2).
    """
    import microcontroller
    import supervisor

    before = str(journal)
    journal["u"] += journal.get("i", 0)  # the clock has begun anew
    journal["i"] = 0
    if journal["b"]:
        reason, kind = microcontroller.cpu.reset_reason, microcontroller.ResetReason
        left = _left() if reason == kind.SOFTWARE else _OTHER
        if reason == kind.WATCHDOG:
            count(journal, "the watchdog reset the board")
        elif left == _HARD_FAULT:
            count(journal, "a hard fault")
        elif not left and journal["v"]:
            count(journal, "the guard did not start")
        elif not left:
            journal["v"] = 1
        elif reason in (kind.POWER_ON, kind.RESET_PIN):
            journal["b"] = 2
    if journal["p"] == "T":
        journal["b"] = journal["b"] or 1
        if str(journal) != before:
            save(journal)
        supervisor.set_next_code_file(_STATE + "g.py", sticky_on_success=True, sticky_on_error=True, sticky_on_reload=True)


def _first_again():
    """The tree is another one: its first failure is the first in a row for the guard (verdict.py keeps their number)."""
    try:
        import alarm

        alarm.sleep_memory[-6] = 0
    except Exception:  # no alarm, or no such memory
        pass


def _left():
    """What safemode.py has left in the memory that outlasts a reset, read once; an RP2040 wakes from deep sleep by a software reset."""
    try:
        import alarm

        memory = alarm.sleep_memory
        found = memory[-5]
        memory[-5] = 0
        return _OTHER if alarm.wake_alarm else found
    except Exception:  # no alarm, or no such memory
        return 0


def redo(journal):
    """Do what the journal says is left to do.

    Raises:
        RedoError, OSError: it could not be finished; the journal still says so, and the next boot does it again.
    """
    if journal["p"] == "C":
        _commit(journal)
        _first_again()
    if journal["p"] == "T":
        _start_trial(journal)
    if journal["p"] == "U":
        _apply(journal, "FMH")
        if journal["a"]:  # it was applied
            journal["s"] = 1 - journal["s"]
        journal["p"] = "I"
        journal["x"] = journal.get("y") or journal.get("x", "")
        journal["a"] = 0
        save(journal)
        _first_again()


if "j" in globals():
    redo(globals()["j"])
