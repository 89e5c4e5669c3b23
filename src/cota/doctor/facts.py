"""What the checks have found out, for those that come after them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cota.config import Access
from cota.doctor.net import Net
from cota.drive.target import Target
from cota.thingsboard import Client

SHARED_KEYS = ("fw_title", "fw_version", "fw_url", "fw_size", "cota_retry")


@dataclass
class Facts:
    """The board as far as it is known.

    Attributes:
        target: Its drive; None where only a device was named.
        access: The operator's way to the server; None where no credentials are known.
        device_name: The device's name; "" where it is not known.
        named: Whether the user said that name.
        settings: What its settings.toml says; None where it was not read.
        server: The server's address; None where it is not known.
        token: The device's access token; "" where it is not known.
        device: The device as the server has it; None where it was not read.
        shared: The shared attributes that the board sees; None where they were not read.
        client: The client attributes that the board sent.
        token_works: Whether the server took the token; None where it was not tried.
        net: The checks' requests.
        remaining: Calls of the Git host's API that are left to this machine's address; None where it does not say.
    """

    target: Target | None = None
    access: Access | None = None
    device_name: str = ""
    named: bool = False
    settings: Mapping[str, str] | None = None
    server: str | None = None
    token: str = ""
    device: dict[str, Any] | None = None
    shared: dict[str, Any] | None = None
    client: dict[str, Any] = field(default_factory=dict)
    token_works: bool | None = None
    remaining: int | None = None

    net: Net = field(default_factory=Net)
    _client: Client | None = None

    def operator(self) -> Client | None:
        """Give the operator's client, one for all checks; None where no credentials are known."""
        if self._client is None and self.access is not None:
            self._client = self.access.client()
        return self._client

    def close(self) -> None:
        """Close all connections."""
        self.net.close()
        if self._client is not None:
            self._client.close()

    def secrets(self) -> list[str]:
        """What must not be shown."""
        told = [] if self.settings is None else [value for key, value in self.settings.items() if "PASSWORD" in key or "TOKEN" in key]
        own = [] if self.access is None else [self.access.password or "", self.access.api_key or "", self.access.refresh_token or ""]
        return sorted({self.token, *told, *own}, key=len, reverse=True)
