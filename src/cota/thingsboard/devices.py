"""Devices and device profiles."""

import json
from collections.abc import Iterator
from typing import Literal

from cota.errors import AnswerIsNoError
from cota.thingsboard.errors import ThingsBoardError
from cota.thingsboard.session import Json, Session, id_of

Kind = Literal["FIRMWARE", "SOFTWARE"]
# ThingsBoard bounds no page; 5,000 devices are five requests.
_PAGE_SIZE = 1000
# Names that an error lists.
_SHOWN_NAMES = 20
_FIELDS = {"FIRMWARE": "firmwareId", "SOFTWARE": "softwareId"}


def _assigning(kind: Kind, package_id: str | None, thing: Json) -> None:
    thing[_FIELDS[kind]] = None if package_id is None else {"entityType": "OTA_PACKAGE", "id": package_id}


class Devices:
    """Calls on devices."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, name: str) -> Json | None:
        """Give the device of this exact name, or None."""
        try:
            return self._session.get(dict, "/api/tenant/device", {"deviceName": name})
        except ThingsBoardError as error:
            if error.status == 404:
                return None
            raise

    def get(self, device_id: str) -> Json:
        """Give a device by its id."""
        return self._session.get(dict, f"/api/device/{device_id}")

    def create(self, name: str, *, profile_id: str | None = None, token: str | None = None, label: str | None = None) -> Json:
        """Make a device.

        Args:
            name: Its name, one of its kind in the tenant.
            profile_id: Its profile; None is the tenant's default.
            token: Access token it signs in with; None lets the server make one.
            label: Text for people.
        """
        device: Json = {"name": name, "label": label}
        if profile_id is not None:
            device["deviceProfileId"] = {"entityType": "DEVICE_PROFILE", "id": profile_id}
        if token is None:
            return self._session.post(dict, "/api/device", device)
        credentials = {"credentialsType": "ACCESS_TOKEN", "credentialsId": token}
        return self._session.post(dict, "/api/device-with-credentials", {"device": device, "credentials": credentials})

    def token(self, device_id: str) -> str:
        """Give the access token that a device signs in with.

        Raises:
            ThingsBoardError: The device signs in with something else, such as a certificate.
        """
        credentials = self._session.get(dict, f"/api/device/{device_id}/credentials")
        if credentials.get("credentialsType") != "ACCESS_TOKEN":
            raise ThingsBoardError(
                f"The device {device_id} signs in with {credentials.get('credentialsType')}.",
                "Boards need an access token; change it in ThingsBoard.",
            )
        return str(credentials["credentialsId"])

    def need(self, name: str) -> Json:
        """Give the device of this exact name.

        Raises:
            AnswerIsNoError: There is none.
        """
        found = self.find(name)
        if found is None:
            raise AnswerIsNoError(f"{self._session.url} has no device {name!r}.", "`cota devices` lists them; upper and lower case count.")
        return found

    def infos(self, *, profile_id: str | None = None, text: str | None = None, active: bool | None = None) -> Iterator[Json]:
        """Give every device with its profile's name, its packages and whether it is active.

        Args:
            profile_id: Only those of this profile.
            text: Only those whose name holds this, upper and lower case alike.
            active: Only those that are or are not active.
        """
        params: dict[str, str | int | bool] = {}
        if profile_id is not None:
            params["deviceProfileId"] = profile_id
        if text is not None:
            params["textSearch"] = text
        if active is not None:
            params["active"] = json.dumps(active)
        return self._session.pages("/api/tenant/deviceInfos", params, size=_PAGE_SIZE)

    def newest(self, number: int) -> list[Json]:
        """Give as many devices, those that were made last, the last one first."""
        params: dict[str, str | int | bool] = {"pageSize": number, "page": 0, "sortProperty": "createdTime", "sortOrder": "DESC"}
        path = "/api/tenant/deviceInfos"
        return self._session.page(path, self._session.get(dict, path, params))[0]

    def count(self, *, profile_id: str | None = None) -> int:
        """Count the devices, or those of a profile."""
        params: dict[str, str | int | bool] = {"pageSize": 1, "page": 0}
        if profile_id is not None:
            params["deviceProfileId"] = profile_id
        return int(self._session.get(dict, "/api/tenant/deviceInfos", params)["totalElements"])

    def assign(self, device_id: str, package_id: str | None, kind: Kind = "FIRMWARE") -> Json:
        """Give a device a package of its own, which wins over its profile's; None takes it away."""
        return self._session.save(f"/api/device/{device_id}", "/api/device", lambda device: _assigning(kind, package_id, device))

    def delete(self, device_id: str) -> None:
        """Delete a device with its telemetry."""
        self._session.delete(f"/api/device/{device_id}")


