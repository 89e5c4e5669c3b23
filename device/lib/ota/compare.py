"""Plan, second half: what the drive has already, what it has too much, and whether there is room for the rest. `job` is the Update."""

from . import backup
from .digest import git_blob
from .errors import error
from .plan import DELETE, FOLDER, NEW, SAME, SECTOR, SKIP, WRITE, sectors

_FOLDERS = 400  # folders the sweep remembers at once
_LONGEST = 225  # bytes of a path: what one byte of length leaves a record of the plan behind its HEAD_BYTES
_FILE, _DIR = 1, 2
_SLACK = 24  # clusters left free: new folders, and what a cut may lose (see redo._SMALL)


def compare(job):
    """See for some of the release's files whether the drive holds exactly their bytes."""
    plan = job.plan
    for _ in range(8):  # records in one step
        if not plan.next():
            return "sweep"
        if plan.action == SKIP:
            continue
        path = plan.path
        size = job.drive.size(path)
        if size == plan.length:
            sha = git_blob(size)
            job.drive.hash(path, sha, job.view)
            if sha.digest() == plan.digest:
                plan.mark(SAME)
                continue
        if size == -2 and job.rules.keeps_folder(path):
            raise error("path_kept", path)
        _must_write(job, size)
    return "compare"


def _must_write(job, size):
    """Let the record under the cursor be written, over a live file of `size` bytes."""
    plan = job.plan
    plan.mark(NEW if size < 0 else WRITE)
    job.total += plan.length
    job.growth += max(0, job.clusters(plan.length) - job.clusters(max(size, 0)))
    if size > plan.length:
        job.recreated = max(job.recreated, job.clusters(size))
    if size < 0:
        job.growth += len(plan.path) // 60 + 1  # its folder's entries


def sweep(job):
    """Look through one folder of the drive for what the release lacks; one pass through the plan tells for all its names."""
    job.folders, _, here = job.folders.rpartition("|")
    gone = here[-1:] == "\n"  # a folder that the release lacks altogether
    here = here.rstrip("\n")
    base = here + "/" if here else ""
    names = "/" + "/".join(job.drive.names(here)) + "/"  # one string takes a fifth of what the list takes
    uses = bytearray(names.count("/"))  # what the release has under each name
    if not gone:
        _look_up(job, base, names, uses)
    end = 0
    for i in range(len(uses) - 1):
        start = end + 1
        end = names.find("/", start)
        path = base + names[start:end]
        if end == start:
            continue  # an empty folder
        if len(path.encode()) > _LONGEST:
            continue  # a computer's or the program's; no plan can name it, so it stays
        size = job.drive.size(path)
        if size == -2:
            if job.rules.keeps_folder(path):
                _refuse_kept(job.plan, path)
                continue
            if uses[i] != _DIR:
                job.plan.append(FOLDER, 0, 0, None, path)
                path += "\n"
            if job.folders.count("|") >= _FOLDERS:
                raise error("too_many", "more than " + str(_FOLDERS) + " folders on the drive")
            job.folders += "|" + path
        elif size >= 0 and uses[i] != _FILE:
            if not job.rules.keeps(path):
                job.plan.append(DELETE, size, 0, None, path)
                job.growth -= job.clusters(size)
            elif uses[i]:
                raise error("path_kept", path)
            else:
                _refuse_kept(job.plan, path)
    return "sweep" if job.folders else "room"


def _look_up(job, base, names, uses):
    """Mark which of the `names` in a folder of the drive ("/a/b/") the release has, and as what."""
    plan = job.plan
    plan.rewind()
    while plan.next():
        path = plan.path
        if plan.action not in (SAME, WRITE, NEW) or not path.startswith(base):
            continue
        end = path.find("/", len(base))
        name = path[len(base) :] if end < 0 else path[len(base) : end]
        at = names.find("/" + name + "/")
        if at >= 0:
            uses[names.count("/", 0, at)] = _FILE if end < 0 else _DIR
        elif job.rules.keeps(path):
            pass  # nothing is deleted to make way for it: the drive keeps its own spelling, and the backup its content
        elif plan.action == SAME:
            # The drive has it under a name that differs by case: that one goes, this one comes.
            _must_write(job, -1)
        elif plan.action == WRITE:
            plan.mark(NEW)


def _refuse_kept(plan, kept):
    """Refuse a release that needs a file where the drive keeps a folder, or something in one."""
    plan.rewind()
    while plan.next():
        if plan.action in (WRITE, NEW) and kept.lower().startswith(plan.path.lower() + "/"):
            raise error("path_kept", kept)


def room(job):
    """Give every new file its place in the arena, and see that the drive has room for it and for the tree that follows."""
    plan, drive = job.plan, job.drive
    end = plan.first + plan.count
    while plan.next():
        if plan.action in (WRITE, NEW):
            plan.mark(plan.action, end)
            end += sectors(plan.length)
        job.applies |= plan.action not in (SAME, SKIP)
    free, cluster = drive.space()
    # A cut may lose the clusters of one file that is written anew because it gets shorter.
    job.after = max(0, job.growth + job.recreated + _SLACK)  # what is deleted makes room first
    job.backup_at = end
    job.backs_up = job.applies
    if job.applies:
        whole = end + backup.needed(job)
        if not job.backup_optional or _need(job, whole) * cluster <= free:
            end = whole
        else:
            job.backs_up = False  # COTA_BACKUP: better an update that cannot be undone than none
    need = _need(job, end) * cluster
    # A cut while the arena grew has left it clusters that its length does not tell of; growing takes them up, and they cost no free space.
    while need > free == drive.space()[0]:
        drive.grow(drive.arena_sectors + 8)  # an erase page
        need = _need(job, end) * cluster
    if need > free:
        raise error("space", str(need) + " bytes are needed, " + str(free) + " are free")
    drive.grow(end)
    return "fetch"


def _need(job, end):
    """Clusters that an arena of `end` sectors and the tree take."""
    return job.clusters(max(0, end - job.drive.arena_sectors) * SECTOR) + job.after
