"""Carrying out a plan: write, read back, compare, in the plan's order."""

from collections.abc import Callable

from cota.drive.known import boot_kind
from cota.drive.plan import MARKER, MARKER_TEXT, TICKET, WAITING, Action, Plan
from cota.drive.settings_file import SETTINGS
from cota.drive.target import DriveError, Target

_TRIES = 2  # a block that was read back wrong is written once more; a second time is a defect


def carry_out(target: Target, plan: Plan, tell: Callable[[Action], None] = lambda action: None) -> int:
    """Do what a plan says, and prove it; gives the bytes that were written.

    Every file is read back and compared, and at the end all of them once more.

    Raises:
        DriveError: The drive failed, went away, or gave back other bytes than were written.
    """
    changes = plan.changes
    written = 0
    marked = False
    if changes and target.is_usb and boot_kind(target.read("boot.py")) == "ours" and target.read(MARKER) in (None, MARKER_TEXT):
        _replace(target, MARKER, MARKER_TEXT)
        marked = True
    if any(action.path == SETTINGS for action in changes):
        _finish_settings(target)
    for action in changes:
        if action.kind == "remove":
            target.remove(action.path)
        elif action.path in WAITING:
            _replace(target, action.path, action.data)
        else:
            _put(target, action.path, action.data)
        written += len(action.data)
        tell(action)
    _clear(target, plan)
    for action in changes:
        if action.kind == "write":
            _check(target, action.path, action.data)
    if marked or target.read(MARKER) == MARKER_TEXT:
        target.remove(MARKER)
    return written


def _finish_settings(target: Target) -> None:
    """Have a settings.toml before its successor is written: only so a missing one tells that its successor, which waits, is whole."""
    if target.read(SETTINGS) is None:
        if target.read(WAITING[SETTINGS]) is None:
            target.write(SETTINGS, b"")
        else:
            target.move(WAITING[SETTINGS], SETTINGS)


def _replace(target: Target, path: str, data: bytes) -> None:
    """Write a file that must never be half there: whole under another name first."""
    _put(target, WAITING[path], data)
    target.move(WAITING[path], path)
    _check(target, path, data)


def _put(target: Target, path: str, data: bytes) -> None:
    for _ in range(_TRIES):
        target.write(path, data)
        if target.read(path) == data:
            return
    _check(target, path, data)


def _check(target: Target, path: str, data: bytes) -> None:
    if target.read(path) != data:
        raise DriveError(
            f"{path} on {target.name} reads back other than it was written.",
            "Run this again. If it stays so, the drive is damaged: save your files, then storage.erase_filesystem() in the serial console.",
        )


def _clear(target: Target, plan: Plan) -> None:
    """Remove what an interrupted installation left waiting."""
    for folder in ("", "lib/ota"):
        waiting = {path for path in (*WAITING.values(), TICKET) if path.rpartition("/")[0] == folder}
        for entry in target.entries(folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path in waiting:
                target.remove(path)
