"""Devices that make themselves known: ThingsBoard's device provisioning over HTTP."""

import hmac
from typing import Any

from cota.lab import tokens
from cota.lab.clock import now_ms
from cota.lab.core import Core
from cota.lab.data.attributes import SERVER
from cota.lab.data.store import Row
from cota.lab.data.values import decode, encode
from cota.lab.errors import ApiError
from cota.lab.ota import Assignment

_NOT_FOUND = {"errorMsg": "Provision data was not found!", "status": "NOT_FOUND"}
_FAILURE = {"errorMsg": "Failed to provision device!", "status": "FAILURE"}


def provision(core: Core, given: Any) -> dict[str, Any]:
    """Provision a device as its profile's strategy allows, and return the answer's body.

    Raises:
        ApiError: 500: key or secret is missing from the request.
    """
    fields = given if isinstance(given, dict) else {}
    key, secret = fields.get("provisionDeviceKey"), fields.get("provisionDeviceSecret")
    for name, text in (("provisionDeviceKey", key), ("provisionDeviceSecret", secret)):
        if not isinstance(text, str):
            raise ApiError(500, 2, f"Failed to provision device: {name} is missing")
    profile = core.profiles.by_provision_key(str(key))
    if profile is None or not hmac.compare_digest((profile["provision_secret"] or "").encode(), str(secret).encode()):
        return _NOT_FOUND
    strategy = _STRATEGIES.get(profile["provision_type"])
    if strategy is None or not profile["provision_secret"]:
        return _NOT_FOUND
    try:
        with core.store.unit():
            credentials = strategy(core, profile, fields)
    except ApiError:
        return _FAILURE
    if credentials is None:
        return _FAILURE
    value: Any = credentials["credentials_id"]
    if credentials["type"] != "ACCESS_TOKEN":
        value = decode(credentials["credentials_value"]) if credentials["type"] == "MQTT_BASIC" else credentials["credentials_value"]
    return {"credentialsValue": value, "credentialsType": credentials["type"], "status": "SUCCESS"}


def _create(core: Core, profile: Row, fields: dict[str, Any]) -> Row | None:
    name = fields.get("deviceName") or tokens.random_name()
    if not isinstance(name, str) or core.devices.by_name(name) is not None:
        return None
    extra = {"gateway": True} if fields.get("gateway") is True else None
    device_id = core.devices.save({"name": name, "deviceProfileId": profile["id"], "additionalInfo": extra})
    kind = fields.get("credentialsType") or "ACCESS_TOKEN"
    if kind == "MQTT_BASIC":
        basic = {"clientId": fields.get("clientId"), "userName": fields.get("username"), "password": fields.get("password")}
        core.credentials.create(device_id, kind, None, encode(basic))
    elif kind == "X509_CERTIFICATE":
        core.credentials.create(device_id, kind, fields.get("hash"), fields.get("hash"))
    else:
        core.credentials.create(device_id, kind, fields.get("token"))
    core.activity.created(device_id)
    core.ota.device_saved(device_id, Assignment(None, None))
    return _provisioned(core, device_id)


def _pre_provisioned(core: Core, profile: Row, fields: dict[str, Any]) -> Row | None:
    device = core.devices.by_name(str(fields.get("deviceName")))
    if device is None or device["profile_id"] != profile["id"]:
        return None
    if core.attributes.values(device["id"], SERVER, ["provisionState"]).get("provisionState") == "provisioned":
        return None
    return _provisioned(core, device["id"])


def _provisioned(core: Core, device_id: str) -> Row:
    core.attributes.save(device_id, SERVER, [("provisionState", encode("provisioned"))], now_ms())
    return core.credentials.of(device_id)


_STRATEGIES = {"ALLOW_CREATE_NEW_DEVICES": _create, "CHECK_PRE_PROVISIONED_DEVICES": _pre_provisioned}
