"""The way out of safe mode: after a fault the board starts again, after a growing wait. Safe mode that a person asked for stays."""

import time

import microcontroller
import supervisor

# Read by the recovery: a hard fault counts against a release on trial, a brown-out does not.
_LEFT = {"HARD_FAULT": 0x48, "BROWNOUT": 0x42}
_STAYS = ("NONE", "USER", "PROGRAMMATIC", "SAFE_MODE_PY_ERROR", "USB_BOOT_DEVICE_NOT_INTERFACE_ZERO", "USB_TOO_MANY_ENDPOINTS")
_FIRST_WAIT = 10  # seconds, doubled at each fault since power-on
_LONGEST_WAIT = 600


def _faults(reason):
    """How many faults there were since power-on, this one included, and leave word of this one; 4 where no RAM outlasts a reset."""
    try:
        import alarm

        memory = alarm.sleep_memory
        at = len(memory) - 5
        memory[at] = _LEFT.get(reason, 0)
        count = min(memory[at - 1] + 1, 255)
        memory[at - 1] = count
        return count
    except (ImportError, AttributeError, NotImplementedError):
        # No `alarm` on this board, no sleep_memory in it, or a port that has the name and no such RAM. The faults cannot be counted, so
        # each waits as a fourth one does: long enough to reach the drive over USB, short enough for a board that nobody can reach.
        return 4


_reason = str(supervisor.runtime.safe_mode_reason).split(".")[-1]
if _reason not in _STAYS:
    _wait = min(_FIRST_WAIT << min(_faults(_reason) - 1, 6), _LONGEST_WAIT)
    print("cOTA: safe mode after", _reason + "; the board starts again in", _wait, "s")
    time.sleep(_wait)
    microcontroller.reset()
