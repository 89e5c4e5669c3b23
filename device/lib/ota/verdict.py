"""What the guard does before and after a run of the program: judge a trial, arm the watchdog, rescue, count, wait. It stands alone.

It is loaded for that and let go again: while the program runs, its heap is the program's. On trial a failure is counted by the recovery's
copy in the arena, code of the old release.
"""

import json
import os
import sys
import time
from binascii import crc32

import microcontroller
import supervisor

_STATE = "/cota_sys/s/"
_FIRST_WAIT = 10  # seconds, doubled at each failure in a row
_LONGEST_WAIT = 600
_RESET_EVERY = 5  # failures in a row: what a reload leaves in a peripheral goes with a reset
_LONG_RUN = 600  # seconds after which a failure is the first one again
_TRIAL_WATCHDOG = 120  # seconds; armed on trial where the board allows so much
_NO_NETWORK = ((2,), (19,), (28,))  # what an OSError says of a file, a device on a bus or a full drive: ENOENT, ENODEV, ENOSPC
_RAM = 8  # our counter's distance from the end of alarm.sleep_memory, which outlasts reloads and resets


def read_journal():
    """The journal's entry that counts."""
    found = {"q": 0, "p": "I"}
    try:
        with open(_STATE + "j", "rb") as file:
            for at in (3584, 7680):
                file.seek(at)
                raw = file.read(512)
                if raw[:8] == b"%08x" % (crc32(raw[8:]) & 0xFFFFFFFF):
                    entry = json.loads(raw[8:])
                    if entry["q"] > found["q"]:
                        found = entry
    except Exception:  # torn, or not there
        pass
    return found


def _load(path, start=0, length=-1):
    """The names that a file that stands alone defines, or a part of the arena."""
    with open(path, "rb") as file:
        file.seek(start)
        code = file.read(length)
    scope = {}
    exec(code, scope)
    return scope


def _recovery(journal):
    """The recovery's names. Where its copy, code of the old release, is gone, the trial must end all the same: rescued, not undone."""
    try:
        names = _load(_STATE + "a", journal["c"], journal["n"])
        if "count" in names:
            return names
    except Exception:
        pass
    return _load("/lib/ota/redo.py")


def _failures(value=None):
    """Failures in a row, kept in RAM that outlasts a reset; without such RAM always one, so that the wait is a middle one."""
    try:
        import alarm

        memory = alarm.sleep_memory
        at = len(memory) - _RAM
        if value is not None:
            memory[at : at + 3] = b"cG" + bytes((value,))
        return memory[at + 2] if bytes(memory[at : at + 2]) in (b"cG", b"cR") else 0
    except Exception:  # no alarm, or no such memory
        return 2


def _answered():
    """The key of what the server assigns, where it answers the guard itself; else None."""
    try:
        return _load("/lib/ota/ask.py")["answered"]()
    except Exception as exc:
        print("guard: the server does not answer:", repr(exc))
        return None


def _arm(on_trial):
    """Arm the watchdog: as COTA_WATCHDOG says, and on trial where its limit is long enough for a program that calls ota now and then."""
    text = os.getenv("COTA_WATCHDOG")
    if text == "off":
        return
    own = str(text).isdigit()
    seconds = int(text) if own else _TRIAL_WATCHDOG
    if not own and not on_trial:
        return
    try:
        from watchdog import WatchDogMode

        microcontroller.watchdog.timeout = seconds
        microcontroller.watchdog.mode = WatchDogMode.RESET
    except (ImportError, ValueError, NotImplementedError, AttributeError, RuntimeError):
        # No watchdog module; a limit too long for the chip; no such mode; no watchdog on the board; one that runs and cannot be changed.
        # The program must run on such a board as well, so a hang there ends only when its power is switched. Who asked for it is told.
        if own:
            print("guard: COTA_WATCHDOG is more than this board allows")


