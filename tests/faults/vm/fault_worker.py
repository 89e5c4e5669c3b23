"""Lives a course of an update again and again, each time with one fault in it, and says what became of the board.

The board, its flash, its clock and its servers are those of the power-cut sweep. `main(job)` reads a JSON file and prints one JSON line
a fault; `injected.py` on the host writes the one and reads the other. Kinds of fault:

* "write": a write of the flash fails, as FatFs sees a bad flash: the driver answers with an error.
* "full": the program fills the drive before one step of the update.
* "site": MemoryError before one statement of the device code. The host has put a call of SITE(number) before each of them.
"""

import builtins
import io
import json
import sys

import pc_life
import vfs
from pc_flash import Flash
from pc_worker import Worker

_KEPT_LINES = 8
_EIO = 5
# A board that a lasting fault keeps from its program starts again for ever; so much of it is seen.
_MAX_BOOTS, _MAX_RUNS = 6, 8
_BALLAST = "ballast.bin"  # COTA_KEEP names it


class _Fault:
    """The fault of the life that is lived now.

    Attributes:
        kind: "site", "write", "full", or "" for none.
        at: Number of the site; of the write or step, from 1.
        skip: Times that the site is passed before it fails.
        every: Whether it fails from then on, until the power is switched off.
        hit: How often it happened.
        sites: How often each site was passed.
        writes, steps: Writes asked of the flash, steps of the update.
        leaked: Exceptions that the program saw and that are none of the library's own, as the functions of the library on their way.
    """

    def __init__(self):
        self.set({"kind": ""})

    def set(self, fault):
        self.kind = fault["kind"]
        self.at = fault.get("at", 0)
        self.skip = fault.get("skip", 0)
        self.every = fault.get("every", False)
        self.hit = self.writes = self.steps = 0
        self.leaked = []
        self.sites = {}

    def pass_site(self, number):
        seen = self.sites.get(number, 0)
        self.sites[number] = seen + 1
        if self.kind == "site" and number == self.at and (seen >= self.skip if self.every else seen == self.skip):
            self.hit += 1
            raise MemoryError("memory allocation failed")

    def fails_write(self):
        self.writes += 1
        if self.kind == "write" and (self.writes >= self.at if self.every else self.writes == self.at):
            self.hit += 1
            return True
        return False

    def leak(self, exc):
        """Called by the program."""
        out = io.StringIO()
        sys.print_exception(exc, out)
        lines = out.getvalue().split("\n")
        self.leaked.append([line.split(" in ")[1] for line in lines if 'File "/lib/ota/' in line] + [type(exc).__name__])

    def before_step(self):
        """Called by the program."""
        self.steps += 1
        if self.kind == "full" and self.steps == self.at:
            self.hit += 1
            try:
                with open("/" + _BALLAST, "ab") as file:
                    while True:
                        file.write(bytes(512))
                        file.flush()
            except OSError:
                pass


_fault = _Fault()


class _FaultyFlash(Flash):
    def writeblocks(self, block, buf):
        if _fault.fails_write():
            return -_EIO
        return Flash.writeblocks(self, block, buf)


class _Faults(Worker):
    def run(self):
        """Once without a fault, then once with each."""
        job = self.job
        for name in job["before"]:
            self.cloud.assign(name)
            self.live(self.base)
        end = self._once(self.base.copy(), {"kind": ""})
        self.say(
            kind="course", end=end, writes=_fault.writes, steps=_fault.steps, sites=[[at, _fault.sites[at]] for at in sorted(_fault.sites)]
        )
        for fault in job["faults"]:
            image = self.base.copy()
            row = {"kind": "fault", "fault": fault, "first": self._once(image, fault), "hit": _fault.hit}
            row["leaked"] = _fault.leaked
            if fault["kind"] == "full":
                self._make_room(image)
            if not self._is_well(row["first"]):
                row["healed"] = self._once(image, {"kind": ""})
                if not self._is_well(row["healed"]):
                    self.cloud.shared["cota_retry"] = "r-1"
                    row["retried"] = self._once(image, {"kind": ""}, retry=True)
            self.say(**row)
        self.say(kind="end")

    def _make_room(self, image):
        flash = Flash(image, "esp")
        fs = vfs.VfsFat(flash)
        try:  # noqa: SIM105
            fs.remove("/" + _BALLAST)
        except OSError:
            pass
        flash.flush()

    def name(self, tree):
        if not isinstance(tree, str):
            tree.pop(_BALLAST, None)
        return Worker.name(self, tree)

    def _is_well(self, end):
        return end["end"] == "idle" and end["tree"] == self.job["goal"]

    def _once(self, image, fault, retry=False):
        """Switch the board on and let it come to rest."""
        if not retry:
            self.cloud.assign(self.job["assign"])
        _fault.set(fault)
        limits = pc_life._MAX_BOOTS, pc_life._MAX_RUNS
        if _fault.every:
            pc_life._MAX_BOOTS, pc_life._MAX_RUNS = _MAX_BOOTS, _MAX_RUNS
        try:
            life = pc_life.live(image, self.kind, self.cloud, None, self.look)
        finally:
            pc_life._MAX_BOOTS, pc_life._MAX_RUNS = limits
            _fault.kind = ""
        return {
            "end": life.end,
            "tree": self.tree_of(image),
            "boots": life.boots,
            "said": self.cloud.said[-_KEPT_LINES:],
            "console": life.console[-_KEPT_LINES:],
        }

    def look(self, fs):
        return None


def main(path):
    with open(path) as file:
        job = json.load(file)
    builtins.SITE = _fault.pass_site
    builtins.STEP = _fault.before_step
    builtins.LEAKED = _fault.leak
    pc_life.Flash = _FaultyFlash
    pc_life.prepare()
    sys.modules["os"].uname = lambda: ("rp2040",)  # the guard asks
    _Faults(job, None).run()
