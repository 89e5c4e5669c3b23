"""Entity queries, pure: which entities match, in what order, and how they are shown. Values come through a lookup.

Source: ThingsBoard's EntityKeyMapping and EntityDataQuery. All values are compared by their own type: a text predicate never matches a
number, and a missing value matches only the negative text operations.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from cota.lab.data.values import as_text, decode
from cota.lab.errors import invalid
from cota.lab.rest.paging import PageLink, check, page

KEY_TYPES = (
    *("ATTRIBUTE", "CLIENT_ATTRIBUTE", "SHARED_ATTRIBUTE", "SERVER_ATTRIBUTE"),
    *("TIME_SERIES", "ENTITY_FIELD", "CONSTANT", "COUNT"),
)
_MAX_DEPTH = 16  # of nested COMPLEX predicates


class Key(NamedTuple):
    """What a query looks at."""

    kind: str
    name: str


class Cell(NamedTuple):
    """A value of an entity: its time in milliseconds and its stored form (see values.py)."""

    ts: int
    value: str


Lookup = Callable[[str, Key], Cell | None]


def read_key(given: Any) -> Key:
    """Return a key of a request.

    Raises:
        ApiError: It is none.
    """
    if not isinstance(given, dict) or given.get("type") not in KEY_TYPES or not isinstance(given.get("key"), str):
        raise invalid(f"Unsupported entity key: {str(given)[:128]}")
    return Key(given["type"], given["key"])


def read_link(given: Any) -> tuple[PageLink, Key | None]:
    """Return the page link of a request and the key that it sorts by.

    Raises:
        ApiError: It makes no sense.
    """
    given = given if isinstance(given, dict) else {}
    size, number = given.get("pageSize", 10), given.get("page", 0)
    if not isinstance(size, int) or not isinstance(number, int):
        raise invalid("pageLink: pageSize and page should be numbers")
    order = given.get("sortOrder")
    key = read_key(order.get("key")) if isinstance(order, dict) and order.get("key") else None
    descending = isinstance(order, dict) and order.get("direction") == "DESC"
    return check(PageLink(size, number, str(given.get("textSearch") or ""), None, descending)), key


def find(
    ids: Sequence[str], query: Mapping[str, Any], lookup: Lookup, now: int, of_page: Callable[[Sequence[str]], Lookup] | None = None
) -> dict[str, Any]:
    """Return a page of EntityData.

    Args:
        ids: The devices that the query's entity filter chose.
        query: The request.
        lookup: Gives the value of a key of a device.
        now: The time that entity fields are dated with.
        of_page: Gives a lookup for the devices of the page, where those are fewer than all; None: `lookup` serves for them too.

    Raises:
        ApiError: The request makes no sense.
    """
    link, sort_key = read_link(query.get("pageLink"))
    shown = [read_key(key) for name in ("entityFields", "latestValues") for key in _list(query, name)]
    matching = [entity for entity in ids if matches(entity, query, lookup)]
    if link.search:
        text = link.search.lower()
        matching = [entity for entity in matching if any(text in _text(lookup(entity, key)).lower() for key in shown)]
    if sort_key is not None:
        matching.sort(key=lambda entity: _order(lookup(entity, sort_key)), reverse=link.descending)
    start = link.number * link.size
    chosen = matching[start : start + link.size]
    look = of_page(chosen) if of_page is not None and len(chosen) < len(ids) else lookup
    return page([_shown(entity, shown, look, now) for entity in chosen], len(matching), link)


def _list(given: Mapping[str, Any], name: str) -> list[Any]:
    value = given.get(name) or []
    if not isinstance(value, list):
        raise invalid(f"{name} should be a list")
    return value


def _text(cell: Cell | None) -> str:
    return "" if cell is None else as_text(cell.value)


def _order(cell: Cell | None) -> tuple[int, float, str]:
    if cell is None:
        return (0, 0.0, "")
    value = decode(cell.value)
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (2, 0.0, _text(cell).lower())


def _shown(entity: str, keys: Sequence[Key], lookup: Lookup, now: int) -> dict[str, Any]:
    latest: dict[str, dict[str, Any]] = {}
    for key in keys:
        cell = lookup(entity, key)
        ts = now if key.kind == "ENTITY_FIELD" else cell.ts if cell else 0
        latest.setdefault(key.kind, {})[key.name] = {"ts": ts, "value": _text(cell)}
    return {"entityId": {"entityType": "DEVICE", "id": entity}, "latest": latest, "timeseries": {}, "aggLatest": {}}


def matches(entity: str, query: Mapping[str, Any], lookup: Lookup) -> bool:
    """Tell whether an entity passes the key filters of a query: all of them, or any with `keyFiltersOperation` OR (4.4).

    Raises:
        ApiError: A filter makes no sense.
    """
    results = []
    for one in _list(query, "keyFilters"):
        if not isinstance(one, dict):
            raise invalid("keyFilters should be a list of objects")
        cell = lookup(entity, read_key(one.get("key")))
        results.append(_passes(None if cell is None else decode(cell.value), one.get("predicate"), 0))
    return any(results) if results and query.get("keyFiltersOperation") == "OR" else all(results)


def _passes(value: Any, predicate: Any, depth: int) -> bool:
    kind = predicate.get("type") if isinstance(predicate, dict) else None
    if kind == "COMPLEX" and depth < _MAX_DEPTH:
        results = [_passes(value, one, depth + 1) for one in _list(predicate, "predicates")]
        return any(results) if predicate.get("operation") == "OR" else all(results)
    check_one = _PREDICATES.get(str(kind))
    if check_one is None:
        raise invalid(f"Unsupported key filter predicate: {str(predicate)[:128]}")
    return check_one(value, str(predicate.get("operation")), _wanted(predicate.get("value")), predicate)


def _wanted(given: Any) -> Any:
    if isinstance(given, dict):
        return given.get("defaultValue") if given.get("userValue") is None else given["userValue"]
    return given


def _text_passes(value: Any, operation: str, wanted: Any, predicate: Mapping[str, Any]) -> bool:
    compare = _TEXT_OPERATIONS.get(operation)
    if compare is None:
        raise invalid(f"Unsupported string operation: {operation}")
    if not isinstance(value, str):
        return operation.startswith("NOT_")
    wanted = str(wanted if wanted is not None else "")
    if predicate.get("ignoreCase"):
        value, wanted = value.lower(), wanted.lower()
    return compare(value, wanted)


def _listed(wanted: str) -> list[str]:
    return [part.strip().strip("'\"") for part in wanted.split(",")]


_TEXT_OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "EQUAL": lambda value, wanted: value == wanted,
    "NOT_EQUAL": lambda value, wanted: value != wanted,
    "STARTS_WITH": lambda value, wanted: value.startswith(wanted),
    "ENDS_WITH": lambda value, wanted: value.endswith(wanted),
    "CONTAINS": lambda value, wanted: wanted in value,
    "NOT_CONTAINS": lambda value, wanted: wanted not in value,
    "IN": lambda value, wanted: value in _listed(wanted),
    "NOT_IN": lambda value, wanted: value not in _listed(wanted),
}


def _number_passes(value: Any, operation: str, wanted: Any, _predicate: Mapping[str, Any]) -> bool:
    compare = _NUMBER_OPERATIONS.get(operation)
    if compare is None:
        raise invalid(f"Unsupported numeric operation: {operation}")
    if not isinstance(wanted, int | float):
        raise invalid(f"A numeric predicate needs a number, got: {str(wanted)[:64]}")
    return isinstance(value, int | float) and not isinstance(value, bool) and compare(value, wanted)


_NUMBER_OPERATIONS: dict[str, Callable[[float, float], bool]] = {
    "EQUAL": lambda value, wanted: value == wanted,
    "NOT_EQUAL": lambda value, wanted: value != wanted,
    "GREATER": lambda value, wanted: value > wanted,
    "LESS": lambda value, wanted: value < wanted,
    "GREATER_OR_EQUAL": lambda value, wanted: value >= wanted,
    "LESS_OR_EQUAL": lambda value, wanted: value <= wanted,
}


def _boolean_passes(value: Any, operation: str, wanted: Any, _predicate: Mapping[str, Any]) -> bool:
    if operation not in {"EQUAL", "NOT_EQUAL"}:
        raise invalid(f"Unsupported boolean operation: {operation}")
    return isinstance(value, bool) and (value == bool(wanted)) == (operation == "EQUAL")


_PREDICATES = {"STRING": _text_passes, "NUMERIC": _number_passes, "BOOLEAN": _boolean_passes}


def name_pattern(text: str) -> "re.Pattern[str]":
    """Return what a name filter means: a prefix, case does not matter, `%` is any text."""
    return re.compile(".*".join(re.escape(part) for part in text.split("%")), re.IGNORECASE | re.DOTALL)
