"""Finding CIRCUITPY drives: by what is on them, because names and places differ with the system."""

import os
import re
import string
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cota.drive.boot_out import BOOT_OUT, BoardInfo, parse_boot_out
from cota.errors import CotaError

_MOUNTS = Path("/proc/self/mounts")
# Kinds of file system that a FAT drive may have; a network drive that does not answer must not be looked at.
_FAT_KINDS = {"vfat", "msdos", "exfat", "fuseblk"}
_MAX_BOOT_OUT = 64 * 1024  # bytes: boot.py may print there


@dataclass(frozen=True)
class Found:
    """A CIRCUITPY drive: where it is, and the board that it belongs to."""

    path: Path
    board: BoardInfo


def mount_points(mounts: str) -> Iterator[Path]:
    """Name the mounted FAT drives of Linux from the text of /proc/self/mounts, where blanks are octal escapes (man 5 fstab)."""
    for line in mounts.splitlines():
        parts = line.split()
        if len(parts) > 2 and parts[2] in _FAT_KINDS:
            yield Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), parts[1]))


def places(platform: str = sys.platform) -> list[Path]:
    """Name where this system puts drives: Linux's mounted FAT drives, macOS's /Volumes, Windows's letters."""
    if platform == "win32":
        return [Path(f"{letter}:\\") for letter in string.ascii_uppercase if os.path.exists(f"{letter}:\\")]
    if platform == "darwin":
        volumes = Path("/Volumes")
        return sorted(volumes.iterdir()) if volumes.is_dir() else []
    try:
        return list(mount_points(_MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")))
    except OSError:
        return []


def board_of(place: Path) -> BoardInfo | None:
    """Read which board a drive belongs to; None where it is no CIRCUITPY drive."""
    try:
        with (place / BOOT_OUT).open("rb") as file:
            return parse_boot_out(file.read(_MAX_BOOT_OUT).decode("utf-8", "replace"))
    except OSError:
        return None


def find_drives(where: Iterable[Path] | None = None) -> list[Found]:
    """Give every CIRCUITPY drive of this machine.

    Args:
        where: Places to look at; None means those of this system.
    """
    return [Found(place, board) for place in (places() if where is None else where) if (board := board_of(place)) is not None]


def choose_drive(given: Path | None, where: Iterable[Path] | None = None) -> Found:
    """Give the drive that is meant: the one that was named, or the only one that there is.

    Raises:
        CotaError: there is none, it is not CircuitPython's, or there are several.
    """
    if given is not None:
        board = board_of(given)
        if board is not None:
            return Found(given, board)
        if not given.exists():
            raise CotaError(f"{given} does not exist.", "Name the folder where the drive CIRCUITPY is, such as /media/me/CIRCUITPY.")
        raise CotaError(
            f"{given} is not a CIRCUITPY drive: it has no {BOOT_OUT} of CircuitPython's.",
            "Name the drive itself. A new board writes that file at its first start: press reset and wait for the drive.",
        )
    found = find_drives(where)
    if len(found) == 1:
        return found[0]
    if not found:
        raise CotaError(
            "There is no CIRCUITPY drive on this machine.",
            "Plug the board in with a cable that carries data, wait for the drive, or name it. A board without a USB drive: --host NAME.",
        )
    lines = "\n".join(f"  {drive.path}  {drive.board.name}, CircuitPython {drive.board.version}" for drive in found)
    raise CotaError(f"There are {len(found)} CIRCUITPY drives:\n{lines}", "Name the one that you mean.")
