"""Who a board is to its server: its device there, found, made or provisioned."""

import re
import secrets
from dataclasses import dataclass, field
from typing import Protocol

from cota.drive.plan import TICKET
from cota.drive.target import RefusedError, Target
from cota.thingsboard import Client, Json, ThingsBoardError, id_of
from cota.thingsboard.provisioning import ProvisionError, is_known, provision

_TOKEN_BYTES, _TOKEN_LENGTH = 15, 20  # as long as ThingsBoard's own, in base 64


@dataclass(frozen=True)
class Device:
    """A device in ThingsBoard.

    Attributes:
        name: Its name.
        profile: Its profile's name; "" where it is not known.
        created: Whether it was made now.
        token: What the board signs in with.
        said: How it was come by, for people.
    """

    name: str
    profile: str
    created: bool
    token: str = field(repr=False)
    said: str = ""


class Maker(Protocol):
    """A way for a board to come by its device."""

    @property
    def url(self) -> str:
        """The server's address."""
        ...

    def make(self, target: Target) -> Device:
        """Find or make the device of the board of this drive."""
        ...


@dataclass(frozen=True)
class Administered:
    """An operator finds the device, or makes it.

    Attributes:
        client: Signed in as a tenant administrator.
        name: The device's name.
        profile: Its profile's name; None leaves a device where it is, and a new one gets the tenant's default.
        make_profile: Make the profile where there is none of its name.
    """

    client: Client
    name: str
    profile: str | None
    make_profile: bool = False

    @property
    def url(self) -> str:
        """The server's address."""
        return self.client.url

    def make(self, target: Target) -> Device:
        """Find the device of this name, or make it; the drive is not asked.

        Raises:
            RefusedError: There is no such profile, or the device is of another one.
            ThingsBoardError: The server refused or was not reached.
        """
        devices = self.client.devices
        wanted = _profile(self.client, self.profile, self.make_profile)
        found = devices.find(self.name)
        if found is None:
            try:
                made = devices.create(self.name, profile_id=None if wanted is None else id_of(wanted))
            except ThingsBoardError:
                found = devices.find(self.name)  # somebody else made it at the same time
                if found is None:
                    raise
            else:
                return _told(self.client, made, created=True)
        if wanted is not None and found["deviceProfileId"]["id"] != id_of(wanted):
            raise RefusedError(
                f"The device {self.name} is of the profile {found.get('type')}, not of {self.profile}.",
                "Leave --profile out, name another --device, or change the profile in ThingsBoard.",
            )
        return _told(self.client, found, created=False)


def _told(client: Client, device: Json, *, created: bool) -> Device:
    name, profile = str(device["name"]), str(device.get("type", ""))
    said = f"{'Made' if created else 'Found'} the device {name} of the profile {profile} on {client.url}."
    return Device(name, profile, created, client.devices.token(id_of(device)), said)


def check_profile(client: Client, profile: str | None, make_profile: bool) -> None:
    """Fail where `Administered.make` would for want of the profile; nothing is made."""
    if profile is not None and not make_profile and client.profiles.find(profile) is None:
        raise RefusedError(f"{client.url} has no device profile {profile!r}.", "Check the name, or let --create-profile make it.")


def _profile(client: Client, name: str | None, make: bool) -> Json | None:
    check_profile(client, name, make)
    if name is None:
        return None
    return client.profiles.find(name) or client.profiles.create(name, description="Boards with cOTA")


@dataclass(frozen=True)
class Provisioned:
    """The board makes its own device with its profile's provisioning key, and no operator signs in.

    A server provisions a name once. So the token is chosen here and lies on the drive before the server is asked: whatever breaks then,
    the answer on its way or the cable, the same command finds it there and goes on.

    Attributes:
        url: The server's address.
        key: The profile's provisioning key.
        secret: Its secret.
        name: The device's name.
        own_token: The token that the board has for this server; "" where it has none.
    """

    url: str
    key: str
    secret: str = field(repr=False)
    name: str
    own_token: str = field(repr=False, default="")

    def make(self, target: Target) -> Device:
        """Provision the device; one that the board has already is kept.

        Raises:
            ProvisionError: The server says no; nothing is left on the drive.
            ThingsBoardError: It is not reached, or answers otherwise than ThingsBoard.
            DriveError: The drive failed.
        """
        if self.own_token and is_known(self.url, self.own_token):
            return Device(self.name, "", False, self.own_token, f"{self.url} knows this board by its token already; it stays that device.")
        ticket = _ticket(target)
        token = ticket or secrets.token_urlsafe(_TOKEN_BYTES)
        if not ticket:
            target.write(TICKET, token.encode())
        try:
            token = provision(self.url, self.key, self.secret, self.name, token)
        except ProvisionError:
            # A name that is taken may be taken by this board, an attempt ago.
            if not ticket or not is_known(self.url, ticket):
                target.remove(TICKET)
                raise
        return Device(self.name, "", True, token, f"Provisioned the device {self.name} on {self.url}.")


def _ticket(target: Target) -> str:
    data = target.read(TICKET) or b""
    text = data.decode("ascii", "replace")
    # A cable that was pulled out meanwhile leaves a shorter one, which no server has seen.
    return text if re.fullmatch(f"[A-Za-z0-9_-]{{{_TOKEN_LENGTH}}}", text) else ""
