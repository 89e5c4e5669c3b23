"""Plan, first half: ask the Git host what the release holds, and refuse what a board cannot hold, before anything else."""

from binascii import crc32, unhexlify

from . import github, paths, plan
from .digest import git_blob
from .errors import error
from .listing import ListingError, TreeListing
from .phases import CHECK, COMPARE, IGNORE, LIST, RESOLVE
from .store import REDO

BOOT_BYTES = plan.SECTOR  # boot.py is one sector, so that replacing it is one atomic write
_BATCH = 8  # records looked at in one step
_PLAN_ROOM = 32  # sectors allocated for the plan at first: about 250 files
_BLOOM = 1024  # bytes; at 500 paths one in fifteen asks for an exact look
_LISTING_CODES = {"listing_truncated": "listing_truncated", "listing_cut": "listing_cut", "listing_many": "too_many"}


class Gather:
    """From a ref to a sealed plan: RESOLVE, LIST, IGNORE, CHECK. `job` is the Update."""

    def __init__(self, job):
        self._job = job
        self._tries = None  # (ref, folder) pairs not tried yet
        self._parser = None
        self._ignore_file = None  # (length, digest)
        self._bloom = None
        self._previous = ""
        self._checksum = 0

    def interrupted(self):
        """The connection is gone, and with it the place in the listing."""
        self._parser = None

    def resolve(self):
        if self._tries is None:
            self._tries = github.refs(self._job.repository)
        ref, folder = self._tries[0]
        accept = dict(github.HEADERS)
        accept["Accept"] = github.SHA_ONLY
        status = self._job.net.open("GET", github.commit_url(self._job.repository, ref), accept)
        if status != 200:
            refused = github.refusal(status, self._job.net.headers, self._job.repository.name + " at " + ref)
            self._job.net.drain()
            if refused.code == "git_ref" and len(self._tries) > 1:
                self._tries = self._tries[1:]
                return RESOLVE
            self._tries = None
            raise refused
        commit = self._job.net.read_all(64).decode().strip()
        if not github.is_commit(commit):
            raise error("git_answer", "commit of " + ref)
        self._job.commit = commit
        self._job.folder = folder + "/" if folder else ""
        return LIST

    def list(self):
        if self._parser is None:
            self._begin_list()
        count = self._job.net.read_into(self._job.view[: plan.SECTOR])
        try:
            if count:
                self._parser.feed(self._job.view[:count])
            if count < plan.SECTOR:
                self._parser.end()
        except ListingError as exc:
            self._parser = None
            self._job.net.close()
            raise error(_LISTING_CODES.get(exc.args[0], "git_answer"), exc.args[0] + " " + str(exc.args[1]))
        if count == plan.SECTOR:
            return LIST
        self._parser = None
        if not self._job.plan.files:
            raise error("git_folder" if self._job.folder else "git_empty", self._job.folder or self._job.repository.name)
        self._job.plan.seal()
        return IGNORE if self._ignore_file else self._begin_check()

    def _begin_list(self):
        self._job.unseal()
        length, checksum = self._job.drive.copy_in(REDO, 1, self._job.block)
        self._job.redo = (length, checksum)
        first = 1 + plan.sectors(max(length, 1)) + len(self._job.block) // plan.SECTOR
        self._job.drive.grow(first + _PLAN_ROOM)
        self._job.plan = plan.Plan(self._job.drive, first)
        self._ignore_file = None
        status = self._job.net.open("GET", github.tree_url(self._job.repository, self._job.commit), github.HEADERS)
        if status != 200:
            self._job.net.drain()
            raise github.refusal(status, self._job.net.headers, "listing of " + self._job.repository.name)
        self._parser = TreeListing(self._entry)

    def _entry(self, path, mode, kind, sha, size):
        """One entry of the listing: the release folder's files become records."""
        if not path.startswith(self._job.folder) or kind == "tree":
            return
        path = path[len(self._job.folder) :]
        code = "submodule" if kind == "commit" else "symlink" if mode == "120000" else paths.problem(path)
        if code:
            while len(path.encode()) > paths.MAX_PATH:
                path = path[: len(path) // 3] + "..." + path[-(len(path) // 3) :]
            self._job.plan.append(plan.BAD, 0, plan.PROBLEMS.index(code), None, path)
        else:
            digest = unhexlify(sha)
            self._job.plan.append(plan.FILE, size, 0, digest, path)
            if path == paths.IGNORE_FILE:
                self._ignore_file = (size, digest)

    def ignore(self):
        length, digest = self._ignore_file
        if length > paths.MAX_IGNORE:
            raise error("ignore", str(length) + " bytes")
        text = self._job.drive.read_small(paths.IGNORE_FILE, length)
        if text is None or _blob(text) != digest:
            self._job.request(paths.IGNORE_FILE, 0)
            text = self._job.net.read_all(length + 1)
            if _blob(text) != digest:
                raise error("hash", paths.IGNORE_FILE)
        self._job.rules.ignore(text)
        return self._begin_check()

    def _begin_check(self):
        self._bloom = bytearray(_BLOOM)
        self._previous = ""
        self._checksum = 0
        return CHECK

    def check(self):
        made = self._job.plan
        for _ in range(_BATCH):
            if not made.next():
                self._bloom = None
                self._job.seal(self._checksum)
                return COMPARE
            path = made.path
            if self._job.rules.skips(path):
                made.mark(plan.SKIP)
            elif made.action == plan.BAD:
                raise error(plan.PROBLEMS[made.offset], path)
            elif path == "boot.py" and made.length != BOOT_BYTES:
                raise error("boot_hook")
            else:
                self._check_case(path)
            self._checksum = fold(self._checksum, made)
        return CHECK

    def _check_case(self, path):
        """Refuse a path that FAT would take for another one. A bit array finds the few that need an exact look through the plan."""
        at = -1
        while at < len(path):
            at = path.find("/", at + 1)
            if at < 0:
                at = len(path)
            part = path[:at]
            if part == self._previous[:at] and self._previous[at : at + 1] == "/" and at < len(path):
                continue  # a folder that the path before this one was in too
            bit = crc32(part.lower().encode()) % (8 * _BLOOM)
            if self._bloom[bit >> 3] & (1 << (bit & 7)):
                self._look_for_clash(path)
            self._bloom[bit >> 3] |= 1 << (bit & 7)
        self._previous = path

    def _look_for_clash(self, path):
        here = self._job.plan.place()
        self._job.plan.rewind()
        while self._job.plan.next() and self._job.plan.place() != here:
            if self._job.plan.action == plan.FILE and paths.clash(path, self._job.plan.path):
                raise error("path_case", path + " and " + self._job.plan.path)


def fold(checksum, made):
    """A checksum over what the source said of the record under the plan's cursor."""
    return crc32(made.path.encode(), crc32(made.digest, checksum)) & 0xFFFFFFFF


def _blob(data):
    hasher = git_blob(len(data))
    hasher.update(data)
    return hasher.digest()
