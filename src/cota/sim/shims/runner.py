"""One run of a simulated board: set the shims in place, mount the drive, run the phase, report how it ended.

The phases are CircuitPython's: `safemode` (safemode.py), `boot` (boot.py, and the drive is made if there is none) and `code`. Each has a
process of its own, because on a board each has a fresh heap. The exit status repeats the outcome: 0 ended, 1 exception, 3 reload, 4
SystemExit, 6 deep sleep, 7 Ctrl-C; a reset kills the process.
"""

import builtins
import gc
import sys

import simboard

CODE_FILES = ("code.txt", "code.py", "main.py", "main.txt")
modules = {}  # name on the board -> shim
_STATUS = {"ended": 0, "exception": 1, "reload": 3, "exit": 4, "sleep": 6, "interrupt": 7}
_SHIMS = (
    "board",
    "errno",
    "hashlib",
    "microcontroller",
    "os",
    "rtc",
    "socketpool",
    "ssl",
    "storage",
    "supervisor",
    "time",
    "traceback",
    "watchdog",
    "wifi",
    "zlib",
)
# What a CircuitPython VM has of its own. `storage` and `os` are ours there too: the first must hand its flags to the next process, the
# second must read settings.toml from the board's drive.
_NATIVE_ON_CIRCUITPYTHON = ("errno", "hashlib", "socketpool", "ssl", "time", "traceback", "zlib")
# Built into MicroPython and not into CircuitPython.
_ABSENT = (
    "_thread",
    "bluetooth",
    "btree",
    "cryptolib",
    "deflate",
    "ffi",
    "framebuf",
    "heapq",
    "machine",
    "network",
    "platform",
    "socket",
    "termios",
    "tls",
    "uctypes",
    "vfs",
    "websocket",
)
# Built into CircuitPython and not into MicroPython, with their parents.
_ERRORS = (("ConnectionError", OSError), ("TimeoutError", OSError), ("BrokenPipeError", OSError), ("UnicodeDecodeError", UnicodeError))


class _Absent:
    """A module that a board does not have. MicroPython cannot refuse the import of a built-in, so the first use does."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        raise ImportError("no module named '" + self._name + "'")


def _vm_parts():
    """Keep what the run needs of the VM's own modules before the shims hide them."""
    import os

    files = simboard.files
    files["system"] = getattr(os, "system", None)
    if simboard.VM == "circuitpython":
        import storage

        files["VfsFat"], files["mount"], files["umount"] = storage.VfsFat, storage.mount, storage.umount
    else:
        import vfs

        files["VfsFat"], files["mount"], files["umount"] = vfs.VfsFat, vfs.mount, vfs.umount


def _install():
    # All are imported before the first takes its place: each one is built on the VM's module of the same name.
    for name in _SHIMS:
        if simboard.VM != "circuitpython" or name not in _NATIVE_ON_CIRCUITPYTHON:
            modules[name] = __import__("cp_" + name)
    if simboard.profile["sleep_bytes"]:
        modules["alarm"] = __import__("cp_alarm")
    simboard.files["wifi"] = modules["wifi"].radio
    for name, parent in _ERRORS:
        try:
            eval(name)
        except NameError:
            setattr(builtins, name, type(name, (parent,), {}))
    builtins.ReloadException = modules["supervisor"].ReloadException
    if simboard.VM != "cpython":
        for name in modules:
            sys.modules[name] = modules[name]
    if simboard.VM == "micropython":
        for name in _ABSENT:
            sys.modules[name] = _Absent(name)


def _mount(disk):
    storage = modules["storage"]
    simboard.files["umount"]("/")
    try:
        storage.attach(disk)
    except OSError as error:
        if error.errno != 19:  # ENODEV: there is no file system
            raise
        # CircuitPython's answer to a drive that is not FAT: a new one with a greeting.
        simboard.files["VfsFat"].mkfs(disk)
        storage.attach(disk)
        with open("/code.py", "w") as f:
            f.write('print("Hello World!")\n')
        print("no file system: the drive was formatted")


def _exists(name):
    try:
        return modules["os"].stat(name)[0] & 0x4000 == 0
    except OSError:
        return False


