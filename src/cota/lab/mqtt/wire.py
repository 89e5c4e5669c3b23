"""What a conversation needs of its connection, so that it can be held without a socket."""

from collections.abc import Callable
from typing import Protocol


class Wire(Protocol):
    """One connection."""

    def send(self, data: bytes) -> None:
        """Send, once everything written before is on the disk."""

    def push(self, data: bytes) -> None:
        """Send what was not asked for; a client that reads nothing is cut off."""

    def close(self, last: bytes = b"") -> None:
        """Send the last bytes and end."""

    def allow(self, seconds: float) -> None:
        """End if nothing comes for so long, from now on."""

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something in so many seconds, unless the connection ends before."""
