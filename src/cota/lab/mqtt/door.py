"""The listening socket of the MQTT device API, and what all of its connections share: one look at the clock, one wait for the disk."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable

from cota.lab.core import Core
from cota.lab.data.store import StorageError
from cota.lab.mqtt.link import Link

_log = logging.getLogger(__name__)

# How often silent connections are looked for: one task for all of them, as a timer for each would cost more than the connection.
_LOOK_SECONDS = 1.0
# That a TLS handshake may take, and that clients have for our last words when the lab stops.
_HANDSHAKE_SECONDS = 10.0
_GRACE_SECONDS = 1.0


class Door:
    """See the module.

    Args:
        core: The lab.
        listener: The socket, which listens already; whoever made it closes it.

    Attributes:
        tls: What to serve TLS with; None serves plain MQTT.
        links: The open connections.
        port: The TCP port.
        connections, packets, bytes_in, bytes_out: What came and went so far; bytes without those of TLS.
    """

    def __init__(self, core: Core, listener: socket.socket) -> None:
        self.core, self.socket = core, listener
        self.tls: ssl.SSLContext | None = None
        self.links: set[Link] = set()
        self.port: int = listener.getsockname()[1]
        self.connections = self.packets = self.bytes_in = self.bytes_out = 0
        self._dirty: set[Link] = set()
        self._woken = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the end of the block."""
        self._loop = asyncio.get_running_loop()
        timeout = _HANDSHAKE_SECONDS if self.tls else None
        server = await self._loop.create_server(lambda: Link(self), sock=self.socket, ssl=self.tls, ssl_handshake_timeout=timeout)
        tasks = [asyncio.create_task(self._look()), asyncio.create_task(self._write())]
        try:
            yield
        finally:
            server.close()
            for link in list(self.links):
                link.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    while self.links:
                        await asyncio.sleep(0.01)
            for link in list(self.links):
                link.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def now(self) -> float:
        """Return the loop's time, seconds."""
        return self._loop.time()

    def soon(self, do: Callable[[], None]) -> None:
        """Do something when others had their turn."""
        self._loop.call_soon(do)

    def in_seconds(self, seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something later."""
        return self._loop.call_later(seconds, do)

    def dirty(self, link: Link) -> None:
        """Remember that this one has something to send, or wrote something that must reach the disk."""
        self._dirty.add(link)
        self._woken.set()

    async def _write(self) -> None:
        """Send what waits, one commit for all of it."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            links, self._dirty = self._dirty, set()
            # Taken before the wait: what comes in meanwhile waits for a commit of its own.
            parts = [(link, link.take()) for link in links]
            try:
                await self.core.store.settled()
            except StorageError:
                _log.exception("MQTT messages could not be kept, so that they are not acknowledged")
                for link in links:
                    link.abort()
                continue
            for link, data in parts:
                link.write(data)

    async def _look(self) -> None:
        """End the connections that are silent for too long."""
        timing = self.core.timing
        pause = min(_LOOK_SECONDS, timing.mqtt_connect_timeout / 4, timing.mqtt_session_timeout / 4)
        while True:
            await asyncio.sleep(pause)
            now = self.now()
            for link in list(self.links):
                link.look(now)
