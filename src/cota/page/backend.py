"""What the page asks of a ThingsBoard server, over the REST client; the lab and a remote server are asked the same."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from cota.page import fleet
from cota.page.fleet import Row
from cota.page.packages import PagePackages
from cota.page.wave import Course
from cota.thingsboard.devices import Devices, Profiles
from cota.thingsboard.errors import ThingsBoardError
from cota.thingsboard.session import Json, Session, id_of
from cota.thingsboard.telemetry import Telemetry, new_retry_mark
from cota.thingsboard.users import package_of

_FIND = "/api/entitiesQuery/find"
_MAX_PAGES = 100  # a hundred thousand devices
_HISTORY_KEYS = ("fw_state", "fw_error", "current_fw_title", "current_fw_version", "target_fw_title", "target_fw_version")
# A device's history goes back so far; a state or an error more than this many times is cut, the oldest first.
_HISTORY_MS = 30 * 24 * 3600 * 1000
_HISTORY_LINES = 500
# States of one update; a device that reports more of them is restarting over and over.
_COURSE_LINES = 200


class Target(NamedTuple):
    """A device that an operator means, and what he saw of it when he decided.

    Attributes:
        id: The device.
        assigned: Its `target_fw_ts` as the page showed it.
    """

    id: str
    assigned: int


class ChangedError(Exception):
    """Somebody else assigned something in the meantime; the operator must look again."""


class Backend:
    """One operator's way to the server. Calls block; each raises ThingsBoardError where the server refuses or is not reached.

    Args:
        session: The signed-in connection, which this closes.

    Attributes:
        packages: Its packages.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._devices, self._profiles = Devices(session), Profiles(session)
        self._telemetry = Telemetry(session)
        self.packages = PagePackages(session)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def user(self) -> Json:
        """Return who is signed in."""
        return self.session.get(dict, "/api/auth/user")

    def rows(self, ids: list[str] | None = None) -> list[Row]:
        """Return a row for every device, or for these."""
        return list(self._find(ids))

    def _find(self, ids: list[str] | None) -> Iterator[Row]:
        for number in range(_MAX_PAGES):
            lines, more = self.session.page(_FIND, self.session.post(dict, _FIND, fleet.query(number, ids), again=True))
            yield from map(fleet.row_of, lines)
            if not more:
                return

    def device(self, device_id: str) -> dict[str, Any]:
        """Return all that is known of a device: its own and its profile's package, its attributes, and its history, newest first."""
        info = self.session.get(dict, f"/api/device/info/{device_id}")
        profile = self._profiles.get(str(info["deviceProfileId"]["id"]))
        own, inherited = package_of(info), package_of(profile)
        now = int(time.time() * 1000)
        facts = self._telemetry.attributes(device_id, "CLIENT_SCOPE")
        shared = self._telemetry.attributes(device_id, "SHARED_SCOPE")
        return {
            "id": device_id,
            "profileId": id_of(profile),
            "profile": profile["name"],
            "own": own,
            "inherited": inherited,
            "package": self.packages.known(own or inherited),
            "facts": facts,
            "retry": shared.get("cota_retry"),
            "url": shared.get("fw_url"),
            "history": self._history(device_id, now),
        }

    def _history(self, device_id: str, now: int) -> list[dict[str, Any]]:
        params: dict[str, str | int | bool] = {"keys": ",".join(_HISTORY_KEYS), "startTs": now - _HISTORY_MS, "endTs": now + 60_000}
        params |= {"limit": _HISTORY_LINES, "agg": "NONE", "orderBy": "DESC"}
        found = self.session.get(dict, f"/api/plugins/telemetry/DEVICE/{device_id}/values/timeseries", params)
        moments: dict[int, dict[str, str]] = {}
        for key, lines in found.items():
            for line in lines:
                moments.setdefault(line["ts"], {})[key] = str(line["value"])
        return [{"time": ts, **moments[ts]} for ts in sorted(moments, reverse=True)[:_HISTORY_LINES]]

    def course(self, device_id: str, assigned: int, until: int) -> Course:
        """Return a device's way through the update that was assigned at this time."""
        found = self._telemetry.history(device_id, ["fw_state"], assigned, until, limit=_COURSE_LINES)
        return Course(assigned, [(sample.time, str(sample.value)) for sample in found.get("fw_state", [])])

    def reached(self, profile_id: str) -> int:
        """Count the devices that an assignment to a profile reaches: those without a package of their own."""
        return self._profiles.count_affected(profile_id)

    def assign_devices(self, targets: Sequence[Target], package_id: str | None) -> dict[str, Any]:
        """Give devices a package of their own, or take it away; each by itself, so that one failure stops no other.

        Returns:
            `done`, the ids; `failed`, id -> why; `changed`, the ids of those that somebody else assigned since the operator looked.
        """
        now = {row["id"]: row["assigned"] for row in self._find([target.id for target in targets])}
        done, failed, changed = [], {}, []
        for target in targets:
            if target.id not in now:
                failed[target.id] = "The device was deleted meanwhile."
            elif now[target.id] != target.assigned:
                changed.append(target.id)
            else:
                try:
                    self._devices.assign(target.id, package_id)
                    done.append(target.id)
                except ThingsBoardError as error:
                    if _concerns_all(error):
                        raise
                    failed[target.id] = error.server_message or error.message
        return {"done": done, "failed": failed, "changed": changed}

    def assign_profile(self, profile_id: str, package_id: str | None, seen: str | None) -> None:
        """Give a profile a package, or take it away.

        Args:
            profile_id: The profile.
            package_id: The package.
            seen: The package that the operator saw there when he decided.

        Raises:
            ChangedError: It has another one by now.
        """

        def change(profile: Json) -> None:
            if package_of(profile) != seen:
                raise ChangedError
            profile["firmwareId"] = None if package_id is None else {"entityType": "OTA_PACKAGE", "id": package_id}

        self.session.save(f"/api/deviceProfile/{profile_id}", "/api/deviceProfile", change)

    def retry(self, device_ids: Sequence[str]) -> dict[str, Any]:
        """Ask devices to try the release once more that they gave up: `cota_retry` gets a text that it never had."""
        mark = new_retry_mark()
        done, failed = [], {}
        for device_id in device_ids:
            try:
                self._telemetry.tell_to_retry(device_id, mark)
                done.append(device_id)
            except ThingsBoardError as error:
                if _concerns_all(error):
                    raise
                failed[device_id] = error.server_message or error.message
        return {"done": done, "failed": failed, "changed": []}

    def log_out(self) -> None:
        """End the session at the server; what it cannot hear, it forgets by itself."""
        self.session.put("/api/auth/logout", {})


def _concerns_all(error: ThingsBoardError) -> bool:
    """Whether the next device would meet the same: no server, no right to ask, or too many questions."""
    return error.status in {None, 401, 403, 429} or (error.status or 0) >= 500
