"""Who a board is to its server: its device there, found or made."""

from dataclasses import dataclass, field

from cota.drive.target import RefusedError
from cota.thingsboard import Client, Json, ThingsBoardError, id_of


@dataclass(frozen=True)
class Device:
    """A device in ThingsBoard.

    Attributes:
        name: Its name.
        profile: Its profile's name.
        created: Whether it was made now.
        token: What the board signs in with.
    """

    name: str
    profile: str
    created: bool
    token: str = field(repr=False)


def find_or_make(client: Client, name: str, profile: str | None, *, make_profile: bool = False) -> Device:
    """Find the device of this name, or make it.

    Args:
        client: Signed in as a tenant administrator.
        name: The device's name.
        profile: Its profile's name; None leaves a device where it is, and a new one gets the tenant's default.
        make_profile: Make the profile where there is none of its name.

    Raises:
        RefusedError: There is no such profile, or the device is of another one.
        ThingsBoardError: The server refused or was not reached.
    """
    wanted = _profile(client, profile, make_profile)
    found = client.devices.find(name)
    if found is None:
        try:
            made = client.devices.create(name, profile_id=None if wanted is None else id_of(wanted))
        except ThingsBoardError:
            found = client.devices.find(name)  # somebody else made it at the same time
            if found is None:
                raise
        else:
            return Device(name, str(made.get("type", "")), True, client.devices.token(id_of(made)))
    if wanted is not None and found["deviceProfileId"]["id"] != id_of(wanted):
        raise RefusedError(
            f"The device {name} is of the profile {found.get('type')}, not of {profile}.",
            "Leave --profile out, name another --device, or change the profile in ThingsBoard.",
        )
    return Device(name, str(found.get("type", "")), False, client.devices.token(id_of(found)))


def check_profile(client: Client, profile: str | None, make_profile: bool) -> None:
    """Fail where `find_or_make` would for want of the profile; nothing is made."""
    if profile is not None and not make_profile and client.profiles.find(profile) is None:
        raise RefusedError(f"{client.url} has no device profile {profile!r}.", "Check the name, or let --create-profile make it.")


def _profile(client: Client, name: str | None, make: bool) -> Json | None:
    check_profile(client, name, make)
    if name is None:
        return None
    return client.profiles.find(name) or client.profiles.create(name, description="Boards with cOTA")
