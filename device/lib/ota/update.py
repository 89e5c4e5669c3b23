"""One update, step by step: plan, stage, commit. What follows, apply, is the recovery's (redo.py), run by boot.py.

Each phase does one bounded piece of work a call and names the phase that comes next. Up to COMMIT nothing of the live tree has changed
and every phase may be begun again; COMMIT is one sector write, and after it the release is applied whatever happens.

    gather.py   RESOLVE  ref -> commit, once                       LIST     listing -> the plan's records, as a stream
                IGNORE   .cotaignore, where there is one           CHECK    what a board cannot hold; then the plan is sealed
    compare.py  COMPARE  which files the drive has already         SWEEP    what the drive has and the release lacks
                ROOM     a place in the arena for each new file
    fetch.py    FETCH    new files into the arena, hashed          VERIFY   the arena read back and hashed
    here        COMMIT   the journal's one sector                  DONE
"""

from binascii import hexlify

from . import github, plan, store
from .compare import Compare
from .digest import sha1
from .errors import NetworkError, OverTheAirUpdateError, error
from .fetch import Fetch
from .gather import Gather, fold
from .phases import CHECK, COMMIT, COMPARE, DONE, FETCH, IGNORE, LIST, RESOLVE, ROOM, SWEEP, VERIFY
from .url import Repository

_BLOCK = 2048  # bytes staged at once: whole sectors, half an erase page
_THROUGH_PLAN = (CHECK, COMPARE, ROOM, FETCH, VERIFY)  # phases that go through the plan from its start