def _judge(journal):
    """What a reset, a silence or a start by hand before this run means for the release on trial; may end the trial."""
    asked = journal.get("v")
    hours = str(os.getenv("COTA_TRIAL_HOURS"))
    limit = 3600 * (int(hours) if hours.isdigit() and len(hours) < 7 else 0) or 86400  # as trial.py has it
    by_hand = journal["M"] and journal.get("b") == 2
    if journal["M"] and journal["u"] + time.monotonic() > limit:
        journal["o"] = journal.get("o", 0) + 1
        _recovery(journal)["count"](journal, "no contact in " + str(limit // 3600) + " hours", 3)
    elif asked or by_hand:
        assigned = _answered()
        if assigned and by_hand and assigned != journal["y"]:  # somebody wants this board back from a release that hangs
            _recovery(journal)["count"](journal, "no contact, and it is no longer assigned", 3)
        elif assigned and asked:
            _recovery(journal)["count"](journal, "no contact, while the server answers" if asked == 2 else "the program reset the board")
    if journal["p"] != "T":
        microcontroller.reset()
    if asked or journal.get("b") != 1:
        journal["v"] = 0
        journal["b"] = 1
        journal["i"] = int(time.monotonic())  # a program that resets the board without Wi-Fi comes to its hours too
        _recovery(journal)["save"](journal)


def _rescue():
    """The program keeps failing: give another release its chance before it fails again."""
    try:
        _load("/lib/ota/ask.py")["join"]()
        import ota

        ota.OverTheAirUpdate().download_firmware_files()  # at once: a wait after a failed try begins anew at each start, and never ends
    except Exception as exc:
        print("guard: no release:", repr(exc))


def before(rescue):
    """What comes before a run. `rescue`: the program keeps failing."""
    journal = read_journal()
    on_trial = journal["p"] == "T"
    if on_trial:
        try:
            _judge(journal)
        except OSError as problem:
            print("guard: the drive:", repr(problem))
    elif rescue:
        _rescue()
    _arm(on_trial)


def _last_line(exc):
    """The traceback's last line."""
    text = type(exc).__name__
    detail = str(exc)
    return (text + ": " + detail if detail else text).replace("\n", " ")


def _show(exc):
    if hasattr(sys, "print_exception"):
        sys.print_exception(exc)
    else:
        import traceback

        traceback.print_exception(exc)


def after(why, exc, began):
    """The program has ended: count it on trial, wait, start again. It does not return.

    Args:
        why: How it ended, where `exc` is None.
        exc: The exception that escaped.
        began: time.monotonic() at the run's start.
    """
    network = isinstance(exc, OSError) and exc.args[:1] not in _NO_NETWORK
    if exc is not None:
        why = type(exc).__name__
        try:
            why = _last_line(exc)
            _show(exc)
        except Exception:  # its own text is what fails
            pass
    exc = None
    journal = read_journal()
    if journal["p"] == "T":
        joined = False
        if network:
            import wifi

            joined = wifi.radio.connected
        try:
            if not network or (joined and _answered()):
                _recovery(journal)["count"](journal, why)
                if journal["p"] != "T":
                    print("guard: the release is undone")
                    microcontroller.reset()
            else:
                journal["b"] = 0
                journal["i"] = int(time.monotonic())
                _recovery(journal)["save"](journal)
        except OSError as exc:
            print("guard: the drive:", repr(exc))  # USB holds it
    failed = min(_failures() + 1 if time.monotonic() - began < _LONG_RUN else 1, 250)
    wait = min(_FIRST_WAIT << min(failed - 1, 6), _LONGEST_WAIT)
    _failures(failed)
    print("guard:", why + "; again in", wait, "s")
    for _ in range(wait):
        if _armed():
            microcontroller.watchdog.feed()
        time.sleep(1)
    if failed % _RESET_EVERY == 0:
        if journal["p"] == "T":
            journal["u"] += int(time.monotonic())
            journal["b"] = journal["i"] = 0
            try:
                _recovery(journal)["save"](journal)
            except OSError:
                pass
        microcontroller.reset()
    supervisor.reload()


def _armed():
    return getattr(microcontroller.watchdog, "mode", None) is not None


def slept():
    """A program that goes to deep sleep after contact has proved itself."""
    trial = sys.modules.get("ota.trial")
    if trial is None or not trial.contacts:
        return
    journal = read_journal()
    if journal["p"] == "T" and journal.get("b") and os.getenv("COTA_CONFIRM") != "app":
        journal["p"] = "I"
        journal["x"] = journal["w"] = ""
        journal["o"] = 0
        try:
            _recovery(journal)["save"](journal)
        except OSError:  # USB holds the drive
            pass
