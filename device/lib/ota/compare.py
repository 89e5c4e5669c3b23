"""Plan, second half: what the drive has already, what it has too much, and whether there is room for the rest."""

from . import plan
from .digest import git_blob
from .errors import error
from .phases import COMPARE, FETCH, ROOM, SWEEP

_BATCH = 8  # records looked at in one step
_MAX_FOLDERS = 400  # folders the sweep remembers at once
_SLACK = 8  # clusters left free: new folders, and what a cut may lose


class Compare:
    """From a sealed plan to a complete one: COMPARE, SWEEP, ROOM. `job` is the Update."""

    def __init__(self, job):
        self._job = job
        self._folders = None  # folders of the drive still to be looked through
        self._growth = 0  # clusters that the live tree needs beyond what it has
        self._cluster = plan.SECTOR  # bytes

    def begin(self):
        """Start over: the drive may have changed since a plan was sealed."""
        self._folders = [""]
        self._growth = 0
        self._cluster = self._job.drive.space()[1]
        self._job.total = self._job.done = 0

    def compare(self):
        made = self._job.plan
        for _ in range(_BATCH):
            if not made.next():
                return SWEEP
            if made.action == plan.SKIP:
                continue
            path = made.path
            size = self._job.drive.size(path)
            if size == made.length and self._hash_live(path, size) == made.digest:
                made.mark(plan.SAME)
            else:
                self._must_write(size)
                if size == -2 and self._job.rules.keeps_folder(path):
                    raise error("path_kept", path)
        return COMPARE

    def _must_write(self, size):
        """Let the record under the cursor be written, over a live file of `size` bytes."""
        self._job.plan.mark(plan.WRITE)
        self._job.total += self._job.plan.length
        self._growth += max(0, self._clusters(self._job.plan.length) - self._clusters(max(size, 0)))
        if size < 0:
            self._growth += len(self._job.plan.path) // 60 + 1  # its folder's entries

    def _clusters(self, length):
        return (length + self._cluster - 1) // self._cluster

    def _hash_live(self, path, size):
        hasher = git_blob(size)
        self._job.drive.hash(path, hasher, self._job.block)
        return hasher.digest()

    def sweep(self):
        """Look through one folder of the drive for what the release lacks; one pass through the plan tells for all its names."""
        folder, wanted_above = self._folders.pop(), True
        if folder[-1:] == "\n":  # a folder that the release lacks
            folder, wanted_above = folder[:-1], False
        prefix = folder + "/" if folder else ""
        names = self._job.drive.names(folder)
        present, wanted = self._in_release(prefix, names) if wanted_above else ((), ())
        for name in names:
            path = prefix + name
            size = self._job.drive.size(path)
            if size == -2:
                if self._job.rules.keeps_folder(path):
                    self._refuse_kept(path)
                    continue
                if name not in wanted:
                    self._job.plan.append(plan.FOLDER, 0, 0, None, path)
                if len(self._folders) >= _MAX_FOLDERS:
                    raise error("too_many", "more than " + str(_MAX_FOLDERS) + " folders on the drive")
                self._folders.append(path if name in wanted else path + "\n")
            elif size >= 0 and name not in present:
                if self._job.rules.keeps(path):
                    if name in wanted:
                        raise error("path_kept", path)
                    self._refuse_kept(path)
                else:
                    self._job.plan.append(plan.DELETE, size, 0, None, path)
                    self._growth -= self._clusters(size)
        return SWEEP if self._folders else ROOM

    def _in_release(self, prefix, names):
        """(names that are files of the release, names that are folders of it) among the `names` in a folder of the drive."""
        present, wanted = [], []
        made = self._job.plan
        lower = [name.lower() for name in names]
        made.rewind()
        while made.next():
            if made.action not in (plan.SAME, plan.WRITE) or not made.path.startswith(prefix):
                continue
            name, deeper, _ = made.path[len(prefix) :].partition("/")
            if name in names:
                if not deeper:
                    present.append(name)
                elif name not in wanted:
                    wanted.append(name)
            elif made.action == plan.SAME and name.lower() in lower:
                self._must_write(-1)  # the drive has it under a name that differs by case: that one goes, this one comes
        return present, wanted

    def _refuse_kept(self, kept):
        """Refuse a release that needs a file where the drive keeps a folder, or something in one."""
        made = self._job.plan
        made.rewind()
        while made.next():
            if made.action == plan.WRITE and kept.lower().startswith(made.path.lower() + "/"):
                raise error("path_kept", kept)

    def room(self):
        made = self._job.plan
        start = made.first + made.count
        end = start
        self._job.applies = False
        while made.next():
            if made.action == plan.WRITE:
                made.mark(plan.WRITE, end)
                end += plan.sectors(made.length)
            if made.action in (plan.WRITE, plan.DELETE, plan.FOLDER):
                self._job.applies = True
        made.close()
        free, cluster = self._job.drive.space()
        need = self._clusters(max(0, end - self._job.drive.arena_sectors()) * plan.SECTOR) + max(0, self._growth) + _SLACK
        if need * cluster > free:
            raise error("space", str(need * cluster) + " bytes are needed, " + str(free) + " are free")
        self._job.drive.grow(end)
        return FETCH
