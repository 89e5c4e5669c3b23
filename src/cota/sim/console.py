"""A board's console: lines to whoever watches, and a log of bounded size."""

from collections.abc import Callable
from pathlib import Path

# Two files of this size are kept: what was said last, and some of what was said before.
_MAX_LOG_BYTES = 256 * 1024
# A program that prints without a newline gets its text cut here.
_MAX_LINE_CHARS = 4000

LineListener = Callable[[str], None]


class Console:
    """Split a stream of bytes into lines, tell the listener, and log."""

    def __init__(self, log: Path, listener: LineListener | None) -> None:
        self._log = log
        self._listener = listener
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            self.say(line.decode("utf-8", "replace").rstrip("\r"))
        if len(self._rest) > _MAX_LINE_CHARS:
            self.end_line()

    def end_line(self) -> None:
        """Give out a last line that has no newline."""
        rest, self._rest = self._rest, b""
        if rest:
            self.say(rest.decode("utf-8", "replace"))

    def say(self, line: str) -> None:
        """Give out one line."""
        line = line[:_MAX_LINE_CHARS]
        with self._log.open("a", encoding="utf-8") as f:
            f.write(line + "\n")
            size = f.tell()
        if size > _MAX_LOG_BYTES:
            self._log.replace(self._log.with_suffix(".1.log"))
        if self._listener is not None:
            self._listener(line)
