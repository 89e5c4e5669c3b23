"""One update, step by step: plan, stage, commit. What follows, apply, is the recovery's (redo.py), run by boot.py.

Each phase does one bounded piece of work a call and names the phase that comes next. Up to commit nothing of the live tree has changed
and every phase may be begun again; commit is one sector write, and after it the release is applied whatever happens.
"""

from . import backup, compare, fetch, gather, github, journal, store
from .errors import NetworkError, OverTheAirUpdateError, error
from .plan import SECTOR, Plan
from .url import Repository

_BLOCK = 2048  # bytes staged at once: whole sectors, half an erase page
# Phases that go through the plan from its start; if one fails, the plan is gone through again from the phase named beside it.
_THROUGH_PLAN = {
    "check": "list",
    "compare": "compare",
    "sweep": "compare",
    "room": "compare",
    "fetch": "fetch",
    "verify": "fetch",
    "backup": "compare",
}


class Update:
    """An update under way, and what its phases share.

    Attributes:
        phase: What `step` does next, a key of STEPS; "done" when the release is committed.
        done, total: Bytes staged, and bytes to stage (0 until it is known).
        applies: Whether the tree changes, so that the recovery has work (known after "room").
        resumed: Whether the arena may hold files of this release already.
        drive, net, rules, repository, release: What the phases work with.
        commit, folder: The Git commit, and the release's folder in it with a trailing `/` (or "").
        plan: The plan.
        view: The one buffer, as a memoryview.
        redo: (length, CRC-32) of the recovery in the arena.
    """

    def __init__(self, drive, net, rules, hosts, release, backup_optional=False):
        """Take up the plan that an earlier run sealed for this release, or start with its URL.

        Args:
            drive: A Store.
            net: A Net.
            rules: What a release may bring and what stays (paths.Rules).
            hosts: COTA_GIT_HOSTS.
            release: A dict with title, version, url and key (client.py).
            backup_optional: Whether the release may be installed without a backup, where that does not fit.

        Raises:
            InvalidGithubRepoUrlError: the URL is of no use.
            OverTheAirUpdateError: the drive cannot be written.
        """
        self.drive = drive
        self.net = net
        self.rules = rules
        self.release = release
        self.repository = Repository(release["url"], hosts)
        self.view = memoryview(bytearray(_BLOCK))
        # Which plan may be taken up: one for this release, made under the same setting.
        self._plan_key = release["key"] + str(rules.update_settings)
        self.phase = "resolve"
        self.commit = self.folder = ""
        self.plan = None
        self.redo = (0, 0)
        self.done = self.total = 0
        self.applies = self.resumed = False
        self._sealed = (0, 0)  # the plan's sectors and files when it was sealed
        # gather: (ref, folder) pairs not tried yet; the listing's parser; (length, digest) of .cotaignore; for the check of case
        self.refs = self.parser = self.ignore_file = self.case_bits = None
        self.previous = ""
        self.checksum = 0
        # compare: folders of the drive still to be looked through, a | (which FAT forbids) before each; clusters that the live tree
        # needs beyond what it has
        self.folders = None
        self.growth = self.recreated = 0  # and the clusters of the largest file that gets shorter
        self.after = 0  # clusters that must be free once all is staged
        # backup: whether there is one; its first sector; the sector to be written next; the undo plan
        self.backup_optional = backup_optional
        self.backs_up = False
        self.backup_at = self.undo_at = 0
        self.undo = None
        self._cluster = SECTOR
        # fetch: whether the record under the cursor is a file not staged whole; bytes of it in the arena; its digest so far
        self.is_open = False
        self.got = 0
        self.hasher = None
        store.sealed(self._record(), store.RECORD_BYTES)  # refuses what could not be recorded, before anything is fetched
        drive.prepare()
        drive.open_arena()
        self._resume()

    def step(self):
        """Do one bounded piece of work and return the phase that comes next.

        Raises:
            NetworkError, OverTheAirUpdateError: where it says later, `step` may be called again.
        """
        try:
            after = STEPS[self.phase](self)
        except NetworkError:
            self.parser = self.hasher = None  # the streams that they read are gone; a file goes on from what is in the arena
            raise
        except Exception:
            self.net.close()
            self.parser = None
            self.resumed = True  # what is staged is looked at before it is fetched again
            self.enter(_THROUGH_PLAN.get(self.phase, self.phase))
            raise
        if after != self.phase:
            self.enter(after)
        return after

    def enter(self, phase):
        """Make `phase` the next one, at its start."""
        if phase == "compare":  # the drive may have changed since the plan was sealed
            self.plan.restore(self._sealed[0], self._sealed[1])
            self.folders = "|"
            self._cluster = self.drive.space()[1]
            self.total = self.growth = self.recreated = self.after = 0
            self.applies = False
        elif phase == "backup":
            self.undo = None
        elif phase == "fetch":
            self.is_open = False
            self.got = self.done = 0
            self.hasher = None
        if phase in _THROUGH_PLAN:
            self.plan.rewind()
        self.phase = phase

    def clusters(self, length):
        """How many clusters of the drive hold `length` bytes."""
        return (length + self._cluster - 1) // self._cluster

    def close(self):
        """Let go of the arena and the connection; what is staged stays."""
        self.net.close()
        try:
            self.drive.close_arena()
        except OSError:
            pass  # what is staged is hashed before it is used

    def request(self, path, start):
        """Ask for a file of the release, from byte `start`; returns 200 or 206, the body waits in `net`."""
        headers = github.HEADERS
        if start:
            headers = dict(headers)
            headers["Range"] = "bytes=" + str(start) + "-"
        status = self.net.open("GET", github.raw_url(self.repository, self.commit, self.folder + path), headers)
        if status == 200 or (start and status == 206):
            return status
        raise github.refusal(status, self.net.headers, path, True)

    # The arena's head says which release its plan is for, so that a reset costs no second listing.

    def seal(self):
        """The plan is what the source says and a board can hold: let a later run take it up."""
        plan = self.plan
        plan.close()
        self._sealed = (plan.count, plan.files)
        head = {"key": self._plan_key, "commit": self.commit, "folder": self.folder, "redo": self.redo}
        head["plan"] = (plan.first, plan.count, plan.files, self.checksum)
        self._write_head(head)

    def unseal(self):
        """What the arena holds is about to be written over."""
        self._write_head({"key": ""})

    def _write_head(self, head):
        self.drive.write(0, store.sealed(head, SECTOR))

    def _resume(self):
        self.drive.read(0, self.view[:SECTOR])
        head = journal.unsealed(bytes(self.view[:SECTOR]))
        if not head or head["key"] != self._plan_key:
            return
        first, count, files, checksum = head["plan"]
        plan = Plan(self.drive, first)
        found = 0
        try:
            plan.restore(count, files)
            plan.rewind()
            while plan.next():
                found = gather.fold(found, plan)
        except (OverTheAirUpdateError, UnicodeError):
            return
        if found == checksum:
            self.plan = plan
            self._sealed = (count, files)
            self.commit, self.folder = head["commit"], head["folder"]
            self.redo = tuple(head["redo"])
            self.resumed = True
            self.enter("compare")

    def make_commit(self):
        """Decide for the new release, by the journal's one sector.

        A cut before it leaves the old release, and staging that may be taken up again; a cut after it leaves a release that boot.py
        makes complete.
        """
        drive, plan = self.drive, self.plan
        drive.open_arena()
        if drive.checksum(1, self.redo[0], self.view) != self.redo[1]:
            self.unseal()
            self.phase = "resolve"
            raise error("staged", "recovery")
        free, cluster = drive.space()
        if free < self.after * cluster:  # the program has filled the drive meanwhile
            self.resumed = True
            return "compare"
        entry = drive.journal()
        for names, found in (("fmh", plan), ("FMH", self.undo)):
            entry[names[0]], entry[names[1]] = (found.first, found.count) if found else (0, 0)
            entry[names[2]] = drive.checksum(entry[names[0]], entry[names[1]] * SECTOR, self.view)
        drive.close_arena()
        slot = 1 - entry["s"]
        drive.write_record(slot, self._record())
        entry["c"] = SECTOR
        entry["n"], entry["k"] = self.redo
        entry["y"] = self.release["key"]
        for name in "abviuzt":
            entry[name] = 0
        entry["w"] = ""
        if self.applies:
            entry["p"] = journal.COMMITTED
        else:  # the drive holds the release already
            entry["p"] = journal.TRIAL
            entry["s"] = slot
            entry["b"] = 1  # nothing for the recovery to do, so no boot has to run its hook
        drive.write_journal(entry)
        return "done"

    def _record(self):
        record = {"commit": self.commit or "0" * 40}
        for name in ("title", "version", "url", "key"):
            record[name] = self.release[name]
        return record


STEPS = {
    "resolve": gather.resolve,  # ref -> commit, once
    "list": gather.list_tree,  # listing -> the plan's records, as a stream
    "ignore": gather.ignore,  # .cotaignore, where there is one
    "check": gather.check,  # what a board cannot hold; then the plan is sealed
    "compare": compare.compare,  # which files the drive has already
    "sweep": compare.sweep,  # what the drive has and the release lacks
    "room": compare.room,  # a place in the arena for each new file
    "fetch": fetch.fetch,  # new files into the arena, hashed
    "verify": fetch.verify,  # the arena read back and hashed
    "backup": backup.backup,  # old contents into the arena, and the plan that undoes
    "commit": Update.make_commit,  # the journal's one sector; then "done"
}
