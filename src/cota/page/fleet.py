"""The fleet as the page shows it, pure: the question to ThingsBoard, and one row for each device of the answer."""

from collections.abc import Mapping
from typing import Any

from cota.page.explain import split
from cota.page.states import group_of, percent_of

Row = dict[str, Any]

# One question a thousand devices: fewer round trips than ThingsBoard's usual hundred, and an answer of about a megabyte.
PAGE_SIZE = 1000
_FIELDS = ("name", "label", "type")
_TELEMETRY = (
    *("fw_state", "fw_error", "current_fw_title", "current_fw_version", "target_fw_title", "target_fw_version"),
    "target_fw_ts",
)
_SERVER = ("active", "lastActivityTime")


def query(number: int, ids: list[str] | None = None) -> dict[str, Any]:
    """Return the body of POST /api/entitiesQuery/find for one page of all devices, by name; with `ids` of those alone."""
    name = {"type": "ENTITY_FIELD", "key": "name"}
    every = {"type": "entityType", "entityType": "DEVICE"}
    some = {"type": "entityList", "entityType": "DEVICE", "entityList": ids}
    kinds = {"TIME_SERIES": _TELEMETRY, "SERVER_ATTRIBUTE": _SERVER}
    return {
        "entityFilter": every if ids is None else some,
        "pageLink": {"pageSize": PAGE_SIZE, "page": number, "textSearch": None, "sortOrder": {"key": name, "direction": "ASC"}},
        "entityFields": [{"type": "ENTITY_FIELD", "key": key} for key in _FIELDS],
        "latestValues": [{"type": kind, "key": key} for kind, keys in kinds.items() for key in keys],
        "keyFilters": [],
    }


def row_of(line: Mapping[str, Any]) -> Row:
    """Return what the page shows of one EntityData. All texts in it are a device's or a package's own: show them as text only."""
    latest = line["latest"]
    telemetry, server, fields = (latest.get(kind, {}) for kind in ("TIME_SERIES", "SERVER_ATTRIBUTE", "ENTITY_FIELD"))

    def text(values: Mapping[str, Any], key: str) -> str:
        return str(values.get(key, {}).get("value") or "")

    def time(key: str) -> int:
        return int(telemetry.get(key, {}).get("ts") or 0)

    state = text(telemetry, "fw_state")
    assigned = number(text(telemetry, "target_fw_ts"))
    # What was said of an earlier assignment is history; a failure to come is told anew.
    error = text(telemetry, "fw_error") if time("fw_error") >= assigned else ""
    told = split(error)
    return {
        "id": str(line["entityId"]["id"]),
        "name": text(fields, "name"),
        "label": text(fields, "label"),
        "profile": text(fields, "type"),
        "state": state,
        "group": group_of(state),
        "percent": percent_of(state),
        "error": error,
        "code": told.code,
        "later": told.later,
        "title": text(telemetry, "current_fw_title"),
        "version": text(telemetry, "current_fw_version"),
        "toTitle": text(telemetry, "target_fw_title"),
        "toVersion": text(telemetry, "target_fw_version"),
        "assigned": assigned,
        "since": time("fw_state"),
        "active": text(server, "active") == "true",
        "seen": number(text(server, "lastActivityTime")),
    }


def number(text: str) -> int:
    """Return a time in milliseconds from what the server wrote; 0 where it is none."""
    return int(text) if text.isdecimal() and len(text) <= 16 else 0