class Profiles:
    """Calls on device profiles."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, name: str) -> Json | None:
        """Give the whole profile of this exact name, or None."""
        for info in self._session.pages("/api/deviceProfileInfos", {"textSearch": name, "sortProperty": "name"}):
            if info["name"] == name:
                return self.get(id_of(info))
        return None

    def need(self, name: str) -> Json:
        """Give the whole profile of this exact name.

        Raises:
            AnswerIsNoError: There is none; the message names those that there are.
        """
        found = self.find(name)
        if found is None:
            known = ", ".join(self.names()[:_SHOWN_NAMES])
            raise AnswerIsNoError(f"{self._session.url} has no device profile {name!r}.", f"It has: {known}.")
        return found

    def names(self) -> list[str]:
        """Give the names of all profiles."""
        return [str(info["name"]) for info in self._session.pages("/api/deviceProfileInfos", {"sortProperty": "name"})]

    def list(self) -> "list[Json]":
        """Give every profile, whole."""
        return list(self._session.pages("/api/deviceProfiles", {"sortProperty": "name"}))

    def get(self, profile_id: str) -> Json:
        """Give a whole profile by its id."""
        return self._session.get(dict, f"/api/deviceProfile/{profile_id}")

    def default(self) -> Json:
        """Give the tenant's default profile, whole."""
        info = self._session.get(dict, "/api/deviceProfileInfo/default")
        return self.get(id_of(info))

    def create(self, name: str, *, description: str = "", provision_key: str | None = None, provision_secret: str | None = None) -> Json:
        """Make a profile.

        Args:
            name: Its name, one of its kind in the tenant.
            description: Text for people.
            provision_key: With `provision_secret`: boards that know both may make their own device in this profile.
            provision_secret: See `provision_key`.
        """
        kind = "DISABLED" if provision_key is None else "ALLOW_CREATE_NEW_DEVICES"
        profile: Json = {
            "name": name,
            "description": description,
            "type": "DEFAULT",
            "transportType": "DEFAULT",
            "provisionType": kind,
            "provisionDeviceKey": provision_key,
            "profileData": {
                "configuration": {"type": "DEFAULT"},
                "transportConfiguration": {"type": "DEFAULT"},
                "provisionConfiguration": {"type": kind, "provisionDeviceSecret": provision_secret},
                "alarms": None,
            },
        }
        return self._session.post(dict, "/api/deviceProfile", profile)

    def save(self, profile: Json) -> Json:
        """Save a whole profile; what it lacks the server forgets."""
        return self._session.post(dict, "/api/deviceProfile", profile)

    def assign(self, profile_id: str, package_id: str | None, kind: Kind = "FIRMWARE") -> Json:
        """Give every device of a profile a package, save those with one of their own; None takes it away."""
        path = f"/api/deviceProfile/{profile_id}"
        return self._session.save(path, "/api/deviceProfile", lambda profile: _assigning(kind, package_id, profile))

    def count_affected(self, profile_id: str, kind: Kind = "FIRMWARE") -> int:
        """Count the devices of a profile that have no package of their own, which `assign` would reach."""
        return self._session.get(int, f"/api/devices/count/{kind}/{profile_id}")

    def delete(self, profile_id: str) -> None:
        """Delete a profile and its packages."""
        self._session.delete(f"/api/deviceProfile/{profile_id}")
