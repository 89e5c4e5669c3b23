"""Which devices are active: the server attributes `active`, `lastActivityTime`, `inactivityAlarmTime`."""

import asyncio
import logging
import sqlite3

from cota.lab.clock import now_ms
from cota.lab.data.attributes import SERVER, Attributes
from cota.lab.data.store import StorageError, Store
from cota.lab.data.values import decode, encode

_log = logging.getLogger(__name__)

# ThingsBoard's DEFAULT_INACTIVITY_TIMEOUT.
DEFAULT_TIMEOUT_SECONDS = 600.0
# A poll is an activity, and a thousand polling boards must not write a thousand times: the times are kept in memory for this long.
_FLUSH_SECONDS = 5.0


class Activity:
    """When each device last spoke, and what its `active` attribute says."""

    def __init__(self, store: Store, attributes: Attributes, timeout: float) -> None:
        self._store, self._attributes, self._timeout_ms = store, attributes, round(timeout * 1000)
        self._active: set[str] = set()
        self._unsaved: dict[str, int] = {}
        for row in store.all("SELECT entity_id FROM attribute WHERE scope = ? AND key = 'active' AND value = 'true'", SERVER):
            self._active.add(row["entity_id"])

    def created(self, device_id: str) -> None:
        """Give a new device its first state."""
        self._attributes.save(device_id, SERVER, [("active", "false")], now_ms())

    def forget(self, device_id: str) -> None:
        """Drop what is known of a device that was deleted."""
        self._active.discard(device_id)
        self._unsaved.pop(device_id, None)

    def heard(self, device_id: str) -> None:
        """Record that a device spoke. Becoming active is written at once, the time within seconds."""
        now = now_ms()
        self._unsaved[device_id] = now
        if device_id not in self._active:
            self._active.add(device_id)
            with self._store.unit():
                self._attributes.save(device_id, SERVER, [("active", "true"), ("lastActivityTime", encode(now))], now)

    def flush(self) -> None:
        """Write the times that are still in memory; whoever reads server attributes calls this first."""
        unsaved, self._unsaved = self._unsaved, {}
        if unsaved:
            with self._store.unit():
                for device_id, ts in unsaved.items():
                    self._attributes.save(device_id, SERVER, [("lastActivityTime", encode(ts))], ts)

    def expire(self) -> None:
        """Mark the devices inactive that have been silent for too long."""
        self.flush()
        now = now_ms()
        with self._store.unit():
            for device_id in list(self._active):
                rows = self._attributes.get(device_id, SERVER, ["lastActivityTime"])
                if not rows or decode(rows[0]["value"]) + self._timeout_ms <= now:
                    self._active.discard(device_id)
                    self._attributes.save(device_id, SERVER, [("active", "false"), ("inactivityAlarmTime", encode(now))], now)

    async def run(self) -> None:
        """Write and expire now and then, until cancelled."""
        while True:
            await asyncio.sleep(min(_FLUSH_SECONDS, self._timeout_ms / 2000))
            try:
                self.expire()
                await self._store.settled()
            except (StorageError, sqlite3.Error):
                _log.exception("the times of the devices' activity could not be written")
