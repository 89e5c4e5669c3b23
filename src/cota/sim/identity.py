"""Who a simulated board is to its server: the ways to come by a device's access token."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx2

from cota.errors import CotaError
from cota.thingsboard.address import checked_url
from cota.thingsboard.client import Client
from cota.thingsboard.session import id_of

# Name of a board -> its device's access token.
TokenSource = Callable[[str], str]

_TIMEOUT_SECONDS = 30.0
# What a server answers beside SUCCESS -> what to say and do (ThingsBoard's device provisioning).
_REFUSALS = {
    "NOT_FOUND": (
        "does not know this provisioning key and secret",
        "Compare both with the device profile, and that provisioning is on there.",
    ),
    "FAILURE": ("does not provision a device of this name", "If the name is taken, choose another --prefix or delete that device."),
}


def given(names: Sequence[str], tokens: Sequence[str]) -> TokenSource:
    """Hand out the tokens that were given, in the order of the boards.

    Raises:
        CotaError: there are not as many tokens as boards.
    """
    if len(names) != len(tokens):
        raise CotaError(f"{len(names)} boards need {len(names)} tokens; {len(tokens)} came.", "Give --token once for each board.")
    return dict(zip(names, tokens, strict=True)).__getitem__


def provisioned(server: str, key: str, secret: str) -> TokenSource:
    """Let each board make its own device by ThingsBoard's device provisioning over HTTP."""
    address = str(checked_url(server)).rstrip("/") + "/api/v1/provision"

    def token(name: str) -> str:
        body = {"deviceName": name, "provisionDeviceKey": key, "provisionDeviceSecret": secret}
        try:
            response = httpx2.post(address, json=body, timeout=_TIMEOUT_SECONDS)
        except httpx2.HTTPError as error:
            raise CotaError(f"{server} cannot be reached: {error}.", "Check --server, and that the server runs.") from None
        answer = _json(response)
        if answer.get("status") == "SUCCESS" and isinstance(answer.get("credentialsValue"), str):
            return str(answer["credentialsValue"])
        what, hint = _REFUSALS.get(
            str(answer.get("status")),
            (f"answered {response.status_code} to the provisioning of a device", "Check that it is a ThingsBoard server."),
        )
        raise CotaError(f"{server} {what}: {name}.", hint)

    return token


def _json(response: httpx2.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def administered(client: Client) -> TokenSource:
    """Find each board's device as an administrator, or make it."""

    def token(name: str) -> str:
        device = client.devices.find(name) or client.devices.create(name)
        return client.devices.token(id_of(device))

    return token
