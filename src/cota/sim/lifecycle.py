"""What a board does when a run ends: CircuitPython's supervisor as tables, without any I/O.

The rules are those of CircuitPython 10's main loop and of `supervisor.set_next_code_file`: the options of a named code file belong to the
run for which it was named; `sticky_on_*` keeps the name for the run after that.
"""

from dataclasses import dataclass
from typing import Any

Ram = dict[str, Any]

# How a run of code ended -> (the option that restarts it, the option that keeps the named file).
_OPTIONS: dict[str, tuple[str | None, str | None]] = {
    "ended": ("reload_on_success", "sticky_on_success"),
    "exception": ("reload_on_error", "sticky_on_error"),
    "exit": (None, "sticky_on_error"),
    "interrupt": (None, "sticky_on_error"),
    "reload": (None, "sticky_on_reload"),
}
_FAILURES = ("exception", "exit", "interrupt")


def power_on(msc: bool, reset_reason: str = "POWER_ON", safe_mode_reason: str = "NONE") -> Ram:
    """RAM after a hard reset. A board with a USB drive keeps the right to write for the host."""
    return {
        "run_reason": "STARTUP",
        "reset_reason": reset_reason,
        "safe_mode_reason": safe_mode_reason,
        "traceback": None,
        "next_code": None,
        "usb_writes": msc,
        "usb_drive": msc,
    }


@dataclass(frozen=True)
class Next:
    """What follows a run.

    Attributes:
        phase: `boot`, `code`, `safemode`, `sleep` (deep sleep), or `wait` (the board does nothing until it is reset).
        ram: RAM for it.
    """

    phase: str
    ram: Ram


def name_code(ram: Ram, filename: str) -> Ram:
    """Name the file for the next run, without options, as `supervisor.set_next_code_file(filename)` does."""
    return {**ram, "next_code": {"filename": filename, "directory": None, "options": [], "new": True}}


def start_code(ram: Ram) -> tuple[dict[str, Any] | None, Ram]:
    """Take the file that is named for this run; from now on a newly named one is for the next run."""
    named = ram["next_code"]
    if named is None:
        return None, ram
    return named, {**ram, "next_code": {**named, "new": False}}


def after_boot(outcome: str, traceback: str | None, ram: Ram) -> Next:
    """After boot.py: the program starts, whatever boot.py did."""
    del outcome
    return Next("code", {**ram, "traceback": traceback})


def after_safemode(ram: Ram) -> Next:
    """After safemode.py, unless it reset the board: neither boot.py nor the program runs."""
    return Next("wait", ram)


def after_code(outcome: str, traceback: str | None, named: dict[str, Any] | None, ram: Ram) -> Next:
    """After a run of the program that ended in one of `_OPTIONS`."""
    restart, sticky = _OPTIONS[outcome]
    options = named["options"] if named is not None else []
    following = ram["next_code"]
    if following is not None and not following["new"] and sticky not in options:
        following = None
    ram = {**ram, "next_code": following, "traceback": traceback if outcome in _FAILURES else None}
    if outcome == "reload":
        return Next("code", {**ram, "run_reason": "SUPERVISOR_RELOAD"})
    return Next("code" if restart in options else "wait", ram)


def after_repl(ram: Ram) -> Next:
    """After Ctrl-D at the REPL: the program runs again. In safe mode there is none to run."""
    if ram["safe_mode_reason"] != "NONE":
        return Next("wait", ram)
    return Next("code", {**ram, "run_reason": "REPL_RELOAD"})


def after_reset(run_mode: str, msc: bool) -> Next:
    """After microcontroller.reset()."""
    if run_mode == "SAFE_MODE":
        return Next("safemode", power_on(msc, "SOFTWARE", "PROGRAMMATIC"))
    if run_mode in ("BOOTLOADER", "UF2"):
        return Next("wait", power_on(msc, "SOFTWARE"))
    return Next("boot", power_on(msc, "SOFTWARE"))


def after_sleep(msc: bool, rp2: bool) -> Next:
    """After deep sleep: a start like any other, but for its reason; an RP2040 wakes by a software reset (its `alarm` calls reset_cpu)."""
    return Next("boot", {**power_on(msc, "SOFTWARE" if rp2 else "DEEP_SLEEP_ALARM"), "woken": True})


def after_crash(msc: bool) -> Next:
    """After the VM itself died: a board shows a hard fault and starts in safe mode."""
    return Next("safemode", power_on(msc, "SOFTWARE", "HARD_FAULT"))


def after_watchdog(msc: bool) -> Next:
    """After the watchdog was not fed."""
    return Next("boot", power_on(msc, "WATCHDOG"))
