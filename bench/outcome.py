"""What a measured board did: the points that its program reached, and what the server and the flash had counted there. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cota.errors import CotaError

_LAST_LINES = 8

Counters = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Cost:
    """What lies between two marks: requests and bytes of answers' bodies, by "thingsboard", "git-api" and "git-raw"; connections."""

    requests: Mapping[str, int]
    bytes_out: Mapping[str, int]
    connections: int


@dataclass(frozen=True)
class Flash:
    """Rewrites of 4 KiB pages, and sectors written.

    Attributes:
        rp2, rp2_page0: With one dirty page in RAM; those of page 0 (boot sector, FAT, and the start of the root folder).
        esp, esp_page0: With nothing held back.
        sectors: 512-byte sectors written, whatever layer lies below.
    """

    rp2: int = 0
    rp2_page0: int = 0
    esp: int = 0
    esp_page0: int = 0
    sectors: int = 0

    def minus(self, other: "Flash") -> "Flash":
        """What happened since `other`."""
        return Flash(*(a - b for a, b in zip(self.values(), other.values(), strict=True)))

    def plus(self, other: "Flash") -> "Flash":
        """Both together."""
        return Flash(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, int, int, int, int]:
        """The numbers in order."""
        return self.rp2, self.rp2_page0, self.esp, self.esp_page0, self.sectors


@dataclass(frozen=True)
class Mark:
    """A point that the program reached.

    Attributes:
        name: Its name.
        counters: The lab's counters at that point.
        flash: The flash's since the board was switched on first.
        connections: The board's since then.
        said: What the probe said of heap and call depth.
    """

    name: str
    counters: Counters
    flash: Flash
    connections: int
    said: Mapping[str, Any]


@dataclass
class Outcome:
    """What a board did.

    Attributes:
        marks: The points it reached, in order.
        lines: Its console, without the marks.
        complete: Whether it reached the end, and its drive holds the last release.
        folder: Its folder, for a run that goes on from here.
        repository: Its Git repository.
        commits: The commits that were assigned to it.
    """

    marks: list[Mark] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    complete: bool = False
    folder: Path = Path()
    repository: Path = Path()
    commits: list[str] = field(default_factory=list)

    def all(self, name: str) -> list[Mark]:
        """The marks of a name."""
        return [mark for mark in self.marks if mark.name == name]

    @property
    def trouble(self) -> str:
        """What ended a run that is not complete, in three words for a table."""
        if self.complete:
            return ""
        text = "\n".join(self.lines)
        return "out of memory" if "MemoryError" in text or "out of memory" in text else "failed"

    def require(self) -> "Outcome":
        """This, if it is complete.

        Raises:
            CotaError: it is not; with the last lines of the board's console.
        """
        if not self.complete:
            raise CotaError("A measured board did not finish:\n  " + "\n  ".join(self.lines[-_LAST_LINES:]))
        return self


def cost(before: Mark, after: Mark) -> Cost:
    """What the server gave and the board opened between two marks."""
    kinds = ("thingsboard", "git-api", "git-raw")
    change = {
        count: {kind: after.counters[kind][count] - before.counters[kind][count] for kind in kinds} for count in ("requests", "bytes_out")
    }
    return Cost(change["requests"], change["bytes_out"], after.connections - before.connections)


def update_window(outcome: Outcome, number: int) -> tuple[Mark, Mark]:
    """The marks between which the release of this number (from 0) was assigned, installed and confirmed."""
    return outcome.all("assign")[number], outcome.all("contact")[number + 1]
