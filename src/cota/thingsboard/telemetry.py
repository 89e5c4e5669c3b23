"""Attributes and telemetry of a device."""

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from cota.thingsboard.session import Json, Session

Scope = Literal["SERVER_SCOPE", "SHARED_SCOPE", "CLIENT_SCOPE"]
Value = str | int | float | bool | Json | list[object]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a telemetry key.

    Attributes:
        time: Milliseconds since 1970, as the server keeps it.
        value: As stored: text that a board sent and that reads as a number is a number.
    """

    time: int
    value: Value


class Telemetry:
    """Calls on attributes and telemetry."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def attributes(self, device_id: str, scope: Scope = "SHARED_SCOPE", keys: Iterable[str] | None = None) -> dict[str, Value]:
        """Give attributes by key; those that are not set are left out. Without keys all of them."""
        params = {} if keys is None else {"keys": ",".join(keys)}
        found = self._session.get(list, f"/api/plugins/telemetry/DEVICE/{device_id}/values/attributes/{scope}", params)
        return {line["key"]: line["value"] for line in found}

    def write_shared(self, device_id: str, values: Mapping[str, Value]) -> None:
        """Set shared attributes, which the server tells the device at once. Text that reads as a number is stored as one."""
        self._session.put(f"/api/plugins/telemetry/DEVICE/{device_id}/SHARED_SCOPE", dict(values))

    def tell_to_retry(self, device_id: str, mark: str) -> None:
        """Let a board try the release once more that it gave up: `cota_retry` gets a mark that it never had."""
        self.write_shared(device_id, {"cota_retry": mark})

    def delete_shared(self, device_id: str, keys: Iterable[str]) -> None:
        """Delete shared attributes; those that are not set do not matter."""
        self._session.delete(f"/api/plugins/telemetry/DEVICE/{device_id}/SHARED_SCOPE", {"keys": ",".join(keys)})

    def latest(self, device_id: str, keys: Iterable[str] | None = None) -> dict[str, Sample]:
        """Give the latest value of telemetry keys; those never sent are left out. Without keys all of them."""
        params: dict[str, str | int | bool] = {"useStrictDataTypes": "true"}
        if keys is not None:
            params["keys"] = ",".join(keys)
        found = self._session.get(dict, f"/api/plugins/telemetry/DEVICE/{device_id}/values/timeseries", params)
        # A key that never existed comes as a value of null at the time of asking.
        return {key: Sample(lines[0]["ts"], lines[0]["value"]) for key, lines in found.items() if lines and lines[0]["value"] is not None}

    def history(
        self, device_id: str, keys: Iterable[str], start: int, end: int, *, limit: int = 100, newest: bool = False
    ) -> dict[str, list[Sample]]:
        """Give telemetry from one time to another, oldest first.

        Args:
            device_id: The device.
            keys: Keys to give.
            start: First millisecond since 1970.
            end: The millisecond after the last one.
            limit: At most so many of a key.
            newest: Where there are more, leave out the oldest and not the newest.
        """
        params: dict[str, str | int | bool] = {
            "keys": ",".join(keys),
            "startTs": start,
            "endTs": end,
            "limit": limit,
            "agg": "NONE",
            "orderBy": "DESC" if newest else "ASC",
            "useStrictDataTypes": "true",
        }
        found = self._session.get(dict, f"/api/plugins/telemetry/DEVICE/{device_id}/values/timeseries", params)
        order = -1 if newest else 1
        return {key: [Sample(line["ts"], line["value"]) for line in lines][::order] for key, lines in found.items()}


def new_retry_mark() -> str:
    """Give a text for `tell_to_retry`: never a number, which the server would take it for, and never one that a board has had."""
    return f"r-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"
