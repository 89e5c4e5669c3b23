"""The guard: runs the program, sees it fail, and starts it again. Stock CircuitPython stops for ever after an exception.

boot.py names /cota_sys/g.py, which runs this file; it stands alone. The program runs as `__main__`, in CircuitPython's order of names.
Ctrl-C gives the REPL, as ever. What comes before and after a run is in verdict.py, and not in the heap while the program runs.
"""

import gc
import os
import time

_PROGRAMS = ("code.txt", "code.py", "main.py", "main.txt")


def _verdict(name):
    scope = {}
    with open("/lib/ota/verdict.py") as file:
        code = compile(file.read(), "verdict.py", "exec")
    exec(code, scope)
    return scope[name]


def _run(name):
    gc.collect()
    scope = {"__name__": "__main__", "__file__": name}
    try:
        run = execfile  # type: ignore[name-defined]
    except NameError:
        with open("/" + name) as file:
            code = compile(file.read(), name, "exec")
        exec(code, scope)
        return
    run("/" + name, scope)


_verdict("before")()
_name = None
for _found in _PROGRAMS:
    try:
        if not os.stat("/" + _found)[0] & 0x4000:
            _name = _found
            break
    except OSError:
        pass
gc.collect()
_began = time.monotonic()
_why = _failed = None
try:
    if _name is None:
        raise RuntimeError("there is no program on the drive")
    print(_name, "output:")
    _run(_name)
    _why = _name + " ended"
except SystemExit:
    _why = "SystemExit"
except Exception as _problem:
    _failed = _problem
except BaseException as _request:
    if type(_request).__name__ == "DeepSleepRequest":
        _verdict("slept")()
    raise
gc.collect()
_verdict("after")(_why, _failed, _began)
