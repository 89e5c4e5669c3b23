"""Runs inside the board's VM, before the board does: counts at the block device, the sockets and the heap, and talks to the bench.

A program on the board imports this as `probe`. What it says are console lines "@bench {…}"; `mark` waits until the host has answered, so
that the host's counters are read at exactly that point of the program.
"""

import gc
import json
import sys
import time

import simboard

# The board's clock is read through simboard; this one is the host's, kept from before the shims take its place.
_sleep = time.sleep
_WAIT_SECONDS = 0.002
_PAGE_SECTORS = 8
_SECTOR = 512

options = {}
_files = {}
_marks = [0]
# Live heap: at the last `rest`, most since then at the seams, most since then between steps.
_heap = [0, 0, 0]
_depth = {}
_disks = []
_dials = [0]
# What a program wants to tell the bench with its next mark.
facts = {}


def main(folder):
    """Wrap what is to be measured, then run the board."""
    with open(folder + "/probe.json") as f:
        options.update(json.load(f))
    _files["ack"] = open(folder + "/ack", "rb", **({"buffering": 0} if simboard.VM == "cpython" else {}))
    if options["payload"]:
        _files["payload"] = open(folder + "/payload.bin", "rb")
    import runner

    if simboard.VM != "cpython":
        import disk

        disk.ImageDisk = _recording(disk.ImageDisk)
    import cp_socketpool

    _wrap_sockets(cp_socketpool.Socket)
    runner.modules["probe"] = sys.modules["probe"]
    simboard.at_end.append(_at_end)
    if options["depth"]:
        _trace(folder)
    runner.main(folder + "/run.json")


# What programs call.


def first():
    """Whether this is the first run of the program since power-on."""
    return simboard.ram["run_reason"] == "STARTUP" and simboard.ram["reset_reason"] == "POWER_ON"


def skip(seconds):
    """Let the board's clock jump forward."""
    simboard.ram["boot_us"] -= seconds * 1000000


def dials():
    """Connections that this run of the board has opened."""
    return _dials[0]


def rest():
    """What is live now is what the program needs when it does nothing; count from here."""
    gc.collect()
    _heap[0] = _heap[1] = _heap[2] = _live()


def step():
    """Look at the heap between two steps."""
    gc.collect()
    live = _live()
    _heap[1] = max(_heap[1], live)
    _heap[2] = max(_heap[2], live)


def mark(name):
    """Tell the host that this point is reached, and return the number that it answers."""
    _marks[0] += 1
    _say(name)
    wanted = b"%d " % _marks[0]
    ack = _files["ack"]
    while True:
        ack.seek(0)
        answer = ack.read(32)
        if answer.startswith(wanted):
            break
        _sleep(_WAIT_SECONDS)
    if name == "end":
        _at_end()  # the guard would start the program again: the bench ends the board here
    return int(answer[len(wanted) :].split(b"\n")[0])


def payload():
    """The (path, length) pairs whose bytes `read_payload` gives, one after the other."""
    return options["payload"]


def read_payload(view):
    """Fill `view` from the host's file."""
    return _files["payload"].readinto(view)


# Behind them.


def _live():
    return gc.mem_alloc() if simboard.VM != "cpython" else 0


def _say(name):
    record = {"mark": name, "number": _marks[0], "run": simboard.config["phase"], "rest": _heap[0], "peak": _heap[1], "steps": _heap[2]}
    record["flash"] = _disks[0].counts() if _disks else None
    record["depth"] = _depth
    record["dials"] = _dials[0]
    record["facts"] = facts
    print("@bench " + json.dumps(record))


def _at_end():
    if _disks:
        _disks[0].flush()
    _marks[0] = 0
    _say("run end")


def _seam():
    """Look at the heap in the midst of an operation; only while asked to, because each look collects garbage."""
    if options["seams"]:
        gc.collect()
        live = _live()
        _heap[1] = max(_heap[1], live)


def _wrap_sockets(kind):
    dial, send, receive = kind._dial, kind.send, kind.recv_into

    def dialled(self, address):
        dial(self, address)
        _dials[0] += 1
        _seam()

    def sent(self, data):
        _seam()
        return send(self, data)

    def received(self, buffer, bufsize=0):
        _seam()
        return receive(self, buffer, bufsize)

    kind._dial, kind.send, kind.recv_into = dialled, sent, received


def _recording(parent):
    class RecordingDisk(parent):
        """Counts the page rewrites that the two kinds of flash layer would make of the same sector writes.

        RP2: one dirty 4 KiB page in RAM, written when another page is touched by a write, on any read, and on sync (which closing a file
        asks for). Espressif: no page is held back, each write erases and programs its page.
        """

        def __init__(self, path):
            super().__init__(path)
            self._dirty = -1
            self._count = [0, 0, 0, 0]  # RP2 pages, page 0 of them; Espressif pages, page 0 of them
            _disks.append(self)

        def flush(self):
            if self._dirty >= 0:
                self._count[0] += 1
                self._count[1] += self._dirty == 0
                self._dirty = -1

        def readblocks(self, block, buf):
            self.flush()
            _seam()
            return super().readblocks(block, buf)

        def writeblocks(self, block, buf):
            _seam()
            page = block // _PAGE_SECTORS
            last = (block + len(buf) // _SECTOR - 1) // _PAGE_SECTORS
            while page <= last:
                if page != self._dirty:
                    self.flush()
                    self._dirty = page
                self._count[2] += 1
                self._count[3] += page == 0
                page += 1
            return super().writeblocks(block, buf)

        def ioctl(self, op, arg):
            if op == 3:
                self.flush()
            return super().ioctl(op, arg)

        def counts(self):
            return [self._count[0] + (self._dirty >= 0), self._count[1] + (self._dirty == 0), self._count[2], self._count[3], self.written]

    return RecordingDisk


def _trace(folder):
    """Keep, for each call of the library from outside, the deepest chain of library frames below it (CPython only)."""
    root = folder + "/drive/lib/ota/"

    def on_event(frame, event, _argument):
        code = frame.f_code
        recovery = code.co_filename == "<string>"
        if event != "call" or not (recovery or code.co_filename.startswith(root)):
            return
        chain = []
        while frame is not None:
            code = frame.f_code
            if (code.co_filename == "<string>") if recovery else code.co_filename.startswith(root):
                chain.append(code.co_name)
            frame = frame.f_back
        public = "boot.py" if recovery else chain.pop()
        if public != "<module>" and len(chain) > len(_depth.get(public, "")):
            chain.reverse()
            _depth[public] = chain

    sys.setprofile(on_event)
