"""Who has a package: what keeps it from being deleted."""

from collections.abc import Iterable

from cota.thingsboard.session import Json


def package_of(thing: Json) -> str | None:
    """Give the id of the firmware package that a device or a profile has of its own."""
    found = thing.get("firmwareId")
    return str(found["id"]) if isinstance(found, dict) else None


def users_of(package_id: str, profiles: Iterable[Json], devices: Iterable[Json]) -> str:
    """Say who has a package: each profile by its name, devices by their number; "" where nobody has it.

    Args:
        package_id: The package.
        profiles: All device profiles, whole.
        devices: All devices, as ThingsBoard's /api/tenant/deviceInfos gives them.
    """
    users = [f"profile {profile['name']}" for profile in profiles if package_of(profile) == package_id]
    own = sum(package_of(device) == package_id for device in devices)
    if own:
        users.append(f"{own:,} device{'' if own == 1 else 's'}")
    return ", ".join(users)