def _execute(name):
    """Run one file as `__main__`; give (outcome, traceback)."""
    scope = {"__name__": "__main__", "__file__": name}
    try:
        if simboard.VM == "micropython":
            execfile(name, scope)  # noqa: F821
        else:
            with open(name) as f:
                source = f.read()
            exec(compile(source, name, "exec"), scope)
        result = ("ended", None)
    except SystemExit as error:
        result = ("exit", simboard.format_exception(error))
    except BaseException as error:
        if isinstance(error, modules["supervisor"].ReloadException):
            result = ("reload", None)
        elif type(error).__name__ == "DeepSleepRequest":
            result = ("sleep", None)
        elif isinstance(error, KeyboardInterrupt):
            result = ("interrupt", _format(error, scope))
        else:
            result = ("exception", _format(error, scope))
    scope.clear()
    gc.collect()
    return ("reload", None) if simboard.reload_asked() else result


def _format(error, scope):
    if isinstance(error, MemoryError):
        scope.clear()
        gc.collect()
    return simboard.format_exception(error)


def _boot():
    """boot.py, and boot_out.txt as CircuitPython writes it: only when the text differs."""
    profile = simboard.profile
    head = "Adafruit CircuitPython %s on 2026-09-01; %s with %s\nBoard ID:%s\nUID:%s\n" % (
        profile["version"],
        profile["machine"],
        profile["mcu"],
        profile["board_id"],
        simboard.config["uid"].upper(),
    )
    said = []
    result = ("ended", None)
    for name in ("boot.py", "boot.txt"):
        if _exists(name):
            said.append("boot.py output:\n")
            real_print = builtins.print

            def spy(*args, sep=" ", end="\n", file=None):
                if file is None:
                    said.append(sep.join([str(arg) for arg in args]) + end)
                real_print(*args, sep=sep, end=end, **({} if file is None else {"file": file}))

            builtins.print = spy
            result = _execute(name)
            builtins.print = real_print
            if result[1] and result[0] == "exception":
                said.append(result[1])
            break
    text = head + "".join(said)
    try:
        with open("/boot_out.txt") as f:
            same = f.read() == text
    except (OSError, ValueError):
        same = False
    if not same:
        try:
            with open("/boot_out.txt", "w") as f:
                f.write(text)
        except OSError as error:
            print("boot_out.txt could not be written: errno", error.errno)
    return result


def _code():
    """The program: the file that was named for this run, else the first of CircuitPython's names that exists."""
    wanted = simboard.config["next_code"]
    if wanted is not None:
        if wanted["directory"] is not None:
            modules["os"].chdir(wanted["directory"])
        if wanted["filename"]:
            if _exists(wanted["filename"]):
                print(wanted["filename"], "output:")
                return _execute(wanted["filename"])
            print(wanted["filename"], "not found.")
    for name in CODE_FILES:
        if _exists(name):
            print(name, "output:")
            return _execute(name)
    return "ended", None


def _join_by_settings():
    """CircuitPython joins the network that settings.toml names before boot.py; a failure is silent."""
    os, radio = modules["os"], modules["wifi"].radio
    try:
        name = os.getenv("CIRCUITPY_WIFI_SSID")
        if name:
            radio.connect(name, os.getenv("CIRCUITPY_WIFI_PASSWORD", ""))
    except (OSError, ValueError):
        pass  # the program sees it in wifi.radio.connected


def main(path):
    """Run the phase that the configuration at `path` names."""
    try:
        _run(path)
    except KeyboardInterrupt:  # between two files of the drive
        print("KeyboardInterrupt:")
        simboard.report("interrupt", "KeyboardInterrupt: ")


def _run(path):
    simboard.load(path)
    config = simboard.config
    if config["ca_bundle"]:
        simboard.files["ca"] = open(config["ca_bundle"])
    if simboard.VM == "cpython":
        import cpython_host

        cpython_host.prepare(config["drive"])
        _install()
        cpython_host.take_over(modules)
    else:
        from disk import ImageDisk

        disk = ImageDisk(config["image"])
        simboard.files["disk"] = disk
        _vm_parts()
        _install()
        _mount(disk)
        sys.path[:] = ["", "/", ".frozen", "/lib"]
    _join_by_settings()
    gc.collect()
    phase = config["phase"]
    if phase == "boot":
        outcome, text = _boot()
    elif phase == "safemode":
        outcome, text = _execute("safemode.py") if _exists("safemode.py") else ("ended", None)
    else:
        outcome, text = _code()
    if text and outcome != "exit":
        print(text.rstrip("\n"))
    simboard.report(outcome, text)
    sys.exit(_STATUS[outcome])
