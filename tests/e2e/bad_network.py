"""The way of a whole fleet to its server and its Git host: one address for all boards, and a network that spoils one answer in ten.

It reads what it passes on: it knows a board by the port that this board asks, keeps a record of every request to the Git host, and tells
boards the host's times in seconds of their own clock, where that runs faster than this machine's.
"""

import asyncio
import contextlib
import random
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

# Closes with RST in place of FIN: linger for no time.
_ABORT = struct.pack("ii", 1, 0)
_PORTAL = b"<html><body>Welcome to our guests' Wi-Fi. Please accept the terms.</body></html>"
_BUSY_SECONDS = 20  # of the board's clock, that a busy Git host asks for
_SLOW_BYTES, _SLOW_SECONDS = 100, 0.02
# What may happen to an answer.
FAULTS = ("refused", "unanswered", "cut", "short", "stall", "slow", "portal", "busy")
_ARRIVES = ("whole", "slow")


@dataclass(frozen=True)
class Call:
    """One request of a board to the Git host.

    Attributes:
        board: The board's number.
        at: When it came, in seconds of this machine's clock.
        answered: When its answer began to be sent, where it had one.
        ended: When that was sent, or spoilt.
        kind: "commits", "trees" (both are calls of the API) or "raw".
        status: What the host answered, 0 where it never saw the request.
        fault: What happened to the answer: one of FAULTS, "flip" (a changed byte), "gone" (the board went away) or "whole".
        wait: Seconds of the board's clock that the answer asked the board to wait, where it asked.
    """

    board: int
    at: float
    answered: float
    ended: float
    kind: str
    status: int
    fault: str
    wait: int | None

    @property
    def arrived(self) -> bool:
        """Whether the whole answer was sent."""
        return self.fault in _ARRIVES

    @property
    def is_api(self) -> bool:
        """Whether the host counted it as a call of its API."""
        return self.kind != "raw" and self.status != 0


