"""ThingsBoard's device provisioning over HTTP: a device makes itself known with the key and secret of its profile, without an operator."""

import httpx2

from cota.errors import AnswerIsNoError
from cota.thingsboard.address import checked_url, is_loopback
from cota.thingsboard.errors import fields_of, not_reached, refused

_PATH = "/api/v1/provision"
_TIMEOUT_SECONDS = 30.0
# What a server answers beside SUCCESS -> what it means, and what to do. It tells no more than these two words.
_REFUSALS = {
    "NOT_FOUND": (
        "does not know this provisioning key and secret",
        "Compare both with the device profile, Device provisioning; the strategy there must not be Disabled.",
    ),
    "FAILURE": (
        "does not provision a device of this name",
        "With the strategy `Allow to create new devices` the name is taken: delete that device, or give another name. With `Check for "
        "pre-provisioned devices` a device of this name and of the key's profile has to be there, and is provisioned once: delete its "
        "server attribute provisionState to do it again.",
    ),
}


class ProvisionError(AnswerIsNoError):
    """The server does not provision this device.

    Attributes:
        status: What it said: "NOT_FOUND", "FAILURE", or what credentials it gave in place of an access token.
    """

    def __init__(self, message: str, hint: str, status: str) -> None:
        super().__init__(message, hint)
        self.status = status


def provision(url: str, key: str, secret: str, name: str, token: str | None = None) -> str:
    """Make a device, or take the one that was made for it, and give its access token (POST /api/v1/provision).

    Args:
        url: The server's address.
        key: The profile's provisionDeviceKey.
        secret: Its provisionDeviceSecret.
        name: The device's name.
        token: The token that a new device shall have; None lets the server make one up. A device that was there keeps its own.

    Raises:
        ProvisionError: The server says no.
        ThingsBoardError: It is not reached, or answers otherwise than ThingsBoard.
    """
    parsed = checked_url(url)
    server = str(parsed)
    body = {"deviceName": name, "provisionDeviceKey": key, "provisionDeviceSecret": secret}
    if token is not None:
        body |= {"credentialsType": "ACCESS_TOKEN", "token": token}
    try:
        with _http(parsed) as http:
            response = http.post(server + _PATH, json=body)
    except httpx2.HTTPError as error:
        raise not_reached(server, f"POST {_PATH}", error, _TIMEOUT_SECONDS, str(error).replace(secret, "***")) from error
    try:
        answer = response.json()
    except ValueError:
        answer = None
    status = str(answer.get("status")) if isinstance(answer, dict) else ""
    if status in _REFUSALS:
        what, hint = _REFUSALS[status]
        raise ProvisionError(f"{server} {what}{': ' + name if status == 'FAILURE' else ''}.", hint, status)
    if not response.is_success or status != "SUCCESS":
        message, code = fields_of(response)
        raise refused(server, f"POST {_PATH}", response.status_code, message.replace(secret, "***"), code)
    kind, value = answer.get("credentialsType"), answer.get("credentialsValue")
    if kind != "ACCESS_TOKEN" or not isinstance(value, str):
        raise ProvisionError(
            f"The device {name} signs in with {kind}, and boards sign in with an access token.",
            "Give it one in ThingsBoard: the device, Manage credentials, Access token.",
            str(kind),
        )
    return value


def is_known(url: str, token: str) -> bool:
    """Whether the server knows a device of this token (GET /api/v1/{token}/attributes); not, where it does not answer."""
    parsed = checked_url(url)
    try:
        with _http(parsed) as http:
            return http.get(f"{parsed}/api/v1/{token}/attributes", params={"sharedKeys": "fw_title"}).status_code == httpx2.codes.OK
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return False  # what asks next tells why


def _http(url: httpx2.URL) -> httpx2.Client:
    return httpx2.Client(timeout=_TIMEOUT_SECONDS, trust_env=not is_loopback(url.host))
