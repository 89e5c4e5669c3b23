"""Device profiles: what devices of one kind have in common, with the package that they shall run."""

import json
from typing import Any

from cota.lab.clock import now_ms
from cota.lab.data.store import Row, Store
from cota.lab.errors import invalid, not_found, stale
from cota.lab.ids import new_id, ref, ref_id
from cota.lab.rest.paging import PageLink, select_page

# Columns of their own; everything else of a profile is kept as it came, also fields that a newer ThingsBoard adds.
_MANAGED = frozenset({"id", "createdTime", "tenantId", "name", "default", "firmwareId", "softwareId", "version", "provisionType"})
_SORT = {"createdTime": "created", "name": "name", "isDefault": "is_default"}
_DEFAULT_DATA = {"configuration": {"type": "DEFAULT"}, "transportConfiguration": {"type": "DEFAULT"}, "alarms": None}
_OPTIONAL = (
    *("description", "image", "defaultRuleChainId", "defaultDashboardId", "defaultQueueName"),
    *("defaultEdgeRuleChainId", "externalId"),
)
PROVISION_TYPES = ("DISABLED", "ALLOW_CREATE_NEW_DEVICES", "CHECK_PRE_PROVISIONED_DEVICES", "X509_CERTIFICATE_CHAIN")


class Profiles:
    """The table of device profiles."""

    def __init__(self, store: Store, tenant_id: str) -> None:
        self._store, self._tenant_id = store, tenant_id
        if self._store.one("SELECT 1 FROM profile WHERE is_default") is None:
            with store.unit():
                profile_id = self.create_named("default", description="Default device profile")
                store.run("UPDATE profile SET is_default = 1 WHERE id = ?", profile_id)

    def get(self, profile_id: str) -> Row | None:
        """Return a profile's row."""
        return self._store.one("SELECT * FROM profile WHERE id = ?", profile_id)

    def need(self, profile_id: str) -> Row:
        """Return a profile's row.

        Raises:
            ApiError: 404.
        """
        row = self.get(profile_id)
        if row is None:
            raise not_found(f"Device profile with id [{profile_id}] is not found")
        return row

    def by_name(self, name: str) -> Row | None:
        """Return the profile of this name."""
        return self._store.one("SELECT * FROM profile WHERE name = ?", name)

    def by_provision_key(self, key: str) -> Row | None:
        """Return the profile whose devices may provision themselves with this key."""
        return self._store.one("SELECT * FROM profile WHERE provision_key = ?", key)

    def default(self) -> Row:
        """Return the default profile; there is always one."""
        row = self._store.one("SELECT * FROM profile WHERE is_default")
        if row is None:
            raise not_found("Default device profile is not found")
        return row

    def create_named(self, name: str, description: str = "") -> str:
        """Make a profile of defaults, as ThingsBoard does for a device of an unknown type."""
        return self.save({"name": name, "type": "DEFAULT", "transportType": "DEFAULT", "description": description})

    def save(self, given: dict[str, Any]) -> str:
        """Create or replace a profile and return its id; who runs what is ota.py's business.

        Raises:
            ApiError: It is not valid, unknown or stale.
        """
        profile_id = ref_id(given.get("id"))
        old = self.need(profile_id) if profile_id else None
        if old is not None and given.get("version") is not None and given["version"] != old["version"]:
            raise stale("Device profile")
        name = given.get("name")
        if not isinstance(name, str) or not name.strip():
            raise invalid("Device profile name should be specified!")
        if len(name) > 255:
            raise invalid("Validation error: name length must be equal or less than 255")
        if not given.get("type"):
            raise invalid("Device profile type should be specified!")
        if not given.get("transportType"):
            raise invalid("Device profile transport type should be specified!")
        provision_type, key, secret = _provisioning(given)
        same_name, same_key = self.by_name(name), self.by_provision_key(key) if key else None
        if same_name is not None and same_name["id"] != profile_id:
            raise invalid("Device profile with such name already exists!")
        if same_key is not None and same_key["id"] != profile_id:
            raise invalid("Device profile with such provision device key already exists!")
        if given.get("default") and (old is None or not old["is_default"]) and self._store.one("SELECT 1 FROM profile WHERE is_default"):
            raise invalid("Another default device profile is present!")
        body = json.dumps({field: value for field, value in given.items() if field not in _MANAGED})
        columns = (name, ref_id(given.get("firmwareId")), ref_id(given.get("softwareId")), provision_type, key, secret, body)
        with self._store.unit():
            if profile_id is None:
                profile_id = new_id()
                self._store.run(
                    "INSERT INTO profile (name, firmware_id, software_id, provision_type, provision_key, provision_secret, body,"
                    " id, created, is_default, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1)",
                    *(*columns, profile_id, now_ms()),
                )
            else:
                self._store.run(
                    "UPDATE profile SET name = ?, firmware_id = ?, software_id = ?, provision_type = ?, provision_key = ?,"
                    " provision_secret = ?, body = ?, version = version + 1 WHERE id = ?",
                    *(*columns, profile_id),
                )
        return profile_id

    def set_default(self, profile_id: str) -> None:
        """Make this the profile of devices that name none."""
        with self._store.unit():
            self._store.run("UPDATE profile SET is_default = 0, version = version + 1 WHERE is_default AND id <> ?", profile_id)
            self._store.run("UPDATE profile SET is_default = 1, version = version + 1 WHERE id = ?", profile_id)

    def delete(self, profile_id: str) -> None:
        """Remove a profile, and its packages with it.

        Raises:
            ApiError: It is the default one, or devices have it.
        """
        if self.need(profile_id)["is_default"]:
            raise invalid("Deletion of Default Device Profile is prohibited!")
        if self._store.one("SELECT 1 FROM device WHERE profile_id = ?", profile_id):
            raise invalid("The device profile referenced by the devices cannot be deleted!")
        with self._store.unit():
            self._store.run("DELETE FROM profile WHERE id = ?", profile_id)

    def page(self, link: PageLink, *, infos: bool) -> dict[str, Any]:
        """Return a page of profiles, whole or as infos."""
        return select_page(
            self._store, "SELECT * FROM profile", {}, link, columns=_SORT, search_column="name", show=self.info if infos else self.show
        )

    def info(self, row: Row) -> dict[str, Any]:
        """Return ThingsBoard's DeviceProfileInfo."""
        whole = self.show(row)
        names = ("id", "name", "image", "defaultDashboardId", "type", "transportType", "tenantId")
        return {name: whole[name] for name in names}

    def show(self, row: Row) -> dict[str, Any]:
        """Return ThingsBoard's DeviceProfile."""
        body = json.loads(row["body"])
        data = {**_DEFAULT_DATA, **(body.get("profileData") or {})}
        data["provisionConfiguration"] = {"type": row["provision_type"], "provisionDeviceSecret": row["provision_secret"]}
        return {
            **dict.fromkeys(_OPTIONAL),
            **body,
            "id": ref("DEVICE_PROFILE", row["id"]),
            "createdTime": row["created"],
            "tenantId": ref("TENANT", self._tenant_id),
            "name": row["name"],
            "provisionType": row["provision_type"],
            "provisionDeviceKey": row["provision_key"],
            "profileData": data,
            "firmwareId": ref("OTA_PACKAGE", row["firmware_id"]),
            "softwareId": ref("OTA_PACKAGE", row["software_id"]),
            "default": bool(row["is_default"]),
            "version": row["version"],
        }


def _provisioning(given: dict[str, Any]) -> tuple[str, str | None, str | None]:
    data = given.get("profileData")
    configuration = data.get("provisionConfiguration") if isinstance(data, dict) else None
    configuration = configuration if isinstance(configuration, dict) else {}
    kind = given.get("provisionType") or configuration.get("type") or "DISABLED"
    if kind not in PROVISION_TYPES:
        raise invalid(f"No enum constant org.thingsboard.server.common.data.DeviceProfileProvisionType.{kind}")
    key, secret = given.get("provisionDeviceKey"), configuration.get("provisionDeviceSecret")
    return kind, key if isinstance(key, str) and key else None, secret if isinstance(secret, str) and secret else None
