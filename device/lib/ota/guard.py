"""The guard: runs the program, sees it fail, and starts it again. Stock CircuitPython stops for ever after an exception.

boot.py names /cota_sys/s/g.py, which runs this file; it stands alone. The program runs as `__main__`, in CircuitPython's order of names.
Ctrl-C gives the REPL, as ever. What comes before and after a run is in verdict.py, and not in the heap while the program runs.
"""

import gc
import json
import os
import time

_PROGRAMS = ("code.txt", "code.py", "main.py", "main.txt")
_RESCUE_FROM = 3  # failures in a row of a confirmed program, or resets since power-on: look for a release before it runs again


def _has_to_judge():
    """Whether there is something to do before this run: seldom, and then verdict.py's names cost the run heap."""
    entry = {"q": 0, "p": "I"}
    try:
        with open("/cota_sys/s/j", "rb") as file:
            for at in (3584, 7680):
                file.seek(at)
                raw = file.read(512)[8:]
                found = json.loads(raw) if raw[:1] == b"{" else entry
                if found["q"] > entry["q"]:
                    entry = found
    except Exception:  # torn, or not there
        pass
    if entry["p"] == "T":
        late = entry["u"] + time.monotonic() > 3600  # perhaps: verdict.py knows COTA_TRIAL_HOURS
        return late or entry.get("v") or entry.get("b") != 1 or os.uname()[0].lower()[:3] != "rp2"
    if entry["p"] == "U":  # the drive was too full to undo a release: what runs may be in pieces
        return True
    import microcontroller
    import supervisor

    # A program that resets the board or reloads itself, or that a watchdog bites, never comes to verdict.after, which writes the mark cG.
    reason, kind = microcontroller.cpu.reset_reason, microcontroller.ResetReason
    again = supervisor.runtime.run_reason == supervisor.RunReason.SUPERVISOR_RELOAD
    bitten = not again and reason in (kind.SOFTWARE, kind.WATCHDOG)
    try:
        import alarm

        memory = alarm.sleep_memory
        mark = bytes(memory[-8:-6])
        failed = memory[-6] if mark in (b"cG", b"cR") else 0
        # An RP2040 wakes from deep sleep by a software reset.
        failed += (bitten and not alarm.wake_alarm) or (again and mark == b"cR")
        memory[-8:-5] = b"cR" + bytes((failed,))
        return failed >= _RESCUE_FROM
    except Exception:  # no memory outlasts a reset: any start but the first may follow a failure
        return again or bitten


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


_must = _has_to_judge()
if _must or os.getenv("COTA_WATCHDOG"):
    _verdict("before")(_must)
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
    _kind = type(_request).__name__
    if _kind == "DeepSleepRequest":
        _verdict("slept")()
    if _kind in ("DeepSleepRequest", "ReloadException") or isinstance(_request, KeyboardInterrupt):
        raise
    _failed = _request  # asyncio's CancelledError is one
gc.collect()
_verdict("after")(_why, _failed, _began)
