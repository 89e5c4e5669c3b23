"""REST: entity queries, the way a fleet is looked at."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cota.lab.clock import now_ms
from cota.lab.core import Core
from cota.lab.data import entity_query
from cota.lab.data.attributes import CLIENT, SERVER, SHARED
from cota.lab.data.entity_query import Cell, Key, Lookup
from cota.lab.data.store import Row
from cota.lab.data.values import encode
from cota.lab.errors import invalid
from cota.lab.ids import ref_id
from cota.lab.web import Router, json_answer, read_object

_DEVICES = "SELECT d.*, p.name AS profile_name FROM device d JOIN profile p ON p.id = d.profile_id"
_ATTRIBUTES = """
    SELECT entity_id, ts, value FROM attribute WHERE scope = ? AND key = ? AND entity_id IN (SELECT value FROM json_each(?))
"""
_LATEST = "SELECT entity_id, ts, value FROM latest WHERE key = ? AND entity_id IN (SELECT value FROM json_each(?))"
_ORDER = "ORDER BY d.created, d.rowid"
_SCOPE_OF = {
    "CLIENT_ATTRIBUTE": (CLIENT,),
    "SHARED_ATTRIBUTE": (SHARED,),
    "SERVER_ATTRIBUTE": (SERVER,),
    "ATTRIBUTE": (CLIENT, SHARED, SERVER),
}
# With more devices than this, a key's values are read for all of them at once.
_MANY = 64
_MAX_IDS = 10_000  # ThingsBoard's own bound of entities in a subscription


class QueryApi(Router):
    """The routes of ThingsBoard's EntityQueryController for devices."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            self.route("POST", "/api/entitiesQuery/find", self.find),
            self.route("POST", "/api/entitiesQuery/count", self.count),
        ]

    async def find(self, request: Request) -> Response:
        """Answer a page of devices with the values that were asked for."""
        query = await read_object(request)
        rows = chosen(self.core, query.get("entityFilter"))

        def of_page(ids: Sequence[str]) -> Lookup:
            return lookup_of(self.core, {entity: rows[entity] for entity in ids})

        return json_answer(entity_query.find(list(rows), query, lookup_of(self.core, rows), now_ms(), of_page))

    async def count(self, request: Request) -> Response:
        """Answer how many devices match."""
        query = await read_object(request)
        rows = chosen(self.core, query.get("entityFilter"))
        lookup = lookup_of(self.core, rows)
        return json_answer(sum(entity_query.matches(entity, query, lookup) for entity in rows))


def chosen(core: Core, given: Any) -> dict[str, Row]:
    """Return the devices that an entity filter names, by id."""
    entity_filter = given if isinstance(given, dict) else {}
    kind = entity_filter.get("type")
    if kind == "singleEntity":
        entity = entity_filter.get("singleEntity")
        entity = entity if isinstance(entity, dict) else {}
        return _by_ids(core, entity.get("entityType"), [entity])
    if kind == "entityList":
        entities = entity_filter.get("entityList") or []
        return _by_ids(core, entity_filter.get("entityType"), entities if isinstance(entities, list) else [])
    if kind in {"entityType", "entityName"}:
        rows = core.store.all(f"{_DEVICES} {_ORDER}") if entity_filter.get("entityType") == "DEVICE" else []
        return _named(rows, entity_filter.get("entityNameFilter") if kind == "entityName" else None)
    if kind == "deviceType":
        names = entity_filter.get("deviceTypes") or [entity_filter.get("deviceType")]
        if not isinstance(names, list):
            raise invalid("deviceTypes should be a list of profile names")
        rows = [row for row in core.store.all(f"{_DEVICES} {_ORDER}") if row["profile_name"] in names]
        return _named(rows, entity_filter.get("deviceNameFilter"))
    raise invalid(f"Unsupported entity filter type: {str(kind)[:64]}")


def _by_ids(core: Core, kind: Any, entities: list[Any]) -> dict[str, Row]:
    if kind != "DEVICE":
        return {}
    if len(entities) > _MAX_IDS:
        raise invalid(f"Too many entities in the filter, at most {_MAX_IDS}")
    rows = (core.devices.get(entity_id) for entity_id in map(ref_id, entities) if entity_id is not None)
    return {row["id"]: row for row in rows if row is not None}


def _named(rows: list[Row], name_filter: Any) -> dict[str, Row]:
    if not name_filter:
        return {row["id"]: row for row in rows}
    pattern = entity_query.name_pattern(str(name_filter))
    return {row["id"]: row for row in rows if pattern.match(row["name"])}


def lookup_of(core: Core, rows: dict[str, Row]) -> Lookup:
    core.activity.flush()
    tables: dict[tuple[str, str], dict[str, Cell]] = {}
    many, ids = len(rows) > _MANY, json.dumps(list(rows))

    def stored(entity: str, place: str, name: str) -> Cell | None:
        """Return what is stored of a device: its telemetry (place ""), or an attribute of the scope that `place` names."""
        if many:
            if (place, name) not in tables:
                tables[place, name] = _column(core, place, name, ids)
            return tables[place, name].get(entity)
        found = core.attributes.get(entity, place, [name]) if place else core.timeseries.latest(entity, [name])
        return Cell(found[0]["ts"], found[0]["value"]) if found else None

    def lookup(entity: str, key: Key) -> Cell | None:
        if key.kind == "TIME_SERIES":
            return stored(entity, "", key.name)
        for scope in _SCOPE_OF.get(key.kind, ()):
            found = stored(entity, scope, key.name)
            if found:
                return found
        if key.kind == "ENTITY_FIELD":
            value = _field(rows[entity], key.name)
            return None if value is None else Cell(0, encode(value))
        return None

    return lookup


def _column(core: Core, place: str, name: str, ids: str) -> dict[str, Cell]:
    """Read one key of the devices of a JSON list."""
    found = core.store.all(_ATTRIBUTES, place, name, ids) if place else core.store.all(_LATEST, name, ids)
    return {row["entity_id"]: Cell(row["ts"], row["value"]) for row in found}


def _field(row: Row, name: str) -> Any:
    match name:
        case "createdTime":
            return row["created"]
        case "entityType":
            return "DEVICE"
        case "name":
            return row["name"]
        case "displayName":
            return row["label"] or row["name"]
        case "type":
            return row["profile_name"]
        case "label":
            return row["label"]
        case "additionalInfo":
            info = json.loads(row["body"]).get("additionalInfo")
            return None if info is None else encode(info)
        case "ownerName":
            return "Tenant"
        case "ownerType":
            return "TENANT"
        case "id":
            return row["id"]
    return None
