"""Many devices in one question: ThingsBoard's entity query."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cota.thingsboard.session import Json, Session

_FIND = "/api/entitiesQuery/find"
# ThingsBoard bounds no page, and sorts the whole fleet for each; a page of these is two or three megabytes.
_PAGE_SIZE = 2000
_MAX_PAGES = 1000

# What shows where each board stands.
STATE_KEYS = ("fw_state", "fw_error", "current_fw_title", "current_fw_version", "target_fw_title", "target_fw_version")


@dataclass(frozen=True, slots=True)
class Member:
    """One device of a fleet.

    Attributes:
        id: The device's id.
        name: Its name.
        profile: Its device profile's name; empty where the query did not ask for the field "type".
        telemetry: Latest value by key, as text; keys never sent are left out.
        times: When each of them was taken, milliseconds since 1970.
        shared: Shared attributes by key, as text.
        server: Server attributes by key, as text.
        client: Client attributes by key, as text.
    """

    id: str
    name: str
    profile: str = ""
    telemetry: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    server: dict[str, str] = field(default_factory=dict)
    client: dict[str, str] = field(default_factory=dict)


def fleet_query(
    profiles: Sequence[str] | None,
    *,
    telemetry: Sequence[str] = STATE_KEYS,
    shared: Sequence[str] = (),
    server: Sequence[str] = (),
    client: Sequence[str] = (),
    state: str | None = None,
) -> Json:
    """Give the query for the devices of some profiles, by name.

    Args:
        profiles: Names of device profiles; None is every device.
        telemetry: Telemetry keys to give.
        shared: Shared attributes to give.
        server: Server attributes to give, such as "active".
        client: Client attributes to give.
        state: Only devices whose `fw_state` is this.
    """
    kinds = {"TIME_SERIES": telemetry, "SHARED_ATTRIBUTE": shared, "SERVER_ATTRIBUTE": server, "CLIENT_ATTRIBUTE": client}
    filters: list[Json] = []
    if state is not None:
        predicate = {"type": "STRING", "operation": "EQUAL", "value": {"defaultValue": state}, "ignoreCase": False}
        filters.append({"key": {"type": "TIME_SERIES", "key": "fw_state"}, "valueType": "STRING", "predicate": predicate})
    name = {"type": "ENTITY_FIELD", "key": "name"}
    chosen: Json = {"type": "entityType", "entityType": "DEVICE"}
    if profiles is not None:
        chosen = {"type": "deviceType", "deviceTypes": list(profiles), "deviceNameFilter": ""}
    return {
        "entityFilter": chosen,
        "pageLink": {"pageSize": _PAGE_SIZE, "page": 0, "textSearch": None, "sortOrder": {"key": name, "direction": "ASC"}},
        "entityFields": [name],
        "latestValues": [{"type": kind, "key": key} for kind, keys in kinds.items() for key in keys],
        "keyFilters": filters,
    }


class Fleet:
    """Calls on many devices at once."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, query: Json) -> Iterator[Member]:
        """Give every device that a query finds; the query's own page is where it starts."""
        link = query["pageLink"]
        for page in range(link["page"], _MAX_PAGES):
            asked = {**query, "pageLink": {**link, "page": page}}
            lines, more = self._session.page(_FIND, self._session.post(dict, _FIND, asked, again=True))
            yield from map(member_of, lines)
            if not more:
                return

    def count(self, query: Json) -> int:
        """Count the devices that a query finds."""
        asked = {"entityFilter": query["entityFilter"], "keyFilters": query.get("keyFilters", [])}
        return self._session.post(int, "/api/entitiesQuery/count", asked, again=True)


def member_of(line: Json) -> Member:
    """Read one line of an entity query's answer, or of its WebSocket's."""
    latest: dict[str, dict[str, Json]] = line["latest"]

    def values(kind: str) -> dict[str, str]:
        # A value that was never set comes as an empty text of time 0.
        return {key: str(found["value"]) for key, found in latest.get(kind, {}).items() if found["ts"] or found["value"]}

    return Member(
        id=line["entityId"]["id"],
        name=str(latest["ENTITY_FIELD"]["name"]["value"]),
        profile=str(latest["ENTITY_FIELD"].get("type", {}).get("value", "")),
        telemetry=values("TIME_SERIES"),
        times={key: int(found["ts"]) for key, found in latest.get("TIME_SERIES", {}).items() if found["ts"]},
        shared=values("SHARED_ATTRIBUTE"),
        server=values("SERVER_ATTRIBUTE"),
        client=values("CLIENT_ATTRIBUTE"),
    )
