"""One TCP connection: bytes in and out, bounded, and no answer before the disk has what it acknowledges."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from cota.lab.mqtt import reasons
from cota.lab.mqtt.conversation import Conversation
from cota.lab.mqtt.fields import PacketError
from cota.lab.mqtt.packets import Decoder

if TYPE_CHECKING:
    from cota.lab.mqtt.door import Door

_log = logging.getLogger(__name__)

# Packets that are worked off in one go; then it is another connection's turn.
_BATCH = 64
# Answers that wait for the disk; a client that asks faster than it reads is not read from.
_MAX_WAITING_BYTES = 256 * 1024
# What a client may leave unread of pushes: far more than one whole update tells, then it is cut off.
_MAX_UNREAD_BYTES = 1024 * 1024
# A client that does not take our last words is cut off after this many seconds.
_LAST_SECONDS = 5.0


class Link(asyncio.Protocol):
    """See the module; the door makes these."""

    __slots__ = (
        "_closing",
        "_conversation",
        "_decoder",
        "_door",
        "_listening",
        "_out",
        "_patience",
        "_stuffed",
        "_timers",
        "_transport",
        "_unread",
        "_waiting",
        "heard_at",
    )

    def __init__(self, door: "Door") -> None:
        self._door = door
        self._decoder = Decoder()
        self._out: list[bytes] = []
        self._waiting = 0  # bytes in it
        self._stuffed = False  # the socket takes no more for now
        self._unread = 0  # bytes that it had not taken at the last look
        self._closing = False
        self._listening = True
        self._timers: set[asyncio.TimerHandle] | None = None
        self._patience = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.heard_at = self._door.now()
        self._conversation = Conversation(self._door.core, self)
        self._door.links.add(self)
        self._door.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._closing = True
        self._door.links.discard(self)
        for timer in self._timers or ():
            timer.cancel()
        self._conversation.ended()
        self._out.clear()

    def data_received(self, data: bytes) -> None:
        """Take bytes; after our own end they mean nothing."""
        self._door.bytes_in += len(data)
        if not self._closing:
            self._decoder.feed(data)
            self._work()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read."""
        self._stuffed = True
        self._listen(False)

    def resume_writing(self) -> None:
        """Go on."""
        self._stuffed = False
        self._work()

    def _held(self) -> bool:
        return self._closing or self._stuffed or self._waiting > _MAX_WAITING_BYTES

    def _work(self) -> None:
        try:
            for _ in range(_BATCH):
                packet = None if self._held() else self._decoder.next()
                if packet is None:
                    break
                self.heard_at = self._door.now()
                self._door.packets += 1
                self._conversation.handle(packet)
            else:
                self._listen(False)
                self._door.soon(self._work)
                return
        except PacketError as error:
            self.close(self._conversation.farewell(error.reason))
        except Exception:
            _log.exception("an MQTT packet could not be handled")
            self.abort()
        self._listen(not self._held())

    def _listen(self, on: bool) -> None:
        if on != self._listening and not self._transport.is_closing():
            self._listening = on
            if on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def send(self, data: bytes) -> None:
        """Send, once everything written before is on the disk; nothing but a wish to have it there if there are no bytes."""
        if not self._closing:
            self._out.append(data)
            self._waiting += len(data)
            self._door.dirty(self)

    def push(self, data: bytes) -> None:
        """Send what was not asked for; a client that reads nothing is cut off."""
        if self._waiting + self._transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
            self.abort()
        else:
            self.send(data)

    def close(self, last: bytes = b"") -> None:
        """Send the last bytes and end."""
        self.send(last)
        if not self._closing:
            self._closing = True
            self.heard_at, self._patience = self._door.now(), _LAST_SECONDS
            self._conversation.ended()

    def abort(self) -> None:
        """End now, whatever is unsent."""
        self._closing = True
        self._transport.abort()

    def allow(self, seconds: float) -> None:
        """End if no packet comes for so long."""
        self._patience = seconds

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something in so many seconds, unless the connection ends before."""
        if self._timers is None:
            self._timers = set()
        timers = self._timers

        def run() -> None:
            timers.discard(timer)
            if not self._closing:
                do()

        timer = self._door.in_seconds(seconds, run)
        timers.add(timer)

    def look(self, now: float) -> None:
        """End if the client was silent for too long; one that reads, and is therefore not read from, is not."""
        if self._stuffed:
            before, self._unread = self._unread, self._transport.get_write_buffer_size()
            if self._unread < before:
                self.heard_at = now
        if now - self.heard_at > self._patience:
            if self._closing:
                self.abort()
            else:
                self.close(self._conversation.farewell(reasons.KEEP_ALIVE_TIMEOUT))

    def stop(self) -> None:
        """End, because the lab does."""
        self.close(self._conversation.farewell(reasons.SERVER_SHUTTING_DOWN))

    def take(self) -> bytes:
        """Return what waits for the disk."""
        data, self._out, self._waiting = b"".join(self._out), [], 0
        return data

    def write(self, data: bytes) -> None:
        """Send what the disk now has."""
        if self._transport.is_closing():
            return
        if data:
            self._door.bytes_out += len(data)
            self._transport.write(data)
        if self._closing and not self._out:
            self._transport.close()
        elif not self._listening:
            self._work()
