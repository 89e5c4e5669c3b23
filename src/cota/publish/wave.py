"""How far a release has come on a group of boards: what a rollout decides by, without a server and without a clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from cota.thingsboard.boards import Board, Release

Standing = Literal["updated", "failed", "waiting"]
Verdict = Literal["reached", "lost", "open"]

# Boards that a sentence names.
_NAMED = 5
_NOTHING_OLD: Mapping[str, int | None] = {}


@dataclass(frozen=True)
class Wave:
    """A group of boards that shall run a release.

    Attributes:
        updated: Those that run it and have proved it.
        failed: Those that gave it up.
        waiting: The others.
        needed: How many must be updated.
    """

    updated: tuple[Board, ...]
    failed: tuple[Board, ...]
    waiting: tuple[Board, ...]
    needed: int

    @property
    def total(self) -> int:
        """How many boards there are."""
        return len(self.updated) + len(self.failed) + len(self.waiting)

    @property
    def verdict(self) -> Verdict:
        """Whether enough are updated, or so many failed that enough can never be."""
        if len(self.updated) >= self.needed:
            return "reached"
        return "lost" if self.total - len(self.failed) < self.needed else "open"

    def where(self) -> str:
        """Say who is where, of those that are not updated."""
        places = [
            f"{one.name} is at {one.state} {one.percent} %" + (f" ({one.error})" if one.error else "")
            for one in (*self.failed, *self.waiting)
        ]
        return f"{len(self.updated)} of {self.total} updated, {self.needed} needed; {_some(places)}."

    def why(self) -> str:
        """Say which boards failed, and the boards' own reasons."""
        return _some([f"{board.name}: {board.error or 'it did not say why'}" for board in self.failed], "; ")


def look_at(boards: Iterable[Board], release: Release, percent: int, old: Mapping[str, int | None] = _NOTHING_OLD) -> Wave:
    """Sort boards by how they stand to a release.

    Args:
        boards: The boards.
        release: The release.
        percent: How many of a hundred must be updated; a part of a board counts as a whole one.
        old: Failures that do not count any more, because the board was told to try again: board's id -> `changed` of that failure.
    """
    sorted_boards: dict[Standing, list[Board]] = {"updated": [], "failed": [], "waiting": []}
    for board in boards:
        sorted_boards[standing(board, release, is_old=board.id in old and old[board.id] == board.changed)].append(board)
    total = sum(map(len, sorted_boards.values()))
    updated, failed, waiting = (tuple(sorted_boards[name]) for name in ("updated", "failed", "waiting"))
    return Wave(updated, failed, waiting, needed=-(-total * percent // 100))


def standing(board: Board, release: Release, *, is_old: bool = False) -> Standing:
    """Say how a board stands to a release; a state that belongs to another release says nothing.

    Args:
        board: The board.
        release: The release.
        is_old: Whether a failure that it shows is one that it was told to try again.
    """
    if board.assigned != release:
        return "waiting"
    if board.state == "UPDATED" and board.running == release:
        return "updated"
    return "failed" if board.state == "FAILED" and not is_old else "waiting"


def _some(parts: list[str], between: str = ", ") -> str:
    """Join the first few."""
    more = [f"and {len(parts) - _NAMED} more"] if len(parts) > _NAMED else []
    return between.join([*parts[:_NAMED], *more])
