"""Stage: new files into the arena, hashed on the way and read back. `job` is the Update."""

from .digest import git_blob
from .errors import error
from .plan import NEW, SECTOR, WRITE, sectors

BOOT_HOOK = b"# cOTA hook 2"
_BATCH = 8  # records verified in one step
_LFS = b"version https://git-lfs"
_MAX_LFS = 1024  # bytes; a pointer is smaller (Git LFS specification)


def fetch(job):
    """Stage one block of the file under the plan's cursor, or go to the next file."""
    plan = job.plan
    if job.hasher is None:
        return "fetch" if _next_file(job, plan) else "verify"
    view = job.view[: min(plan.length - job.got, len(job.view))]
    count = job.net.read_into(view)
    if count < len(view):
        raise error("hash", plan.path + " is too short")
    job.hasher.update(view)
    if job.got == 0:
        _look_at(plan, view)
    padded = sectors(count) * SECTOR
    for i in range(count, padded):
        job.view[i] = 0
    job.drive.write(plan.offset + job.got // SECTOR, job.view[:padded])
    job.got += count
    job.done += count
    if job.got == plan.length:
        _end_file(job, plan)
    return "fetch"


def verify(job):
    """Read some staged files back."""
    for _ in range(_BATCH):
        if not job.plan.next():
            return "backup" if job.backs_up else "commit"
        if job.plan.action in (WRITE, NEW) and not _is_staged(job, job.plan):
            raise error("staged", job.plan.path)
    return "verify"


def _next_file(job, plan):
    """Go on with the file under the cursor, or open the next one that is to be written; False if there is none."""
    while not job.is_open:
        if not plan.next():
            job.net.close()
            return False
        if plan.action in (WRITE, NEW):
            if job.resumed and _is_staged(job, plan):
                job.done += plan.length
            else:
                job.is_open = True
    hasher = git_blob(plan.length)
    if plan.length:
        # The digest of what is in the arena already is made anew: the hash object went with the connection.
        job.drive.hash_arena(plan.offset, job.got, hasher, job.view)
        if job.request(plan.path, job.got) == 206:
            if not job.net.headers.get("content-range", "").startswith("bytes " + str(job.got) + "-"):
                raise error("git_answer", "another range of " + plan.path)
        elif job.got:
            job.done -= job.got
            job.got = 0
            hasher = git_blob(plan.length)
    job.hasher = hasher
    if not plan.length:
        _end_file(job, plan)
    return True


def _is_staged(job, plan):
    hasher = git_blob(plan.length)
    job.drive.hash_arena(plan.offset, plan.length, hasher, job.view)
    return hasher.digest() == plan.digest


def _look_at(plan, view):
    """Refuse content that must not be installed, as soon as it shows."""
    if plan.length <= _MAX_LFS and bytes(view[: len(_LFS)]) == _LFS:
        raise error("lfs", plan.path)
    if plan.path == "boot.py" and not (bytes(view[: len(BOOT_HOOK)]) == BOOT_HOOK and b"/cota_sys/s/j" in bytes(view)):
        raise error("boot_hook")


def _end_file(job, plan):
    hasher = job.hasher
    job.hasher = None
    job.is_open = False
    job.got = 0
    if hasher.digest() != plan.digest:
        raise error("hash", plan.path)
    job.net.drain()
