"""The supervisor's tables, without a VM."""

import pytest

from cota.sim import lifecycle

NAMED = {"filename": "g.py", "directory": None, "options": [], "new": False}


def _ram(next_code: object = None) -> lifecycle.Ram:
    return {**lifecycle.power_on(msc=True), "next_code": next_code}


@pytest.mark.parametrize(
    ("outcome", "options", "phase", "kept"),
    [
        ("ended", [], "wait", False),
        ("ended", ["reload_on_success"], "code", False),
        ("ended", ["reload_on_success", "sticky_on_success"], "code", True),
        ("ended", ["reload_on_error", "sticky_on_error"], "wait", False),
        ("exception", [], "wait", False),
        ("exception", ["reload_on_error"], "code", False),
        ("exception", ["reload_on_error", "sticky_on_error"], "code", True),
        ("exception", ["sticky_on_error"], "wait", True),
        ("exit", ["reload_on_error", "sticky_on_error"], "wait", True),
        ("reload", [], "code", False),
        ("reload", ["sticky_on_reload"], "code", True),
        ("reload", ["sticky_on_error"], "code", False),
    ],
)
def test_the_options_of_the_run_decide_what_follows_it(outcome: str, options: list[str], phase: str, kept: bool) -> None:
    named = {**NAMED, "options": options}
    following = lifecycle.after_code(outcome, None, named, _ram(named))
    assert following.phase == phase
    assert (following.ram["next_code"] is not None) is kept


def test_a_file_that_was_named_during_the_run_is_kept_whatever_the_options() -> None:
    named = {**NAMED, "filename": "next.py", "new": True}
    for outcome in ("ended", "exception", "exit", "reload"):
        assert lifecycle.after_code(outcome, None, None, _ram(named)).ram["next_code"] == named


def test_a_named_file_is_no_longer_new_once_its_run_has_started() -> None:
    named, ram = lifecycle.start_code(_ram({**NAMED, "new": True}))
    assert named is not None and named["new"] is True
    assert ram["next_code"]["new"] is False
    assert lifecycle.start_code(_ram()) == (None, _ram())


def test_only_a_failed_run_leaves_a_traceback() -> None:
    for outcome, left in (("ended", None), ("exception", "text"), ("exit", "text"), ("reload", None)):
        assert lifecycle.after_code(outcome, "text", None, _ram()).ram["traceback"] == left


def test_the_traceback_of_boot_py_is_the_programs_previous_one() -> None:
    following = lifecycle.after_boot("exception", "boot failed", _ram())
    assert (following.phase, following.ram["traceback"]) == ("code", "boot failed")


@pytest.mark.parametrize(
    ("following", "phase", "reset_reason", "safe_mode_reason"),
    [
        (lifecycle.after_reset("NORMAL", True), "boot", "SOFTWARE", "NONE"),
        (lifecycle.after_reset("SAFE_MODE", True), "safemode", "SOFTWARE", "PROGRAMMATIC"),
        (lifecycle.after_reset("BOOTLOADER", True), "wait", "SOFTWARE", "NONE"),
        (lifecycle.after_crash(True), "safemode", "SOFTWARE", "HARD_FAULT"),
        (lifecycle.after_watchdog(True), "boot", "WATCHDOG", "NONE"),
        (lifecycle.after_safemode(_ram()), "wait", "POWER_ON", "NONE"),
    ],
)
def test_each_end_that_is_not_the_programs_own_has_its_own_start(
    following: lifecycle.Next, phase: str, reset_reason: str, safe_mode_reason: str
) -> None:
    assert (following.phase, following.ram["reset_reason"], following.ram["safe_mode_reason"]) == (phase, reset_reason, safe_mode_reason)


def test_only_a_board_with_a_usb_drive_keeps_it_for_the_host() -> None:
    assert lifecycle.power_on(msc=True)["usb_writes"] is True
    assert lifecycle.power_on(msc=False)["usb_writes"] is False
