"""What the server does when a package is assigned: QUEUED, a paced queue, INITIATED, shared attributes.

Source: ThingsBoard's DefaultOtaPackageStateService. The queue is a table here, so that a restart forgets nobody.
"""

import asyncio
import logging
import sqlite3
from typing import Any, NamedTuple

from cota.lab.clock import now_ms
from cota.lab.data.attributes import SHARED, Attributes
from cota.lab.data.devices import Devices
from cota.lab.data.packages import KINDS, Packages
from cota.lab.data.profiles import Profiles
from cota.lab.data.store import Row, StorageError, Store
from cota.lab.data.timeseries import Timeseries
from cota.lab.data.values import Sample, encode
from cota.lab.device.hub import Hub
from cota.lab.errors import invalid

_log = logging.getLogger(__name__)

# 100 devices a minute, evenly spread: ThingsBoard's pack-interval / pack-size.
DEFAULT_PACE_SECONDS = 0.6
_PREFIX = {"FIRMWARE": "fw", "SOFTWARE": "sw"}
_UNASSIGNED = ("title", "version", "ts", "state", "size", "checksum", "checksum_algorithm", "url", "tag")
# After a failed write (disk full) the queue waits before it tries the same device again.
_RETRY_SECONDS = 5.0


class Assignment(NamedTuple):
    """The packages that a device or a profile names itself, by kind."""

    firmware: str | None
    software: str | None

    def of(self, kind: str) -> str | None:
        """Return the package of a kind."""
        return self.firmware if kind == "FIRMWARE" else self.software


