"""Run one device test file in the VM that runs this. The host side, and what the arguments mean, is conftest.py:

    runner.py FILE ROOT LANE pure|whole[+board SHIMS CONFIGURATION]

Each test begins with a line "@run NAME" and ends with "@ok NAME" or "@fail NAME"; what it printed and, after a failure, its traceback stand
between the two.
"""

import gc
import sys

FILE, ROOT, LANE, SCOPE = sys.argv[1:5]


class OnlyNew:
    """hashlib as boards have it: `new` and nothing else; CircuitPython 9.x and 10.0 know SHA-1 only."""

    def __init__(self, hashlib, algorithms):
        self._makers = {name: getattr(hashlib, name) for name in algorithms}

    def new(self, name, data=b""):
        maker = self._makers.get(name)
        if maker is None:
            raise ValueError("unsupported hash type")
        return maker(data)


class Bare:
    """A module that has nothing in it yet; MicroPython takes any object for one and cannot make a real one."""


def bare_package(path):
    """The package `ota` without its __init__, which imports everything: its modules can be imported, each for itself."""
    package = type(sys)("ota") if sys.implementation.name == "cpython" else Bare()
    package.__name__ = "ota"
    package.__path__ = [path] if sys.implementation.name == "cpython" else path
    return package


def set_up_board(shims, configuration):
    """Put the simulator's modules in place, all but those of the drive, and on CPython but those that CPython itself lives on."""
    sys.path.insert(0, shims)
    import builtins

    import simboard

    for name in ("ConnectionError", "TimeoutError", "BrokenPipeError"):  # CircuitPython has them, MicroPython does not
        if not hasattr(builtins, name):
            setattr(builtins, name, type(name, (OSError,), {}))

    simboard.load(configuration)
    names = ["board", "microcontroller", "rtc", "socketpool", "supervisor", "watchdog", "wifi"]
    if LANE.startswith("micropython"):
        names += ["errno", "ssl", "time", "traceback"]
    # All are imported before the first takes its place: each one is built on the VM's module of the same name.
    made = {name: __import__("cp_" + name) for name in names}
    simboard.files["wifi"] = made["wifi"].radio
    for name in names:
        sys.modules[name] = made[name]


def print_exception(exc):
    if hasattr(sys, "print_exception"):
        sys.print_exception(exc)
    else:
        import traceback

        traceback.print_exception(exc, file=sys.stdout) if LANE.startswith("cpython") else traceback.print_exception(exc)


def main():
    sys.path.insert(0, ROOT + "/tests/device")
    sys.path.insert(0, ROOT + "/device/lib")
    if LANE.startswith("micropython"):
        import hashlib

        sys.modules["hashlib"] = OnlyNew(hashlib, ("sha1",) if LANE.endswith("sha1") else ("sha1", "sha256"))
    if SCOPE.startswith("pure"):
        sys.modules["ota"] = bare_package(ROOT + "/device/lib/ota")
    if SCOPE.endswith("+board"):
        set_up_board(sys.argv[5], sys.argv[6])
    folder, _, name = FILE.rpartition("/")
    sys.path.insert(0, folder)
    try:
        module = __import__(name[:-3])
    except Exception as exc:
        print_exception(exc)
        return 1
    failed = 0
    for test in sorted(n for n in dir(module) if n.startswith("test_")):
        gc.collect()
        print("@run", test)
        try:
            getattr(module, test)()
        except Exception as exc:
            failed = 1
            print_exception(exc)
            print("@fail", test)
        else:
            print("@ok", test)
    return failed


sys.exit(main())
