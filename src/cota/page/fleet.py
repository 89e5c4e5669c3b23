"""The fleet as the page shows it, pure: the question to ThingsBoard, and one row for each device of the answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from cota.explain import explain
from cota.page.states import group_of
from cota.thingsboard.boards import NONE, board_of, boards_query
from cota.thingsboard.fleet import member_of

Row = dict[str, Any]

# One question a thousand devices: few round trips, and an answer of about a megabyte, so that a board never waits long behind it.
_PAGE_SIZE = 1000


def query(number: int, ids: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the body of POST /api/entitiesQuery/find for one page of all devices, by name; with `ids` of those alone."""
    asked = boards_query(devices=ids, page_size=_PAGE_SIZE)
    asked["pageLink"]["page"] = number
    asked["entityFields"].append({"type": "ENTITY_FIELD", "key": "label"})
    asked["latestValues"].append({"type": "TIME_SERIES", "key": "target_fw_ts"})
    return asked


def row_of(line: Mapping[str, Any]) -> Row:
    """Return what the page shows of one EntityData. All texts in it are a device's or a package's own: show them as text only."""
    member = member_of(dict(line))
    board, told = board_of(member), explain(member.telemetry.get("fw_error", ""))
    word = member.telemetry.get("fw_state", "")
    running, assigned = board.running, board.assigned
    return {
        "id": board.id,
        "name": board.name,
        "label": str(line["latest"]["ENTITY_FIELD"].get("label", {}).get("value") or ""),
        "profile": board.profile,
        "state": "" if board.state == NONE else word,
        "group": group_of(board.state),
        "percent": board.percent,
        "error": board.error,
        "code": told.code if told and board.error else "",
        "later": bool(told and board.error and told.later),
        "title": running.title if running else "",
        "version": running.version if running else "",
        "toTitle": assigned.title if assigned else "",
        "toVersion": assigned.version if assigned else "",
        "assigned": number(member.telemetry.get("target_fw_ts", "")),
        "since": board.changed or 0,
        "active": board.active,
        "seen": board.last_seen or 0,
    }


def number(text: str) -> int:
    """Return a time in milliseconds from what the server wrote; 0 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 16 else 0
