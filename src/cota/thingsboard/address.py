"""The address of a server, as a person gives it."""

import contextlib
import ipaddress
import re

import httpx2

from cota.errors import CotaError

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


def checked_url(url: str) -> httpx2.URL:
    """Give an address as a URL without a slash at the end.

    Raises:
        CotaError: It is none, or it holds what must stand apart from it.
    """
    hint = "Write it as http://host:port or https://host."
    try:
        parsed = httpx2.URL(url.strip().rstrip("/"))
    except httpx2.InvalidURL as error:
        # Its words repeat the address, which may hold a password.
        raise CotaError("The server's address is not a URL.", hint) from error
    if "@" in url:
        raise CotaError("The server's address holds a user name or password.", "Give them apart from the address.")
    is_host = _is_host(parsed.raw_host.decode("ascii")) and (parsed.port is None or 0 < parsed.port < 65536)
    if parsed.scheme not in ("http", "https") or not is_host or parsed.query or parsed.fragment:
        raise CotaError(f"{url!r} is not the address of a server.", hint)
    return parsed


def _is_host(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host.strip("[]"))
        return True
    return _NAME.fullmatch(host) is not None


def is_loopback(host: str) -> bool:
    """Say whether a host's name or number means this machine."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost" or host.endswith(".localhost")
