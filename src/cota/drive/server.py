"""The operator's access to the server. The one place that says where address and credentials come from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cota.errors import CotaError
from cota.thingsboard import Client
from cota.thingsboard.address import checked_url

_HOW = "Set COTA_URL and COTA_API_KEY, or COTA_URL, COTA_USERNAME and COTA_PASSWORD."


@dataclass(frozen=True)
class Access:
    """A server's address and a way to sign in there.

    Attributes:
        url: Its address.
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    def client(self) -> Client:
        """Give a client; nothing is sent before its first call."""
        return Client(self.url, username=self.username, password=self.password, api_key=self.api_key)


def find_access(url: str | None = None, environ: Mapping[str, str] | None = None) -> Access | None:
    """Give the operator's access; None where no credentials are known.

    Args:
        url: The server's address; None means COTA_URL.
        environ: The environment; None is the process's own.

    Raises:
        CotaError: Credentials are there and no address, or the address is none.
    """
    env = os.environ if environ is None else environ
    username, password, api_key = (env.get(name) or None for name in ("COTA_USERNAME", "COTA_PASSWORD", "COTA_API_KEY"))
    if not api_key and not (username and password):
        return None
    address = url or env.get("COTA_URL")
    if not address:
        raise CotaError("It is not known which server is meant.", _HOW)
    return Access(str(checked_url(address)), username, password, api_key)


def need_access(url: str | None = None) -> Access:
    """Give the operator's access.

    Raises:
        CotaError: None is known.
    """
    found = find_access(url)
    if found is None:
        raise CotaError("It is not known how to sign in to the server.", _HOW)
    return found
