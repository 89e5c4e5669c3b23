"""The updater as a program sees it: look for a release, install it, and tell ThingsBoard of every step."""

from binascii import crc32, hexlify

from . import store
from .attempts import Attempts, wait
from .board import Board
from .digest import sha1
from .errors import NetworkError, OverTheAirUpdateError, error
from .fetch import BOOT_HOOK
from .journal import COMMITTED, IDLE, TRIAL, UNDOING
from .net import Net
from .paths import Rules
from .report import Reporter
from .settings import Settings, server
from .thingsboard import ThingsBoard
from .trial import Trial
from .update import Update


def get_thingsboard_settings():
    """The original's settings as `os.getenv` gives them: wifi_ssid, wifi_password, thingsboard_url, thingsboard_port,
    thingsboard_device_token.
    """
    board = Board()
    keys = ("WIFI_SSID", "WIFI_PASSWORD", "THINGSBOARD_URL", "THINGSBOARD_PORT", "THINGSBOARD_DEVICE_TOKEN")
    return {key.lower(): board.getenv(key) for key in keys}


class OverTheAirUpdate:
    """Installs the release that ThingsBoard assigns to this device.

    Either call `download_firmware_files` when `is_new_firmware_available` says so, which returns only by an error, or call `begin` and
    then `step` until it says "done", with the program's own work between the calls, and then `restart`.

    Attributes:
        keep_files, keep_folders: Names at the drive's root that an update leaves alone, besides those of COTA_KEEP.
        phase: What the update under way does next, or "idle".
        done, total: Bytes downloaded, and bytes to download.
    """

    keep_files = ["boot_out.txt", "boot.py", "main.py", "safemode.py", "settings.toml"]
    keep_folders = ["lib", "sd"]

    def __init__(self, tb_url=None, tb_port=None, tb_device_access_token=None, progress=None, board=None):
        """The server's address and token default to those of settings.toml.

        Args:
            tb_url: ThingsBoard's address, with or without scheme.
            tb_port: Its port, int or text; None or "" for the scheme's own.
            tb_device_access_token: The device's access token.
            progress: Called as `progress(phase, done, total)` after each step of an update.
            board: What stands in for `ota.board.Board`, for tests.
        """
        board = self._board = board or Board()
        self._settings = Settings(board.getenv)
        self._store = store.Store()
        self._net = Net(board)
        address = server(tb_url or self._settings.url, tb_port or self._settings.port)
        self._cloud = ThingsBoard(self._net, address, tb_device_access_token or self._settings.token)
        self._journal = self._store.journal()
        self._report = Reporter(self._cloud, self._store, board, self._settings)
        self._progress = progress
        self._trial = Trial(board.getenv, board.seconds())
        self._release = self._update = None  # what ThingsBoard assigns, as `_assigned` made it; what installs it
        self._retry = ""  # cota_retry as last seen
        self._attempts = Attempts()
        # _redone: failed tries to finish a committed release
        self._poll_at = self._redone = self._redo_at = self.done = self.total = 0
        self.phase = "idle"

    def is_new_firmware_available(self) -> bool:
        """Say whether a release waits to be installed. Asks the server once per COTA_POLL_SECONDS; between, it answers at once.

        Raises:
            NetworkError: the server could not be reached (a ConnectionError).
            OverTheAirUpdateError: the server's answer is of no use.
        """
        if self.phase == "done":
            return self._release is not None  # a callback of `progress` has kept `step` from saying so
        now = self._board.seconds()
        self._board.feed()
        try:
            if self._settle(now):
                self._poll_at = now
            # While an update is under way its connection is not disturbed.
            if now >= self._poll_at and (self._update is None or now < self._attempts.next):
                self._poll_at = now + max(1, int(self._settings.poll * (0.5 + self._board.chance())))
                self._poll()
                self._net.close()  # an idle TLS connection would hold 30 KB of a Pico W's heap
        except Exception as exc:
            self._net.close()
            exc = _ours(exc)
            self._poll_at += exc.wait or 0
            self._ask(now, exc.code != "wifi")
            raise exc
        return self._release is not None and now >= self._attempts.next

    def download_firmware_files(self, directory="."):
        """Install the release: download, verify, commit, and start the board again. Returns only by an error.

        Args:
            directory: Kept for the original's programs; a release is always installed at the drive's root.
        """
        if directory not in (".", "/", "", "./"):
            raise RuntimeError("leave `directory` out")
        self.begin()
        while self.step() != "done":
            pass
        self.restart()

    def begin(self):
        """Start the update, or go on with one that failed midway. Nothing is asked of the network yet.

        Raises:
            OverTheAirUpdateError: there is nothing to install, or the release cannot be installed here.
        """
        if self._update is not None or self.phase == "done":
            return
        try:
            if self._release is None:
                self._poll()
            if self._release is None:
                raise error("nothing")
            self._begin()
        except Exception as exc:
            raise self._failed(_ours(exc))

    def step(self):
        """Do one bounded piece of the update and return the phase that comes next: "done" when all is committed.

        Raises:
            NetworkError, OverTheAirUpdateError: what failed; `is_new_firmware_available` says when to try again.
        """
        if self.phase == "done":
            self._release = None
            return "done"
        if self._update is None:
            raise RuntimeError("call begin() first")
        update = self._update
        try:
            if update.phase == "commit":
                self._report.send({"fw_state": "VERIFIED"})
            elif update.phase == "list" and self._journal["p"] != IDLE:
                # Its plan is about to be written over that of a release that could not be applied or undone: the tree is no release's.
                self._store.write_record(self._journal["s"], {})
                self._journal.update({"p": IDLE, "a": 3})
                self._store.write_journal(self._journal)
            before, self.phase = update.phase, update.step()
            if self.phase == "done":  # work lies between the two, so that they differ in time: of two in one millisecond one is lost
                self._report.send({"fw_state": "UPDATING"})
            self.done, self.total = update.done, update.total
            if self.phase == "verify" != before:
                self._report.send({"fw_state": "DOWNLOADED"})
        except Exception as exc:
            raise self._failed(_ours(exc))
        if self.phase == "done":
            self._drop()
            self.phase = "done"
        if self._progress:
            self._progress(self.phase, self.done, self.total)
        if self.phase == "done":
            self._release = None
        return self.phase

    def confirm(self):
        """Say that this release works. Needed, within 15 minutes, only where settings.toml has COTA_CONFIRM = "app"."""
        self._trial.approved = True

    def restart(self):
        """Start the new release. Call it when `step` has returned "done"; it does not return.

        What cannot be applied now (under the original's boot.py) is reported, and tried again by later polls.
        """
        self._net.close()
        self._journal = self._store.journal()
        if self._journal["p"] == COMMITTED:
            if self._hooked():
                self._board.reset()
            self._forget()  # the arena is the recovery's now
            self._redo()  # the original's boot.py does not know how: the same recovery, run from here
        self._board.reload()

    def _poll(self):
        journal = self._journal
        if journal["p"] in (COMMITTED, UNDOING) and self._board.seconds() >= self._redo_at:
            self._redo()
        shared = self._cloud.shared()
        release = _assigned(shared)
        key = release["key"] if release else ""
        record = self._store.record(journal["s"])
        retried = shared.get("cota_retry")
        self._retry = "%x" % crc32(repr(retried).encode()) if retried else ""  # of any length; the journal is one sector
        self._report.contact(key, record, journal)
        now = self._board.seconds()
        self._trial.contact(now)
        if not self._settle(now):
            self._ask(now, True)
        if journal["p"] == TRIAL:  # the arena holds the way back: no other release before this one has proved itself
            self._forget()
            return
        if journal.get("o") == 1 and key and key == journal.get("x"):  # it was silent for a day, and the old one is not: once more
            journal["o"] = 2
            journal["x"] = ""
            self._store.write_journal(journal)
        given_up = key == journal.get("x")
        if given_up and key and self._retry != journal.get("e", ""):
            journal.update({"x": "", "w": "", "e": self._retry})
            self._store.write_journal(journal)
            self._report.attributes({"cota_retry": retried})
            given_up = False
        if journal["p"] == COMMITTED:  # this one cannot be finished here; only another one may take its place
            record = self._store.record(1 - journal["s"])
        if not key or given_up or key == record.get("key"):
            self._forget()
            journal["t"] = 0
        elif self._release is None or key != self._release["key"]:
            self._forget()
            self._release = release
            self._attempts.begin(key, journal.get("t"), None if self._board.slept() else now)

    def _settle(self, now):
        """Confirm the release on trial, where it has proved itself; True if it was this call."""
        journal = self._journal
        if journal["p"] != TRIAL or not self._trial.ends_well(journal, now, self._hooked()):
            return False
        self._report.greeted = ""  # whatever fails from here on, the next contact tells it
        try:
            journal.update({"p": IDLE, "x": "", "w": "", "o": 0})
            self._store.write_journal(journal)
        except Exception:  # USB holds the drive, or the heap is full: the trial goes on until that is over
            journal = self._journal = self._store.journal()
            if journal["p"] == TRIAL:  # FatFs may have written all the same
                return False
        self._report.updated(self._store.record(journal["s"]))
        return True

    def _ask(self, now, joined):
        """Let the guard decide whether a silence is the release's fault or an outage; it does so after a reload."""
        asked = self._trial.verdict(self._journal, now, joined)
        if asked and self._journal.get("v") and self._hooked():  # asked before: the program has caught the reload
            self._journal["i"] = now
            self._note("v", 0, self._board.reset)  # which the recovery sees, so that the guard asks
        elif asked is not None:
            self._note("v", asked, asked and self._board.reload)

    def _note(self, key, value, start):
        """Leave word in the journal, and start again by `start` where it is a reason to; not where the drive cannot be written."""
        before = self._journal.get(key, 0)
        self._journal[key] = value
        try:
            self._store.write_journal(self._journal)
        except (OSError, MemoryError):
            self._journal[key] = before
            return
        if start:
            start()

    def _hooked(self):
        return (self._store.read_small("boot.py", 4096) or b"").startswith(BOOT_HOOK)

    def _forget(self):
        """Drop the update under way: it is for another release, or for none."""
        self._drop()
        self._release = None

    def _redo(self):
        """boot.py could not finish the release (or is the original's, which does not try)."""
        try:
            self._store.redo()
        except Exception as exc:
            # Each try may lose clusters on a drive with a torn folder, so the waits grow.
            self._redone += 1
            seconds = wait(self._redone, 1)
            self._redo_at = self._board.seconds() + seconds
            self._report.failed(error("apply", repr(exc)[:100]), seconds)
            return
        self._board.reload()

    def _begin(self):
        self._board.hold_reload(True)
        if not self._release["url"]:
            raise error("no_url", self._release["title"])
        settings = self._settings
        keep = settings.keep + list(self.keep_files) + [name.rstrip("/") + "/" for name in self.keep_folders]
        rules = Rules(keep, settings.update_settings)
        optional = self._board.getenv("COTA_BACKUP") == "optional"
        optional |= self._journal["p"] != IDLE or self._journal.get("a", 0) > 2  # what could not be finished or undone needs no way back
        self._update = Update(self._store, self._net, rules, settings.git_hosts, self._release, optional)
        self._report.send({"fw_state": "DOWNLOADING"})
        self.phase = self._update.phase

    def _failed(self, exc):
        """Decide what a failure means for the release under way, and tell the server; gives the exception to raise."""
        if self._release is None:
            return exc
        journal = self._journal
        if exc.code in ("memory", "flash"):  # FatFs takes nothing more on a file that has failed once
            self._drop()
        seconds = self._attempts.failed(exc, self._board.seconds(), self._board.chance())
        journal["t"] = self._attempts.kept
        try:
            if seconds is None:
                journal.update({"x": self._release["key"], "w": "", "e": self._retry, "t": 0})
                if self._update is not None:
                    self._store.open_arena()  # commit has closed it
                    self._update.unseal()  # what cota_retry asks for later is a new look, not this plan
            self._store.write_journal(journal)
        except (OSError, MemoryError):
            pass  # a drive that cannot be written: the release is tried again after the next start
        if seconds is None:
            self._forget()
        self._report.failed(exc, seconds)
        if seconds and exc.code == "memory" and journal["t"][1] > 1 and not journal.get("z"):
            self._note("z", 1, self._board.reload)  # the heap may be in pieces: once a release it starts in a fresh one
        return exc

    def _drop(self):
        if self._update is not None:
            self._update.close()
            self._update = None
            self._board.hold_reload(False)
        self.phase = "idle"


def _ours(exc):
    """The error of ours that an exception stands for."""
    if isinstance(exc, (NetworkError, OverTheAirUpdateError)):
        return exc
    if isinstance(exc, MemoryError):
        return error("memory")
    if isinstance(exc, OSError):
        return store.failed(exc)
    return error("internal", repr(exc)[:100])


def _assigned(shared):
    """The release that shared attributes announce as a dict of title, version, url and key, or None.

    The key stands for the tuple (title, version, url, checksum): a release that was given up is tried again when one of them changes.
    """
    if None in (shared.get("fw_title"), shared.get("fw_version")):
        return None
    release = {}
    hasher = sha1()
    for name in ("title", "version", "url", "checksum"):
        text = release[name] = str(shared.get("fw_" + name) or "")
        hasher.update(text.encode() + b"\0")
    release["key"] = hexlify(hasher.digest()).decode()
    return release