class BadNetwork:
    """A port for each board, behind which the lab answers.

    Args:
        upstream: The lab's port on this machine.
        boards: How many.
        seed: The same one spoils the same answers of a board, by their order.
        speed: How many times faster than this machine's the boards' clocks run, at most.

    Attributes:
        share: The share of answers that are spoilt.
        ports: By board.
        calls: Requests to the Git host, in the order of their ends.
        asked: When any request came, in seconds of this machine's clock.
        polled: The boards that have had an answer of ThingsBoard.
        faults: How often each one happened.
        seen: Called with (board, kind) for each request to the Git host; True: the board loses its power now.
    """

    def __init__(self, upstream: int, boards: int, seed: int, speed: float) -> None:
        self._upstream = upstream
        self._chances = [random.Random(f"{seed} {number}") for number in range(boards)]
        self._speed = speed
        self.share = 0.0
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(boards)]
        self._servers: list[asyncio.Server] = []
        self._live: set[asyncio.StreamWriter] = set()
        self.ports: list[int] = [listener.getsockname()[1] for listener in self._sockets]
        self.calls: list[Call] = []
        self.asked: list[float] = []
        self.polled: set[int] = set()
        self.faults: Counter[str] = Counter()
        self.seen: Callable[[int, str], bool] = lambda board, kind: False

    async def open(self) -> None:
        """Take connections."""
        for board, listener in enumerate(self._sockets):

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, board: int = board) -> None:
                await self._serve(board, reader, writer)

            self._servers.append(await asyncio.start_server(serve, sock=listener))

    async def close(self) -> None:
        """Take no more connections, and end those that are open."""
        for server in self._servers:
            server.close()
        for writer in self._live:
            writer.transport.abort()
        while self._live:
            await asyncio.sleep(0.01)

    async def _serve(self, board: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._live.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # the board went away, or was switched off
            while await self._pass_on(board, reader, writer):
                pass
        await _closed(writer)
        self._live.remove(writer)

    async def _pass_on(self, board: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Pass one request on, and its answer back; whether the connection lives on."""
        request = await _message(reader)
        at = answered = time.monotonic()
        kind = _kind(request)
        fault, where = self._draw(board, kind)
        self.asked.append(at)
        if kind != "cloud" and self.seen(board, kind):
            fault = "gone"
        status, wait, sent = 0, None, False
        try:
            if fault in ("refused", "gone"):
                _abort(writer)
                return False
            if fault == "portal":
                answer = _answer("200 OK", b"text/html", _PORTAL)
            elif fault == "busy":
                answer = _answer("503 Busy", b"text/plain\r\nretry-after: %d" % _BUSY_SECONDS, b"busy")
            else:
                status, answer = await self._ask(request)
            answer, wait = self._in_board_time(answer)
            answered = time.monotonic()
            sent = await _send(reader, writer, answer, fault, where)
        finally:
            if fault in _ARRIVES and not sent:
                fault = "gone"
            if kind != "cloud":
                self.calls.append(Call(board, at, answered, time.monotonic(), kind, status, fault, wait))
            elif fault in _ARRIVES:
                self.polled.add(board)
        return sent

    def _draw(self, board: int, kind: str) -> tuple[str, float]:
        chance = self._chances[board]
        hit, which, where = chance.random() < self.share, chance.random(), chance.random()
        if not hit:
            return "whole", where
        faults = (*FAULTS, "flip") if kind == "raw" else FAULTS
        fault = faults[int(which * len(faults))]
        self.faults[fault] += 1
        return fault, where

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            writer.write(request)
            answer = await _message(reader)
        finally:
            await _closed(writer)
        return int(answer.split(b" ", 2)[1]), answer

    def _in_board_time(self, answer: bytes) -> tuple[bytes, int | None]:
        """The answer with the limit's reset in the board's seconds from its Date, and the seconds that it asks the board to wait."""
        head, end, body = answer.partition(b"\r\n\r\n")
        after, reset = _header(head, b"retry-after"), _header(head, b"x-ratelimit-reset")
        wait = int(after) if after else None
        if reset:
            now = int(parsedate_to_datetime(_header(head, b"date").decode()).timestamp())
            seconds = round((int(reset) - now) * self._speed)
            head = head.replace(b"x-ratelimit-reset: " + reset, b"x-ratelimit-reset: %d" % (now + seconds))
            if wait is None and head.split(b" ", 2)[1] in (b"403", b"429"):
                wait = seconds
        return head + end + body, wait


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _header(head: bytes, name: bytes) -> bytes:
    found = re.search(rb"\r\n" + name + rb": *([^\r]*)", head)
    return found[1] if found else b""


def _kind(request: bytes) -> str:
    found = re.match(rb"/api/v3/repos/[^/]+/[^/]+/(?:git/)?(commits|trees)/|/(raw)/", request.split(b" ", 2)[1])
    return (found[1] or found[2]).decode() if found else "cloud"


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


def _answer(status: str, media: bytes, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\n".encode() + b"content-type: %s\r\ncontent-length: %d\r\n\r\n" % (media, len(body)) + body


def _abort(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()


async def _send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes, fault: str, where: float) -> bool:
    """Send an answer as the fault has it, which happens at this part of it, from 0 to 1; whether the connection lives on."""
    at = 1 + int(where * (len(answer) - 1))
    if fault == "unanswered":
        _abort(writer)
        return False
    if fault in ("cut", "short", "stall"):
        writer.write(answer[:at])
        await writer.drain()
        if fault == "cut":
            _abort(writer)
        elif fault == "stall":
            await reader.read()  # until the board has had enough
        return False
    if fault == "flip":
        at = max(answer.index(b"\r\n\r\n") + 4, at - 1)
        answer = answer[:at] + bytes((answer[at] ^ 1,)) + answer[at + 1 :]
    piece = _SLOW_BYTES if fault == "slow" else len(answer)
    for start in range(0, len(answer), piece):
        writer.write(answer[start : start + piece])
        await writer.drain()
        if fault == "slow":
            await asyncio.sleep(_SLOW_SECONDS)
    return True
