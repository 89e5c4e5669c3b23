"""Backup: the old contents of all that a release changes, and the plan that brings them back. `job` is the Update.

It is the last thing before commit, so that what the program has written meanwhile is in it.
"""

from .digest import git_blob
from .errors import error
from .plan import DELETE, FOLDER, HEAD_BYTES, MAKE, NEW, SECTOR, WRITE, Plan, sectors

_BATCH = 4  # records looked at in one step


def needed(job):
    """Sectors that backup and undo plan take."""
    plan = job.plan
    plan.rewind()
    payload = at = 0
    before = ""
    while plan.next():
        path, action = plan.path, plan.action
        if action in (WRITE, DELETE):
            payload += sectors(max(0, job.drive.size(path)))
        if action in (WRITE, DELETE, FOLDER, NEW):
            at = _packed(at, path)
        if action == NEW:
            for folder in _lacking(job.drive, path, before):
                at = _packed(at, folder)
            before = path
    return payload + sectors(at) + 1


def _packed(at, path):
    """Where a record that begins behind byte `at` of the plan ends: none crosses a sector."""
    size = HEAD_BYTES + len(path.encode())
    if at % SECTOR + size > SECTOR:
        at = sectors(at) * SECTOR
    return at + size


def _lacking(drive, path, before):
    """The folders of `path` that the drive lacks and that are not those of `before`, the path that came before it."""
    end = path.find("/")
    while end > 0:
        if before[: end + 1] != path[: end + 1] and drive.size(path[:end]) != -2:
            yield path[:end]
        end = path.find("/", end + 1)


def backup(job):
    """Copy some of the old contents, or write some of the undo plan, which starts behind them."""
    if job.undo is None:
        job.undo_at = job.backup_at
        job.undo = []
    plan = job.plan
    for _ in range(_BATCH):
        if not plan.next():
            return _write_plan(job)
        if plan.action in (WRITE, DELETE):
            path = plan.path
            length = job.drive.size(path)
            if length < 0:
                raise error("staged", path + " is gone")
            job.drive.copy_in(path, job.undo_at, job.view)
            job.undo_at += sectors(length)
    return "backup"


def _write_plan(job):
    """The undo plan in one go: it reads each copy back for its digest."""
    drive, plan = job.drive, job.plan
    undo = Plan(drive, job.undo_at)
    at = job.backup_at
    before = ""
    plan.rewind()
    while plan.next():
        path, action = plan.path, plan.action
        if action in (WRITE, DELETE):
            length = drive.size(path)
            hasher = git_blob(length)
            drive.hash_arena(at, length, hasher, job.view)
            digest = hasher.digest()
            live = git_blob(length)
            drive.hash(path, live, job.view)
            if live.digest() != digest:
                raise error("staged", "the backup of " + path)
            undo.append(WRITE if action == WRITE else NEW, length, at, digest, path)
            at += sectors(length)
        elif action == NEW:
            undo.append(DELETE, 0, 0, None, path)
            for folder in _lacking(drive, path, before):
                undo.append(FOLDER, 0, 0, None, folder)
            before = path
        elif action == FOLDER:
            undo.append(MAKE, 0, 0, None, path)
    undo.close()
    if undo.first + undo.count > drive.arena_sectors:
        raise error("staged", "the undo plan")
    job.undo = undo
    return "commit"
