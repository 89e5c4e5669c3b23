"""Devices: their names, their profiles, what they shall run."""

import json
from typing import Any

from cota.lab import tokens
from cota.lab.clock import now_ms
from cota.lab.data.profiles import Profiles
from cota.lab.data.store import Row, Store
from cota.lab.errors import invalid, not_found, stale
from cota.lab.ids import NULL_UUID, new_id, ref, ref_id
from cota.lab.rest.paging import PageLink, select_page

_SELECT = "SELECT d.*, p.name AS profile_name FROM device d JOIN profile p ON p.id = d.profile_id"
_SORT = {
    "createdTime": "d.created",
    "name": "d.name",
    "type": "p.name",
    "label": "d.label",
    "deviceProfileName": "p.name",
    "customerTitle": "1",
}
_ACTIVE = "coalesce((SELECT value FROM attribute a WHERE a.entity_id = d.id AND a.scope = 'SERVER_SCOPE' AND a.key = 'active'), 'false')"
_DEFAULT_DATA = {"configuration": {"type": "DEFAULT"}, "transportConfiguration": {"type": "DEFAULT"}}


class Devices:
    """The table of devices."""

    def __init__(self, store: Store, profiles: Profiles, tenant_id: str) -> None:
        self._store, self._profiles, self._tenant_id = store, profiles, tenant_id

    def get(self, device_id: str) -> Row | None:
        """Return a device's row, with the name of its profile."""
        return self._store.one(f"{_SELECT} WHERE d.id = ?", device_id)

    def need(self, device_id: str) -> Row:
        """Return a device's row.

        Raises:
            ApiError: 404.
        """
        row = self.get(device_id)
        if row is None:
            raise not_found(f"Device with id [{device_id}] is not found")
        return row

    def by_name(self, name: str) -> Row | None:
        """Return the device of this name."""
        return self._store.one(f"{_SELECT} WHERE d.name = ?", name)

    def save(self, given: dict[str, Any], conflict_policy: str = "FAIL", separator: str = "_", strategy: str = "RANDOM") -> str:
        """Create or replace a device and return its id; who runs what is ota.py's business.

        Raises:
            ApiError: It is not valid, unknown or stale.
        """
        device_id = ref_id(given.get("id"))
        old = self.need(device_id) if device_id else None
        if old is not None and given.get("version") is not None and given["version"] != old["version"]:
            raise stale("Device")
        name, label = given.get("name"), given.get("label")
        if not isinstance(name, str) or not name.strip():
            raise invalid("Device name should be specified!")
        for field, text in (("name", name), ("label", label), ("type", given.get("type"))):
            if text is not None and (not isinstance(text, str) or len(text) > 255):
                raise invalid(f"Validation error: {field} length must be equal or less than 255")
        profile_id = self._profile_id(given)
        same = self.by_name(name)
        if same is not None and same["id"] != device_id:
            if conflict_policy != "UNIQUIFY":
                raise invalid("Device with such name already exists!")
            name = self._unique(name, separator, strategy)
        body = json.dumps({"additionalInfo": given.get("additionalInfo"), "deviceData": given.get("deviceData") or _DEFAULT_DATA})
        columns = (name, label, profile_id, ref_id(given.get("firmwareId")), ref_id(given.get("softwareId")), body)
        with self._store.unit():
            if device_id is None:
                device_id = new_id()
                self._store.run(
                    "INSERT INTO device (name, label, profile_id, firmware_id, software_id, body, id, created, version)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
                    *(*columns, device_id, now_ms()),
                )
            else:
                self._store.run(
                    "UPDATE device SET name = ?, label = ?, profile_id = ?, firmware_id = ?, software_id = ?, body = ?,"
                    " version = version + 1 WHERE id = ?",
                    *(*columns, device_id),
                )
        return device_id

    def _profile_id(self, given: dict[str, Any]) -> str:
        profile_id = ref_id(given.get("deviceProfileId"))
        if profile_id is not None:
            if self._profiles.get(profile_id) is None:
                raise invalid("Device is referencing to non existing device profile!")
            return profile_id
        if given.get("type"):
            row = self._profiles.by_name(given["type"])
            return self._profiles.create_named(given["type"]) if row is None else str(row["id"])
        return str(self._profiles.default()["id"])

    def _unique(self, name: str, separator: str, strategy: str) -> str:
        number = 0
        while True:
            number += 1
            candidate = f"{name}{separator}{number if strategy == 'INCREMENTAL' else tokens.random_name(6)}"
            if self.by_name(candidate) is None:
                return candidate

    def delete(self, device_id: str) -> None:
        """Remove a device with everything that it ever sent."""
        with self._store.unit():
            for table in ("attribute", "latest", "history"):
                self._store.run(f"DELETE FROM {table} WHERE entity_id = ?", device_id)  # noqa: S608  # names from this line
            self._store.run("DELETE FROM device WHERE id = ?", device_id)

    def page(self, link: PageLink, conditions: dict[str, Any], active: bool | None = None, *, infos: bool) -> dict[str, Any]:
        """Return a page of devices, or of DeviceInfos.

        Args:
            link: Which page.
            conditions: Columns (`d.profile_id`, `p.name`) and what they must be; those with None do not count.
            active: Only devices in this state.
            infos: With the fields that ThingsBoard adds in its infos.
        """
        wheres: dict[str, Any] = {f"{column} = ?": value for column, value in conditions.items() if value is not None}
        if active is not None:
            wheres[f"{_ACTIVE} = ?"] = "true" if active else "false"
        return select_page(
            self._store, _SELECT, wheres, link, columns=_SORT, search_column="d.name", show=self.info if infos else self.show
        )

    def many(self, ids: list[str]) -> list[dict[str, Any]]:
        """Return the devices that exist among these ids."""
        return [self.show(row) for row in map(self.get, ids) if row is not None]

    def show(self, row: Row) -> dict[str, Any]:
        """Return ThingsBoard's Device."""
        owner = ref("TENANT", self._tenant_id)
        return {
            "id": ref("DEVICE", row["id"]),
            "createdTime": row["created"],
            "tenantId": owner,
            "customerId": ref("CUSTOMER", NULL_UUID),
            "name": row["name"],
            "type": row["profile_name"],
            "label": row["label"],
            "deviceProfileId": ref("DEVICE_PROFILE", row["profile_id"]),
            "firmwareId": ref("OTA_PACKAGE", row["firmware_id"]),
            "softwareId": ref("OTA_PACKAGE", row["software_id"]),
            "externalId": None,
            "version": row["version"],
            "ownerId": owner,
            **json.loads(row["body"]),
        }

    def info(self, row: Row) -> dict[str, Any]:
        """Return ThingsBoard's DeviceInfo."""
        active = self._store.one(f"SELECT {_ACTIVE} AS active FROM device d WHERE d.id = ?", row["id"])  # noqa: S608
        return {
            **self.show(row),
            "customerTitle": None,
            "customerIsPublic": False,
            "deviceProfileName": row["profile_name"],
            "active": active is not None and active["active"] == "true",
        }
