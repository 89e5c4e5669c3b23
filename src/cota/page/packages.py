"""The packages of an operator's server, as the page shows, makes and deletes them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cota.thingsboard.devices import Devices, Profiles
from cota.thingsboard.errors import ThingsBoardError
from cota.thingsboard.packages import Packages
from cota.thingsboard.session import Json, Session, id_of
from cota.thingsboard.users import package_of, users_of


class TakenError(Exception):
    """Title and version have a package already; the text says so."""


class InUseError(Exception):
    """A package is assigned, so it cannot be deleted; the text says to whom."""


class PagePackages:
    """Calls on packages. They block; each raises ThingsBoardError where the server refuses or is not reached.

    Args:
        session: The signed-in connection.
    """

    def __init__(self, session: Session) -> None:
        self._packages, self._profiles, self._devices = Packages(session), Profiles(session), Devices(session)

    def all(self) -> dict[str, Any]:
        """Return every firmware package, the newest first, and every profile with its package."""
        packages = [_shown(package) for package in self._packages.list() if package["type"] == "FIRMWARE"]
        profiles = [
            {"id": id_of(profile), "name": profile["name"], "package": package_of(profile), "default": bool(profile.get("default"))}
            for profile in self._profiles.list()
        ]
        return {"packages": packages[::-1], "profiles": profiles}

    def create(self, given: Mapping[str, str]) -> Json:
        """Make a URL package. The fields are checked (see forms).

        Raises:
            TakenError: There is one of this name.
        """
        return _shown(self._make(self._packages.create_url, _stripped(given, "title", "version", "url", "profile")))

    def upload(self, given: Mapping[str, str], name: str, data: bytes) -> Json:
        """Make a package of a file. The fields are checked (see forms).

        Raises:
            TakenError: There is one of this name.
        """
        package_id = id_of(self._make(self._packages.create, _stripped(given, "title", "version", "profile")))
        try:
            self._packages.upload(package_id, name, data)
        except ThingsBoardError:
            # A package without bytes serves nobody, and its name would be in the way of the next attempt.
            with contextlib.suppress(ThingsBoardError):
                self._packages.delete(package_id)
            raise
        return _shown(self._packages.get(package_id))

    def _make(self, create: Callable[..., Json], values: Sequence[str]) -> Json:
        title, version = values[:2]
        try:
            return create(*values)
        except ThingsBoardError as error:
            if error.status not in {400, 409} or not self._is_taken(title, version):
                raise
            raise TakenError(f"There is a package {title} {version} already, and it cannot be changed. Take another version.") from error

    def _is_taken(self, title: str, version: str) -> bool:
        name = ("FIRMWARE", title, version)
        return any((package["type"], package["title"], package["version"]) == name for package in self._packages.list(title))

    def delete(self, package_id: str) -> None:
        """Delete a package; one that somebody else deleted is gone as well.

        Raises:
            InUseError: A profile or a device has it.
        """
        try:
            self._packages.delete(package_id)
        except ThingsBoardError as error:
            if error.status == 404:
                return
            if error.status != 400:
                raise
            users = users_of(package_id, self._profiles.list(), self._devices.infos())
            raise InUseError(f"It is in use and was not deleted: {users or error.server_message}.") from error

    def known(self, package_id: str | None) -> Json | None:
        """Return a package, or None where it is gone or none is meant."""
        if package_id is None:
            return None
        try:
            return _shown(self._packages.get(package_id))
        except ThingsBoardError as error:
            if error.status == 404:
                return None
            raise


def _stripped(given: Mapping[str, str], *fields: str) -> list[str]:
    return [given[field].strip() for field in fields]


def _shown(package: Json) -> Json:
    keys = ("title", "version", "tag", "url", "hasData", "fileName", "dataSize", "checksumAlgorithm", "checksum")
    profile = package.get("deviceProfileId") or {}
    return {
        "id": id_of(package),
        "created": package["createdTime"],
        "profile": profile.get("id"),
        **{key: package.get(key) for key in keys},
    }
