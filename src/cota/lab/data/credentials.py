"""The credentials that devices open their API with."""

import hashlib
import json
from typing import Any

from cota.lab import tokens
from cota.lab.clock import now_ms
from cota.lab.data.store import Row, Store
from cota.lab.errors import invalid, not_found
from cota.lab.ids import new_id, ref, ref_id

TYPES = ("ACCESS_TOKEN", "MQTT_BASIC", "X509_CERTIFICATE", "LWM2M_CREDENTIALS")


class Credentials:
    """The table of credentials; every device has one row."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def device_by_token(self, token: str) -> str | None:
        """Return whose access token this is; credentials of other types open nothing over HTTP."""
        row = self._store.one("SELECT device_id FROM credentials WHERE credentials_id = ? AND type = 'ACCESS_TOKEN'", token)
        return None if row is None else str(row["device_id"])

    def by_identity(self, identity: str) -> Row | None:
        """Return the credentials that are looked up by this text, whatever their type."""
        return self._store.one("SELECT * FROM credentials WHERE credentials_id = ?", identity)

    def of(self, device_id: str) -> Row:
        """Return a device's credentials; every device has them."""
        row = self._store.one("SELECT * FROM credentials WHERE device_id = ?", device_id)
        if row is None:
            raise not_found()
        return row

    def create(self, device_id: str, kind: str = "ACCESS_TOKEN", token: str | None = None, value: str | None = None) -> Row:
        """Give a new device its credentials; a random token where none is given.

        Raises:
            ApiError: They make no sense, or another device has them.
        """
        identity = self._identity(kind, token if token is not None or kind != "ACCESS_TOKEN" else tokens.random_name(), value, device_id)
        columns = (new_id(), now_ms(), device_id, kind, identity, value)
        with self._store.unit():
            self._store.run("INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?, 1)", *columns)
        return self.of(device_id)

    def update(self, given: dict[str, Any]) -> Row:
        """Replace a device's credentials.

        Raises:
            ApiError: They make no sense, belong to no device, or another device has them.
        """
        device_id = ref_id(given.get("deviceId"))
        if device_id is None:
            raise invalid("Device credentials should be assigned to device!")
        if self._store.one("SELECT 1 FROM device WHERE id = ?", device_id) is None:
            raise invalid("Can't assign device credentials to non-existent device!")
        old, kind, value = self.of(device_id), given.get("credentialsType"), given.get("credentialsValue")
        if not kind:
            raise invalid("Device credentials type should be specified!")
        given_id = ref_id(given.get("id"))
        if given_id is not None and given_id != old["id"]:
            raise invalid("Unable to update non-existent device credentials!")
        identity = self._identity(kind, given.get("credentialsId"), value, device_id)
        with self._store.unit():
            self._store.run(
                "UPDATE credentials SET type = ?, credentials_id = ?, credentials_value = ?, version = version + 1 WHERE device_id = ?",
                *(kind, identity, value, device_id),
            )
        return self.of(device_id)

    def _identity(self, kind: str, token: Any, value: Any, device_id: str) -> str:
        if kind not in TYPES:
            raise invalid(f"No enum constant org.thingsboard.server.common.data.security.DeviceCredentialsType.{kind}")
        if value is not None and not isinstance(value, str):
            raise invalid("Device credentials value should be text!")
        if kind == "MQTT_BASIC":
            token = _basic_identity(value)
        if not isinstance(token, str) or not token:
            raise invalid("Device credentials id should be specified!")
        other = self._store.one("SELECT device_id FROM credentials WHERE credentials_id = ?", token)
        if other is not None and other["device_id"] != device_id:
            raise invalid("Device credentials are already assigned to another device!")
        return token

    def show(self, row: Row) -> dict[str, Any]:
        """Return ThingsBoard's DeviceCredentials."""
        return {
            "id": {"id": row["id"]},
            "createdTime": row["created"],
            "deviceId": ref("DEVICE", row["device_id"]),
            "credentialsType": row["type"],
            "credentialsId": row["credentials_id"],
            "credentialsValue": row["credentials_value"],
            "version": row["version"],
        }


def _basic_identity(value: Any) -> str:
    """Return what MQTT basic credentials are looked up by: a hash of client id and user name, or the user name alone."""
    try:
        basic = json.loads(value)
        client, user = basic.get("clientId") or "", basic.get("userName") or ""
    except (TypeError, ValueError, AttributeError):
        raise invalid("Incorrect device credentials value") from None
    if not client and not user:
        raise invalid("Both mqtt client id and user name are empty!")
    return str(user) if not client else basic_identity(str(client), str(user))


def basic_identity(client: str, user: str = "") -> str:
    """Return the hash that MQTT basic credentials with a client id are looked up by."""
    return hashlib.sha3_256(f"{client}|{user}".encode() if user else client.encode()).hexdigest()