class Ota:
    """The assignment service."""

    def __init__(
        self,
        store: Store,
        *,
        profiles: Profiles,
        devices: Devices,
        packages: Packages,
        attributes: Attributes,
        timeseries: Timeseries,
        hub: Hub,
        pace: float,
    ) -> None:
        self._store, self._profiles, self._devices, self._packages = store, profiles, devices, packages
        self._attributes, self._timeseries, self._hub, self._pace = attributes, timeseries, hub, pace
        self._filled = asyncio.Event()

    def effective(self, device: Row, kind: str) -> str | None:
        """Return the package that a device shall run: its own, else its profile's."""
        column = KINDS[kind][0]
        own: str | None = device[column]
        return own or self._profiles.need(device["profile_id"])[column]

    def package_of(self, device_id: str, kind: str) -> Row | None:
        """Return the package that a device shall run.

        Raises:
            ApiError: There is no such device.
        """
        package_id = self.effective(self._devices.need(device_id), kind)
        return self._packages.get(package_id) if package_id else None

    def wanted(self, device: Row) -> Assignment:
        """Return the effective packages of a device."""
        return Assignment(self.effective(device, "FIRMWARE"), self.effective(device, "SOFTWARE"))

    def check_assignable(self, row: Row, profile_id: str) -> None:
        """Check the packages that a device's or profile's row names.

        Raises:
            ApiError: One cannot be assigned there.
        """
        for kind, (column, word, _) in KINDS.items():
            if row[column] is None:
                continue
            package = self._packages.get(row[column])
            if package is None:
                raise invalid(f"Can't assign non-existent {word}!")
            if package["type"] != kind:
                raise invalid(f"Can't assign {word} with type: {package['type']}")
            if not package["has_data"]:
                raise invalid(f"Can't assign {word} with empty data!")
            if package["profile_id"] != profile_id:
                raise invalid(f"Can't assign {word} with different deviceProfile!")

    def device_saved(self, device_id: str, before: Assignment) -> None:
        """Follow a device's save: what it shall run may have changed."""
        device = self._devices.need(device_id)
        for kind in KINDS:
            target = self.effective(device, kind)
            if target == before.of(kind):
                continue
            if target is None:
                self._remove([device_id], kind)
            else:
                self._send([device_id], kind, target)

    def profile_saved(self, profile_id: str, before: Assignment) -> None:
        """Follow a profile's save: it reaches the devices that have no package of their own."""
        profile = self._profiles.need(profile_id)
        for kind, (column, _, _) in KINDS.items():
            target = profile[column]
            if target == before.of(kind):
                continue
            sql = f"SELECT id FROM device WHERE profile_id = ? AND {column} IS NULL ORDER BY rowid"  # noqa: S608  # names of ours
            ids = [row["id"] for row in self._store.all(sql, profile_id)]
            if target is None:
                self._remove(ids, kind)
            else:
                self._send(ids, kind, target)

    def _send(self, device_ids: list[str], kind: str, package_id: str) -> None:
        package, prefix, ts = self._packages.need(package_id), _PREFIX[kind], now_ms()
        told: dict[str, Any] = {f"target_{prefix}_title": package["title"], f"target_{prefix}_version": package["version"]}
        if package["tag"]:
            told[f"target_{prefix}_tag"] = package["tag"]
        told |= {f"target_{prefix}_ts": ts, f"{prefix}_state": "QUEUED"}
        samples = [Sample(ts, key, encode(value)) for key, value in told.items()]
        with self._store.unit():
            for device_id in device_ids:
                self._timeseries.save(device_id, samples)
            rows = ((device_id, kind, package_id, ts) for device_id in device_ids)
            self._store.run_many("INSERT INTO ota_queue (device_id, type, package_id, ts) VALUES (?, ?, ?, ?)", rows)
        self._filled.set()

    def _remove(self, device_ids: list[str], kind: str) -> None:
        keys = [f"{_PREFIX[kind]}_{name}" for name in _UNASSIGNED]
        with self._store.unit():
            for device_id in device_ids:
                self._attributes.delete(device_id, SHARED, keys)
        for device_id in device_ids:
            self._hub.push_attributes(device_id, {"deleted": keys})

    async def run(self) -> None:
        """Work the queue, one device a pace, until cancelled."""
        while True:
            row = self._store.one("SELECT * FROM ota_queue ORDER BY number LIMIT 1")
            if row is None:
                self._filled.clear()
                await self._filled.wait()
                continue
            try:
                await self._initiate(row)
            except (StorageError, sqlite3.Error):
                _log.exception("an update could not be started, next try in %s s", _RETRY_SECONDS)
                await asyncio.sleep(_RETRY_SECONDS)
            await asyncio.sleep(self._pace)

    async def _initiate(self, row: Row) -> None:
        device, kind = self._devices.need(row["device_id"]), row["type"]
        package = self._packages.get(row["package_id"])
        pushes: list[dict[str, Any]] = []
        with self._store.unit():
            self._store.run("DELETE FROM ota_queue WHERE number = ?", row["number"])
            # Assigned anew or unassigned while it waited: ThingsBoard drops the message and leaves the state QUEUED.
            if package is not None and self.effective(device, kind) == package["id"]:
                pushes = self._write(device["id"], package, _PREFIX[kind], row["ts"])
        await self._store.settled()
        for message in pushes:
            self._hub.push_attributes(device["id"], message)

    def _write(self, device_id: str, package: Row, prefix: str, ts: int) -> list[dict[str, Any]]:
        # History keeps one value a key and millisecond: QUEUED, written at `ts`, must not be written over.
        self._timeseries.save(device_id, [Sample(max(now_ms(), ts + 1), f"{prefix}_state", encode("INITIATED"))])
        values = {
            "title": package["title"],
            "version": package["version"],
            "tag": package["tag"] or None,
            "size": package["data_size"],
            "checksum_algorithm": package["checksum_algorithm"],
            "checksum": package["checksum"],
            "url": package["url"] or None,
        }
        told = {f"{prefix}_{name}": value for name, value in values.items() if value is not None}
        gone = [f"{prefix}_{name}" for name, value in values.items() if value is None]
        self._attributes.delete(device_id, SHARED, gone)
        self._attributes.save(device_id, SHARED, [(key, encode(value)) for key, value in told.items()], ts)
        # Two pushes, deleted first: a long poll ends at the first and so sees half of the assignment, as on ThingsBoard.
        return [*([{"deleted": gone}] if gone else []), told]
