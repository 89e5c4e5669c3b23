"""Stage: new files into the arena, hashed on the way and read back."""

from . import plan
from .digest import git_blob
from .errors import error
from .phases import COMMIT, FETCH, VERIFY

BOOT_HOOK = b"# cOTA hook 1."
_BATCH = 8  # records verified in one step
_LFS = b"version https://git-lfs"
_MAX_LFS = 1024  # bytes; a pointer is smaller (Git LFS specification)


class Fetch:
    """From a complete plan to a staged release: FETCH, VERIFY. `job` is the Update."""

    def __init__(self, job):
        self._job = job
        self._open = False  # the record under the cursor is a file that is not staged whole yet
        self._got = 0  # bytes of it in the arena
        self._hasher = None

    def begin(self):
        """Start with the plan's first file; what is staged already and right is not fetched again after `resumed`."""
        self._open = False
        self._got = 0
        self._hasher = None
        self._job.done = 0

    def interrupted(self):
        """The connection is gone; the file goes on from what is in the arena."""
        self._hasher = None

    def fetch(self):
        if self._hasher is None:
            if not self._next_file():
                self._job.net.close()
                return VERIFY
            return FETCH
        made = self._job.plan
        left = made.length - self._got
        want = self._job.view[: min(left, len(self._job.block))]
        count = self._job.net.read_into(want)
        if count < len(want):
            self._hasher = None
            self._job.net.close()
            raise error("hash", made.path + " is too short")
        self._hasher.update(want)
        self._look_at(made.path, self._got, count, left == count)
        padded = plan.sectors(count) * plan.SECTOR
        for i in range(count, padded):
            self._job.block[i] = 0
        self._job.drive.write(made.offset + self._got // plan.SECTOR, self._job.view[:padded])
        self._got += count
        self._job.done += count
        if self._got == made.length:
            self._end_file()
        return FETCH

    def _next_file(self):
        """Go on with the file under the cursor, or open the next one that is to be written; False if there is none."""
        made = self._job.plan
        while not self._open:
            if not made.next():
                return False
            self._open = made.action == plan.WRITE and not self._is_staged()
        if made.length == 0:
            self._hasher = git_blob(0)
            self._end_file()
            return True
        start = self._got
        if start:
            # The digest of what is in the arena is made anew: the hash object went with the connection.
            hasher = git_blob(made.length)
            self._job.drive.hash_arena(made.offset, start, hasher, self._job.block)
        if self._job.request(made.path, start) == 206:
            if not self._job.net.headers.get("content-range", "").startswith("bytes " + str(start) + "-"):
                self._job.net.close()
                raise error("git_answer", "another range of " + made.path)
        elif start:
            self._job.done -= start
            start = self._got = 0
        self._hasher = hasher if start else git_blob(made.length)
        return True

    def _is_staged(self):
        """True if an earlier run left this file in the arena, whole."""
        if not self._job.resumed:
            return False
        if not self._staged_right():
            return False
        self._job.done += self._job.plan.length
        return True

    def _staged_right(self):
        made = self._job.plan
        hasher = git_blob(made.length)
        self._job.drive.hash_arena(made.offset, made.length, hasher, self._job.block)
        return hasher.digest() == made.digest

    def _look_at(self, path, start, count, is_end):
        """Refuse content that must not be installed, as soon as it shows."""
        if start == 0 and is_end and count <= _MAX_LFS and self._job.block[: len(_LFS)] == _LFS:
            raise error("lfs", path)
        if path == "boot.py" and start == 0 and self._job.block[: len(BOOT_HOOK)] != BOOT_HOOK:
            raise error("boot_hook")

    def _end_file(self):
        hasher, self._hasher = self._hasher, None
        self._open = False
        got, self._got = self._got, 0
        if hasher.digest() != self._job.plan.digest:
            self._job.done -= got
            self._job.net.close()
            path = self._job.plan.path
            raise error("hash", path)
        self._job.net.drain()

    def verify(self):
        made = self._job.plan
        for _ in range(_BATCH):
            if not made.next():
                return COMMIT
            if made.action == plan.WRITE and not self._staged_right():
                path = made.path
                raise error("staged", path)
        return VERIFY
