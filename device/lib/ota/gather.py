"""Plan, first half: ask the Git host what the release holds, and refuse what a board cannot hold, before anything else.

`job` is the Update.
"""

from binascii import crc32, unhexlify

from . import github, paths
from .digest import git_blob
from .errors import error
from .listing import ListingError, TreeListing
from .plan import BAD, FILE, PROBLEMS, SECTOR, SKIP, Plan, sectors
from .store import REDO

_BATCH = 8  # records looked at in one step
_PLAN_ROOM = 32  # sectors allocated for the plan at first: about 250 files
_CASE_BYTES = 1024  # of the bit array; at 500 paths one in fifteen asks for an exact look
_CODES = {"listing_truncated": "listing_truncated", "listing_cut": "listing_cut", "listing_long": "too_many"}


def resolve(job):
    """Ask which commit the ref is, once: everything after this is read at that commit."""
    if not job.refs:
        job.refs = github.refs(job.repository)
    ref, folder = job.refs[0]
    accept = dict(github.HEADERS)
    accept["Accept"] = github.SHA_ONLY
    status = job.net.open("GET", github.commit_url(job.repository, ref), accept)
    if status == 422 and len(job.refs) > 1:  # no such ref: one segment more may belong to its name
        job.net.drain()
        job.refs = job.refs[1:]
        return "resolve"
    job.refs = None
    if status != 200:
        raise github.refusal(status, job.net.headers, job.repository.name + " at " + ref)
    commit = job.net.read_all(64).strip()
    if not github.is_commit(commit):
        raise error("git_answer", "commit of " + ref)
    job.commit = commit.decode()
    job.folder = folder + "/" if folder else ""
    return "list"


def list_tree(job):
    """Read a piece of the listing; its entries become records of a new plan."""
    if job.parser is None:
        _begin_list(job)
    view = job.view[:SECTOR]
    count = job.net.read_into(view)
    try:
        job.parser.feed(view[:count])
        if count < SECTOR:
            job.parser.end()
    except ListingError as exc:
        raise error(_CODES.get(exc.args[0], "git_answer"), " ".join(exc.args))
    if count == SECTOR:
        return "list"
    job.parser = None
    job.net.close()  # the drive is looked through now: nobody waits that long, and the heap is needed
    if not job.plan.files:
        raise error("git_folder" if job.folder else "git_empty", job.folder or job.repository.name)
    job.plan.seal()
    return "ignore"


def _begin_list(job):
    job.unseal()
    job.redo = job.drive.copy_in(REDO, 1, job.view)
    first = 1 + sectors(job.redo[0] + len(job.view))
    job.drive.grow(first + _PLAN_ROOM)
    job.plan = Plan(job.drive, first)
    job.ignore_file = None
    status = job.net.open("GET", github.tree_url(job.repository, job.commit), github.HEADERS)
    if status != 200:
        raise github.refusal(status, job.net.headers, "listing of " + job.repository.name)

    def entry(path, mode, kind, sha, size):
        if kind != "tree" and path.startswith(job.folder):
            _add(job, path[len(job.folder) :], mode, kind, unhexlify(sha), size)

    job.parser = TreeListing(entry)


def _add(job, path, mode, kind, digest, size):
    code = "submodule" if kind == "commit" else "symlink" if mode == "120000" else paths.problem(path)
    if code:
        while len(path.encode()) > paths.MAX_PATH:
            path = path[: len(path) // 3] + "..." + path[-(len(path) // 3) :]
        job.plan.append(BAD, 0, PROBLEMS.index(code), None, path)
    else:
        job.plan.append(FILE, size, 0, digest, path)
        if path == paths.IGNORE_FILE:
            job.ignore_file = (size, digest)


def ignore(job):
    """Read the release's .cotaignore, where it has one: from the drive if it is the same there."""
    if job.ignore_file:
        length, digest = job.ignore_file
        if length > paths.MAX_IGNORE:
            raise error("ignore", str(length) + " bytes")
        text = job.drive.read_small(paths.IGNORE_FILE, length) or b""
        if _blob(text) != digest:
            job.request(paths.IGNORE_FILE, 0)
            text = job.net.read_all(length + 1)
            if _blob(text) != digest:
                raise error("hash", paths.IGNORE_FILE)
        job.rules.ignore(text)
    job.case_bits = bytearray(_CASE_BYTES)
    job.previous = ""
    job.checksum = 0
    return "check"


def check(job):
    """Refuse what a board cannot hold, among the files that are for it; at the end the plan is sealed."""
    plan = job.plan
    for _ in range(_BATCH):
        if not plan.next():
            job.case_bits = None
            job.seal()
            return "compare"
        path = plan.path
        low = path.lower()  # FAT opens boot.py, or a folder that hides a module, under any spelling
        if job.rules.skips(path):
            plan.mark(SKIP)
        elif plan.action == BAD:
            raise error(PROBLEMS[plan.offset], path)
        elif low == "boot.py" and (path != low or plan.length != SECTOR):  # one sector, so that replacing it is one atomic write
            raise error("boot_hook", path)
        elif low.replace("lib/ota", "").replace("lib/", "").replace(".mpy", "").replace(".py", "").split("/")[0] in (
            "ota",
            "json",
            "binascii",
        ):
            # json and binascii: boot.py needs them, and CircuitPython looks for them on the drive first (MP_REGISTER_EXTENSIBLE_MODULE),
            # at the root and in lib/, in a folder of whatever too.
            raise error("shadow", path)
        else:
            _check_case(job, path)
        job.checksum = fold(job.checksum, plan)
    return "check"


def _check_case(job, path):
    """Refuse a path that FAT would take for another one. A bit array finds the few that need an exact look through the plan."""
    at = 0
    while at < len(path):
        at = path.find("/", at + 1)
        if at < 0:
            at = len(path)
        elif job.previous[: at + 1] == path[: at + 1]:
            continue  # a folder that the path before this one was in too
        bit = crc32(path[:at].lower().encode()) % (8 * _CASE_BYTES)
        if job.case_bits[bit >> 3] & (1 << (bit & 7)):
            _look_for_clash(job.plan, path)
        job.case_bits[bit >> 3] |= 1 << (bit & 7)
    job.previous = path


def _look_for_clash(plan, path):
    here = plan.place()
    plan.rewind()
    while plan.next() and plan.place() != here:
        if plan.action == FILE and paths.clash(path, plan.path):
            raise error("path_case", path + " and " + plan.path)


def fold(checksum, plan):
    """A checksum over what the source said of the record under the plan's cursor."""
    return crc32(plan.path.encode(), crc32(plan.digest, checksum)) & 0xFFFFFFFF


def _blob(data):
    hasher = git_blob(len(data))
    hasher.update(data)
    return hasher.digest()
