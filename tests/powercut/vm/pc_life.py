"""A board's life: power on, boot.py, the program, again after each reload and reset, until nothing happens any more."""

import builtins
import gc
import io
import sys
from hashlib import sha1

import pc_code
import pc_modules
import vfs
from pc_flash import Flash
from pc_modules import Hardware, PowerOff, ReloadException, Reset

_CODE_FILES = ("code.txt", "code.py", "main.py", "main.txt")
_MAX_BOOTS = 16
_MAX_RUNS = 30  # between two boots
_BOOT_OUT = "Adafruit CircuitPython 10.3.1 on 2026-09-01; Simulated board\nBoard ID:powercut\n"
_own = None


class Life:
    """What became of a board.

    Attributes:
        end: How it came to rest: "idle", "quiet" (it polls on without a word), "halted" (CircuitPython waits for ever), "volume lost",
            "endless".
        boots: How often boot.py ran.
        console: The last lines printed.
        first_boot: What `look(fs)` said after the first boot.py.
    """

    def __init__(self):
        self.end = ""
        self.boots = 0
        self.console = []
        self.first_boot = None

    def say(self, *args, sep=" ", end="\n", file=None):
        try:
            self.console.append(sep.join([str(arg) for arg in args]))
        except UnicodeError:
            self.console.append("(no text)")
        if len(self.console) > 40:
            del self.console[:20]


def prepare():
    """Detach the host's drive, and remember which modules are not the board's."""
    global _own  # noqa: PLW0603
    pc_modules.install()
    pc_code.install()
    vfs.umount("/")
    sys.path[:] = ["", "/", ".frozen", "/lib"]
    _own = set(sys.modules)


class Memory:
    """What became of boards that were reset with the same flash and RAM: most cuts of a course lead to one of a few such states."""

    def __init__(self):
        self._known = {}
        self._ends = {}  # digest -> Image, so that each end is kept once

    def key(self, image, hardware):
        cloud = hardware.cloud
        hasher = sha1(image.digest())
        hasher.update(hardware.sleep_memory)
        hasher.update(repr((hardware.reason, cloud.shared, cloud.settled)).encode())
        return hasher.digest()

    def recall(self, key, life, image, cloud):
        """Take over what is known of a board in this state; False where nothing is."""
        known = self._known.get(key)
        if known is None:
            return False
        life.end, boots, end, said, life.console = known
        life.boots += boots
        image.become(self._ends[end])
        cloud.said = cloud.said + said
        return True

    def learn(self, marks, life, image, cloud):
        """Remember the end for every reset that led to it: (key, boots, number of words said) each."""
        end = image.digest()
        if end not in self._ends:
            self._ends[end] = image.copy()
        for key, boots, said in marks:
            self._known[key] = (life.end, life.boots - boots, end, cloud.said[said:], life.console)


def live(image, kind, cloud, log=None, look=None, only_boot=False, memory=None):
    """Switch the board on and let it run until it is idle; `image` is what the flash holds then.

    Args:
        image: The flash, changed in place.
        kind: How its port writes: "rp2" or "esp".
        cloud: The servers.
        log: A list that takes every page written.
        look: Called with the file system after the first boot.py.
        only_boot: Switch off after the first boot.py.
        memory: A Memory, where a life that is known from some reset on need not be lived again.
    """
    marks = []
    life = Life()
    hardware = Hardware(cloud)
    cloud.power_on()
    real_print = builtins.print
    builtins.print = life.say
    try:
        while not life.end:
            if memory is not None and life.boots:
                key = memory.key(image, hardware)
                if memory.recall(key, life, image, cloud):
                    break
                marks.append((key, life.boots, len(cloud.said)))
            life.boots += 1
            if life.boots > _MAX_BOOTS:
                life.end = "endless"
                break
            _boot(life, hardware, image, kind, log, look, only_boot)
    finally:
        builtins.print = real_print
    if marks:
        memory.learn(marks, life, image, cloud)
    return life


def _boot(life, hardware, image, kind, log, look, only_boot):
    flash = hardware.flash = Flash(image, kind, log)
    hardware.next_code = None
    hardware.writable = False
    hardware.writes_seen = 0
    pc_modules.start(hardware)
    try:
        fs = vfs.VfsFat(flash)
        vfs.mount(fs, "/")
    except OSError:
        life.end = "volume lost"
        return
    try:
        if _exists(fs, "boot.py"):
            _execute(life, "/boot.py")
        _boot_out(life, fs)
        if life.boots == 1 and look is not None:
            life.first_boot = look(fs)
        if only_boot:
            flash.flush()
            life.end = "booted"
            return
        if not hardware.writable:
            vfs.umount("/")
            vfs.mount(fs, "/", readonly=True)
        for _ in range(_MAX_RUNS):
            if not _run(life, hardware, fs):
                life.end = "halted"
                flash.flush()
                return
        life.end = "endless"
    except Reset:
        pass
    except PowerOff:
        life.end = hardware.off
    finally:
        flash.off = True
        vfs.umount("/")
        _forget()


def _run(life, hardware, fs):
    """One run of the program; False where the board then waits for ever."""
    named = hardware.next_code
    name = None
    if named is not None and _exists(fs, named[0].lstrip("/")):
        name = named[0]
    else:
        for candidate in _CODE_FILES:
            if _exists(fs, candidate):
                name = "/" + candidate
                break
    try:
        if name is None or not _execute(life, name):
            return False
    finally:
        _forget()
    if named is not None and not named[1].get("sticky_on_reload") and hardware.next_code is named:
        hardware.next_code = None
    return True


def _execute(life, name):
    """Run a file as `__main__`; True where it asked for a reload."""
    try:
        pc_code.run(name, {"__name__": "__main__", "__file__": name})
    except ReloadException:
        return True
    except (PowerOff, Reset):
        raise
    except BaseException as exc:
        out = io.StringIO()
        try:
            sys.print_exception(exc, out)
            life.say(out.getvalue())
        except UnicodeError:  # torn names and torn source, in the message
            life.say(type(exc).__name__)
    return False


def _boot_out(life, fs):
    """boot_out.txt, written only where its text differs; constant here, as the device code prints only constant text."""
    try:
        with fs.open("/boot_out.txt", "r") as file:
            if file.read() == _BOOT_OUT:
                return
    except (OSError, ValueError):
        pass
    try:
        with fs.open("/boot_out.txt", "w") as file:
            file.write(_BOOT_OUT)
    except OSError as exc:
        life.say("boot_out.txt:", exc)


def _exists(fs, name):
    try:
        return not fs.stat("/" + name)[0] & 0x4000
    except OSError:
        return False


def _forget():
    """Drop every module that came from the drive."""
    for name in list(sys.modules):
        if name not in _own:
            del sys.modules[name]
    gc.collect()