class Update:
    """An update under way, and what its phases share.

    Attributes:
        phase: The phase that `step` does next; DONE when the release is committed.
        done, total: Bytes staged, and bytes to stage (0 until it is known).
        applies: After ROOM: whether the tree changes, so that the recovery has work.
        resumed: Whether the arena may hold files of this release already.
        drive, net, rules, repository, release: What the phases work with.
        commit, folder: The Git commit, and the release's folder in it with a trailing `/` (or "").
        plan: The plan.
        block, view: The one buffer, and a memoryview of it.
        redo: (length, CRC-32) of the recovery in the arena.
    """

    def __init__(self, drive, net, rules, hosts, release):
        """Take up the plan that an earlier run sealed for this release, or start with its URL.

        Args:
            drive: A Store.
            net: A Net.
            rules: What a release may bring and what stays (paths.Rules).
            hosts: COTA_GIT_HOSTS.
            release: A dict with title, version, url and key (client.py).

        Raises:
            InvalidGithubRepoUrlError: the URL is of no use.
            OverTheAirUpdateError: the drive cannot be written.
        """
        self.drive = drive
        self.net = net
        self.rules = rules
        self.release = release
        self.repository = Repository(release["url"], hosts)
        self.block = bytearray(_BLOCK)
        self.view = memoryview(self.block)
        self.plan = None
        self.commit = self.folder = ""
        self.redo = (0, 0)
        self.done = self.total = 0
        self.applies = self.resumed = False
        self._sealed = (0, 0)  # the plan's sectors and files when it was sealed
        self._gather, self._compare, self._fetch = Gather(self), Compare(self), Fetch(self)
        self._steps = {
            RESOLVE: self._gather.resolve,
            LIST: self._gather.list,
            IGNORE: self._gather.ignore,
            CHECK: self._gather.check,
            COMPARE: self._compare.compare,
            SWEEP: self._compare.sweep,
            ROOM: self._compare.room,
            FETCH: self._fetch.fetch,
            VERIFY: self._fetch.verify,
            COMMIT: self._commit,
        }
        self.phase = RESOLVE
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
            after = self._steps[self.phase]()
        except NetworkError:
            self._gather.interrupted()
            self._fetch.interrupted()
            raise
        except Exception:
            self._begin_again()
            raise
        if after != self.phase:
            self.enter(after)
        return after

    def _begin_again(self):
        """A phase failed between two records: let the next step start where nothing can be left out."""
        self._gather.interrupted()
        if self.phase in (LIST, IGNORE, CHECK):
            self.phase = LIST
        elif self.phase in (COMPARE, SWEEP, ROOM):
            self.enter(COMPARE)
        elif self.phase in (FETCH, VERIFY):
            self.resumed = True  # what is staged is looked at before it is fetched again
            self.enter(FETCH)

    def enter(self, phase):
        """Make `phase` the next one, at its start."""
        if phase == COMPARE:
            self.plan.restore(self._sealed[0], self._sealed[1])
            self._compare.begin()
        elif phase == FETCH:
            self._fetch.begin()
        if phase in _THROUGH_PLAN:
            self.plan.rewind()
        self.phase = phase

    def close(self):
        """Let go of the arena and the connection; what is staged stays."""
        self.net.close()
        self.drive.close_arena()

    def request(self, path, start):
        """Ask for a file of the release, from byte `start`; returns 200 or 206, the body waits in `net`."""
        headers = github.HEADERS
        if start:
            headers = dict(headers)
            headers["Range"] = "bytes=" + str(start) + "-"
        status = self.net.open("GET", github.raw_url(self.repository, self.commit, self.folder + path), headers)
        if status == 200 or (start and status == 206):
            return status
        self.net.drain()
        raise github.refusal(status, self.net.headers, path)

    # The arena's head says which release its plan is for, so that a reset costs no second listing.

    def seal(self, checksum):
        """The plan is what the source says and a board can hold: let a later run take it up."""
        made = self.plan
        made.close()
        self._sealed = (made.count, made.files)
        self._write_head(
            {
                "key": self.release["key"],
                "commit": self.commit,
                "folder": self.folder,
                "redo": self.redo,
                "first": made.first,
                "count": made.count,
                "files": made.files,
                "crc": checksum,
            }
        )

    def unseal(self):
        """What the arena holds is about to be written over."""
        self._write_head({"key": ""})

    def _write_head(self, head):
        self.drive.write(0, store.sealed(head, plan.SECTOR))

    def _resume(self):
        self.drive.read(0, self.view[: plan.SECTOR])
        head = store.unsealed(bytes(self.view[: plan.SECTOR]))
        if not head or head["key"] != self.release["key"]:
            return
        made = plan.Plan(self.drive, head["first"])
        checksum = 0
        try:
            made.restore(head["count"], head["files"])
            made.rewind()
            while made.next():
                checksum = fold(checksum, made)
        except (OverTheAirUpdateError, UnicodeError):
            return
        if checksum == head["crc"]:
            self.plan = made
            self._sealed = (head["count"], head["files"])
            self.commit, self.folder = head["commit"], head["folder"]
            self.redo = tuple(head["redo"])
            self.resumed = True
            self.enter(COMPARE)

    def _commit(self):
        """Decide for the new release, by the journal's one sector.

        A cut before it leaves the old release, and staging that may be taken up again; a cut after it leaves a release that boot.py
        makes complete.
        """
        drive, made = self.drive, self.plan
        if drive.copy_in(store.REDO, 1, self.block) != self.redo:  # replaced over USB since the plan was made
            self.unseal()
            self.phase = RESOLVE
            raise error("staged", store.REDO + " has changed")
        hasher = sha1()
        drive.hash_arena(made.first, made.count * plan.SECTOR, hasher, self.block)
        drive.close_arena()
        journal = drive.journal()
        slot = 1 - journal["s"]
        drive.write_record(slot, self._record())
        journal["c"] = plan.SECTOR
        journal["n"], journal["k"] = self.redo
        journal["f"] = made.first
        journal["m"] = made.count
        journal["h"] = hexlify(hasher.digest()).decode()
        if self.applies:
            journal["p"] = store.COMMITTED
        else:  # the drive holds the release already
            journal["p"] = store.APPLIED
            journal["s"] = slot
        drive.write_journal(journal)
        return DONE

    def _record(self):
        record = {"commit": self.commit or "0" * 40}
        for name in ("title", "version", "url", "key"):
            record[name] = self.release[name]
        return record
