"""What a settings.toml must say for a board to join its network and to find its server."""

import contextlib
from collections.abc import Mapping

import httpx2

from cota.drive.settings_file import SETTINGS, read_settings
from cota.drive.target import Target
from cota.errors import CotaError
from cota.thingsboard.address import checked_url, is_loopback

SSID, PASSWORD = "CIRCUITPY_WIFI_SSID", "CIRCUITPY_WIFI_PASSWORD"
OLD_SSID, OLD_PASSWORD = "WIFI_SSID", "WIFI_PASSWORD"
URL, PORT, TOKEN = "THINGSBOARD_URL", "THINGSBOARD_PORT", "THINGSBOARD_DEVICE_TOKEN"
_PORTS = {"http": 80, "https": 443}
_HTTP_PORTS = ("80", "8080")  # an address without a scheme means http with these, else https (ota.settings.server)
_WPA_LENGTHS = range(8, 65)  # characters of a password, as wifi.radio.connect takes it


def ssid_of(values: Mapping[str, str]) -> str:
    """Give the network that the board joins; "" where none is set."""
    return values.get(SSID, "").strip() or values.get(OLD_SSID, "").strip()


def password_of(values: Mapping[str, str]) -> str:
    """Give that network's password."""
    return values.get(PASSWORD, "") if values.get(SSID, "").strip() else values.get(OLD_PASSWORD, "")


def check_password(password: str) -> str | None:
    """Say what is wrong with a Wi-Fi password; None where nothing is. An empty one means an open network."""
    if password and len(password) not in _WPA_LENGTHS:
        return f"The Wi-Fi password has {len(password)} characters; WPA has 8 to 64."
    return None


def check_token(token: str) -> str | None:
    """Say what is wrong with a device's access token; None where nothing is. It becomes a part of the addresses that the board asks."""
    if not token.isascii() or not token.isprintable() or any(character in token for character in "/?#% "):
        return "The device's token has a character that no token has."
    return None


def server_of(values: Mapping[str, str]) -> str | None:
    """Give the server's address as the board understands its settings; None where there is none.

    Raises:
        CotaError: It is no address.
    """
    text, port = values.get(URL, "").strip(), values.get(PORT, "").strip()
    if not text:
        return None
    scheme, mark, rest = text.partition("://")
    if not mark:
        rest, scheme = scheme, "http" if port in _HTTP_PORTS else "https"
    host = rest.split("/")[0]
    return str(checked_url(f"{scheme}://{host}:{port}" if port and ":" not in host else f"{scheme}://{host}"))


def server_on(target: Target) -> str | None:
    """Give the server that a drive's settings.toml names; None where it names none, or cannot be read."""
    with contextlib.suppress(CotaError, UnicodeDecodeError):
        return server_of(read_settings((target.read(SETTINGS) or b"").decode("utf-8")).values)
    return None


def server_settings(url: str, there: Mapping[str, str]) -> dict[str, str]:
    """Give the keys that name a server, for a file that holds `there`.

    Raises:
        CotaError: It is no address, or one with a path, which a board does not take.
    """
    parsed = checked_url(url)
    if parsed.path not in ("", "/"):
        raise CotaError(f"{url} has a path, and boards ask a server at its root.", "Give the address without the path.")
    port = str(_port(parsed))
    usual = port == str(_PORTS[parsed.scheme])
    settings = {URL: f"{parsed.scheme}://{parsed.host}"}
    # The usual port is written only where another one would stand in its way.
    return settings if usual and not there.get(PORT) else {**settings, PORT: port}


def _port(url: httpx2.URL) -> int:
    return url.port or _PORTS[url.scheme]


def is_same_server(one: str | None, other: str | None) -> bool:
    """Say whether two addresses mean the same server."""
    if one is None or other is None:
        return one is other
    a, b = checked_url(one), checked_url(other)
    return (a.scheme, a.host, _port(a)) == (b.scheme, b.host, _port(b))


def only_here(url: str) -> bool:
    """Say whether an address means this machine, which a board cannot reach by it."""
    return is_loopback(checked_url(url).host)
