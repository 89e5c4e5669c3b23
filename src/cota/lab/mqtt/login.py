"""Whose connection a CONNECT opens: an access token as user name, or ThingsBoard's MQTT basic credentials."""

import hmac
import json

from cota.lab.data.credentials import Credentials, basic_identity
from cota.lab.data.store import Row
from cota.lab.mqtt import reasons
from cota.lab.mqtt.packets import Connect

# A user name or a client id that asks for a token instead of having one.
PROVISION = "provision"


def device_of(credentials: Credentials, connect: Connect) -> str | None:
    """Return the device's id; None if these credentials are nobody's."""
    user, client = connect.username or "", connect.client_id
    identities = [basic_identity(client, user), user] if user else []
    for identity in [*identities, basic_identity(client)]:
        row = credentials.by_identity(identity)
        if row is not None and _fits(row, identity, connect):
            return str(row["device_id"])
    return None


def _fits(row: Row, identity: str, connect: Connect) -> bool:
    if row["type"] == "ACCESS_TOKEN":
        return identity == connect.username
    if row["type"] != "MQTT_BASIC":
        return False
    stored = json.loads(row["credentials_value"])
    given = {
        "clientId": connect.client_id,
        "userName": connect.username or "",
        "password": (connect.password or b"").decode(errors="replace"),
    }
    # What is stored empty is not checked, as on ThingsBoard.
    return all(hmac.compare_digest(str(stored.get(name) or value).encode(), value.encode()) for name, value in given.items())


def refusal(connect: Connect) -> int:
    """Return the reason that ThingsBoard refuses a CONNECT of nobody with: it depends on what was given, not on what is wrong."""
    nothing = connect.username is None and connect.password is None
    return reasons.CLIENT_ID_NOT_VALID if nothing else reasons.BAD_USER_NAME_OR_PASSWORD
