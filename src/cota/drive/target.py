"""A board's drive as `cota install` and `cota doctor` work on it, by whatever way it is reached."""

from dataclasses import dataclass
from typing import Protocol

from cota.errors import AnswerIsNoError, CotaError


class DriveError(CotaError):
    """The drive cannot be read or written: the environment is at fault."""


class RefusedError(AnswerIsNoError):
    """This board or this drive is not one that can be prepared as it is."""


@dataclass(frozen=True)
class Entry:
    """One name in a folder."""

    name: str
    is_folder: bool
    size: int


class Target(Protocol):
    """A drive. Paths go from its root, with `/` between. Every call raises `DriveError` where the drive fails."""

    @property
    def name(self) -> str:
        """The drive for people."""
        ...

    @property
    def is_usb(self) -> bool:
        """Whether it is reached as a USB drive, which boot.py can make read-only."""
        ...

    def entries(self, folder: str) -> list[Entry]:
        """List a folder, "" for the root; empty where there is none."""
        ...

    def read(self, path: str) -> bytes | None:
        """Read a file from the drive itself and not from a cache, as far as the system allows; None where there is none."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write a file, with the folders that it needs, and wait until it is on the drive."""
        ...

    def move(self, source: str, target: str) -> None:
        """Give a file another name in its folder, in place of what has that name."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file."""
        ...

    def space(self) -> tuple[int, int]:
        """Free bytes, and the bytes of a cluster."""
        ...

    def check_writable(self) -> None:
        """Fail where the drive may only be read."""
        ...

    def close(self) -> None:
        """Let go of the drive."""
        ...
