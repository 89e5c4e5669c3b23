"""Whom a release is for, and giving it to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cota.errors import AnswerIsNoError, CotaError
from cota.thingsboard import Client, Json, ThingsBoardError, id_of
from cota.thingsboard.users import package_of

# Versions that an error lists, the newest.
_SHOWN_VERSIONS = 10


@dataclass(frozen=True)
class Target:
    """Whom a release is for.

    Attributes:
        profile: The device profile, whole; a package serves one.
        devices: The devices that are meant one by one; None means the whole profile.
    """

    profile: Json
    devices: tuple[Json, ...] | None


def find_target(client: Client, profile: str | None, devices: Sequence[str]) -> Target:
    """Find whom a release is for.

    Args:
        client: The server.
        profile: Name of a device profile; None takes that of the devices, or the only one that there is.
        devices: Names of devices, all of one profile; empty means the whole profile.

    Raises:
        CotaError: Nothing is named, and there is more than one profile.
        AnswerIsNoError: A device or the profile does not exist, or the devices have several profiles.
    """
    found = tuple(client.devices.need(name) for name in dict.fromkeys(devices))
    if found:
        ids = {device["deviceProfileId"]["id"]: device for device in found}
        if len(ids) > 1:
            kinds = ", ".join(f"{device['name']} has {device['type']}" for device in ids.values())
            raise AnswerIsNoError(
                f"A package serves one device profile, and these devices have several: {kinds}.", "Publish for each apart."
            )
        own = client.profiles.get(next(iter(ids)))
        if profile is not None and own["name"] != profile:
            raise AnswerIsNoError(f"{found[0]['name']} has the device profile {own['name']!r}, not {profile!r}.", "Leave --profile out.")
        return Target(own, found)
    if profile is not None:
        return Target(client.profiles.need(profile), None)
    profiles = client.profiles.list()
    if len(profiles) != 1:
        names = ", ".join(str(one["name"]) for one in profiles)
        raise CotaError("It is not said whom this is for.", f"--profile NAME or --device NAME says it. Profiles are: {names}.")
    return Target(profiles[0], None)


def need_package(client: Client, title: str, version: str) -> Json:
    """Find the package of a release.

    Raises:
        AnswerIsNoError: There is none; the message names the versions that there are of the title.
    """
    found = client.packages.find(title, version)
    if found is None:
        others = [str(one["version"]) for one in client.packages.list(title) if one["title"] == title]
        hint = f"Of {title} it has: {', '.join(others[-_SHOWN_VERSIONS:])}." if others else "`cota packages` lists what there is."
        raise AnswerIsNoError(f"{client.url} has no package {title} {version}.", hint)
    return found


def assign(client: Client, package: Json | None, target: Target) -> list[dict[str, Any]]:
    """Give a release to whom it is for, or take theirs away; what is so already is left alone.

    Args:
        client: The server.
        package: The package; None takes away.
        target: Whom it is for.

    Returns:
        What happened to the profile, or to each device: `{"profile": …, "changed": …, "devices": …, "own": …}` with how many devices it
        reaches and how many have a package of their own that wins; `{"device": …, "changed": …, "problem": …}`, where a problem is text.

    Raises:
        AnswerIsNoError: The package serves another profile.
    """
    package_id = None if package is None else id_of(package)
    if package is not None and (package.get("deviceProfileId") or {}).get("id") != id_of(target.profile):
        serves = client.profiles.get(package["deviceProfileId"]["id"])["name"] if package.get("deviceProfileId") else "none"
        raise AnswerIsNoError(
            f"{package['title']} {package['version']} serves the device profile {serves!r}, not {target.profile['name']!r}.",
            "A package serves one profile; publish the release for the other one under another title.",
        )
    if target.devices is not None:
        return [_assign_one(client, package, device) for device in target.devices]
    profile_id = id_of(target.profile)
    changed = package_of(target.profile) != package_id
    if changed:
        try:
            client.profiles.assign(profile_id, package_id)
        except ThingsBoardError as error:
            if package is None or not _is_gone(client, package, error):
                raise
            name = f"{package['title']} {package['version']}"
            raise AnswerIsNoError(f"The package {name} was deleted meanwhile.", "Publish it again, or assign another one.") from error
    reached = client.profiles.count_affected(profile_id)
    own = client.devices.count(profile_id=profile_id) - reached
    return [{"profile": target.profile["name"], "changed": changed, "devices": reached, "own": own}]


def _assign_one(client: Client, package: Json | None, device: Json) -> dict[str, Any]:
    package_id = None if package is None else id_of(package)
    changed, problem = package_of(device) != package_id, None
    if changed:
        try:
            client.devices.assign(id_of(device), package_id)
        except ThingsBoardError as error:
            if error.status is None or error.status >= 500 or error.status in (401, 403):
                raise  # it would be the same with every other device
            if package is not None and _is_gone(client, package, error):
                problem = "the package was deleted meanwhile"
            else:
                problem = "it was deleted meanwhile" if error.status == 404 else str(error).replace("\n", " ")
    return {"device": device["name"], "changed": changed and problem is None, "problem": problem}


def _is_gone(client: Client, package: Json, error: ThingsBoardError) -> bool:
    """Whether a refusal is for want of the package; the server says only that it cannot."""
    return error.status == 400 and client.packages.find(str(package["title"]), str(package["version"])) is None
