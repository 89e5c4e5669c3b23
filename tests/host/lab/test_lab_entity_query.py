"""Entity queries over REST: which devices match, in what order, how they are shown."""

import time
from typing import Any

import pytest
from lab_operator import Operator, unique


@pytest.fixture(scope="module")
def fleet(operator: Operator) -> dict[str, Any]:
    """Six devices of one profile with states, numbers and flags."""
    profile = operator.profile()
    states = [("one", "UPDATED", 10, True), ("two", "FAILED", 2.5, False), ("three", "failed", -1, True), ("four", None, None, None)]
    devices = {}
    for name, state, number, flag in states:
        device, token = operator.device(profile, name=unique(name), label=f"shelf {name}")
        values = {key: value for key, value in (("fw_state", state), ("count", number), ("flag", flag)) if value is not None}
        if values:
            operator.http.post(f"/api/v1/{token}/telemetry", json={"ts": 1000, "values": values}).raise_for_status()
        devices[name] = device
    operator.post(f"/api/plugins/telemetry/DEVICE/{devices['one']['id']['id']}/SHARED_SCOPE", {"fw_version": "v2"})
    operator.post(f"/api/plugins/telemetry/DEVICE/{devices['two']['id']['id']}/SHARED_SCOPE", {"fw_version": "v1"})
    return {"profile": profile, "devices": devices}


def _find(operator: Operator, fleet: dict[str, Any], **more: Any) -> dict[str, Any]:
    query: dict[str, Any] = {
        "entityFilter": {"type": "deviceType", "deviceTypes": [fleet["profile"]["name"]], "deviceNameFilter": ""},
        "pageLink": {"pageSize": 100, "page": 0, "textSearch": None, "sortOrder": None},
        "entityFields": [{"type": "ENTITY_FIELD", "key": "name"}],
        "latestValues": [],
        "keyFilters": [],
    }
    found: dict[str, Any] = operator.post("/api/entitiesQuery/find", query | more)
    return found


def _names(fleet: dict[str, Any], found: dict[str, Any]) -> list[str]:
    by_id = {device["id"]["id"]: name for name, device in fleet["devices"].items()}
    return [by_id[one["entityId"]["id"]] for one in found["data"]]


def _filter(kind: str, key: str, predicate: str, operation: str, value: Any, **more: Any) -> dict[str, Any]:
    inner = {"type": predicate, "operation": operation, "value": {"defaultValue": value, "dynamicValue": None}, **more}
    return {"key": {"type": kind, "key": key}, "valueType": predicate, "predicate": inner}


def test_a_query_shows_values_as_text_and_what_is_missing_as_empty(operator: Operator, fleet: dict[str, Any]) -> None:
    keys = [("TIME_SERIES", "fw_state"), ("TIME_SERIES", "count"), ("TIME_SERIES", "flag"), ("SHARED_ATTRIBUTE", "fw_version")]
    latest = [{"type": kind, "key": key} for kind, key in [*keys, ("SERVER_ATTRIBUTE", "active"), ("ATTRIBUTE", "fw_version")]]
    found = _find(operator, fleet, latestValues=latest, pageLink={"pageSize": 10, "page": 0})
    assert (found["totalElements"], found["totalPages"], found["hasNext"]) == (4, 1, False)
    one = found["data"][0]
    assert one["entityId"] == fleet["devices"]["one"]["id"]
    assert one["latest"]["TIME_SERIES"]["fw_state"] == {"ts": 1000, "value": "UPDATED"}
    assert [one["latest"]["TIME_SERIES"][key]["value"] for key in ("count", "flag")] == ["10", "true"]
    assert one["latest"]["SHARED_ATTRIBUTE"]["fw_version"]["value"] == one["latest"]["ATTRIBUTE"]["fw_version"]["value"] == "v2"
    assert one["latest"]["SERVER_ATTRIBUTE"]["active"]["value"] == "true"
    assert one["latest"]["ENTITY_FIELD"]["name"]["value"] == fleet["devices"]["one"]["name"]
    assert abs(one["latest"]["ENTITY_FIELD"]["name"]["ts"] - time.time() * 1000) < 60_000
    assert (one["timeseries"], one["aggLatest"]) == ({}, {})
    assert found["data"][3]["latest"]["TIME_SERIES"]["fw_state"] == {"ts": 0, "value": ""}


def test_entity_fields_of_a_device(operator: Operator, fleet: dict[str, Any]) -> None:
    names = ["createdTime", "entityType", "name", "type", "label", "additionalInfo", "ownerName", "ownerType", "displayName", "nonsense"]
    found = _find(operator, fleet, entityFields=[{"type": "ENTITY_FIELD", "key": name} for name in names])
    device, shown = fleet["devices"]["one"], {key: cell["value"] for key, cell in found["data"][0]["latest"]["ENTITY_FIELD"].items()}
    expected = {"createdTime": str(device["createdTime"]), "entityType": "DEVICE", "name": device["name"], "type": device["type"]}
    expected |= {
        "label": "shelf one",
        "additionalInfo": "",
        "ownerName": "Tenant",
        "ownerType": "TENANT",
        "displayName": "shelf one",
        "nonsense": "",
    }
    assert shown == expected


_STATE = ("TIME_SERIES", "fw_state", "STRING")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (_filter(*_STATE, "EQUAL", "FAILED"), ["two"]),
        (_filter(*_STATE, "EQUAL", "FAILED", ignoreCase=True), ["two", "three"]),
        (_filter(*_STATE, "NOT_EQUAL", "FAILED"), ["one", "three", "four"]),
        (_filter(*_STATE, "STARTS_WITH", "UP"), ["one"]),
        (_filter(*_STATE, "ENDS_WITH", "ED"), ["one", "two"]),
        (_filter(*_STATE, "CONTAINS", "AIL"), ["two"]),
        (_filter(*_STATE, "NOT_CONTAINS", "AIL"), ["one", "three", "four"]),
        (_filter(*_STATE, "IN", "UPDATED, failed"), ["one", "three"]),
        (_filter(*_STATE, "NOT_IN", "UPDATED, failed"), ["two", "four"]),
        (_filter("TIME_SERIES", "count", "STRING", "EQUAL", "10"), []),
        (_filter("TIME_SERIES", "count", "NUMERIC", "EQUAL", 10), ["one"]),
        (_filter("TIME_SERIES", "count", "NUMERIC", "NOT_EQUAL", 10), ["two", "three"]),
        (_filter("TIME_SERIES", "count", "NUMERIC", "GREATER", 2.5), ["one"]),
        (_filter("TIME_SERIES", "count", "NUMERIC", "GREATER_OR_EQUAL", 2.5), ["one", "two"]),
        (_filter("TIME_SERIES", "count", "NUMERIC", "LESS", 0), ["three"]),
        (_filter("TIME_SERIES", "count", "NUMERIC", "LESS_OR_EQUAL", 2.5), ["two", "three"]),
        (_filter("TIME_SERIES", "flag", "BOOLEAN", "EQUAL", True), ["one", "three"]),
        (_filter("TIME_SERIES", "flag", "BOOLEAN", "NOT_EQUAL", True), ["two"]),
        (_filter("SERVER_ATTRIBUTE", "active", "BOOLEAN", "EQUAL", False), ["four"]),
        (_filter("ENTITY_FIELD", "label", "STRING", "EQUAL", "shelf two"), ["two"]),
        (_filter("ENTITY_FIELD", "createdTime", "NUMERIC", "GREATER", 0), ["one", "two", "three", "four"]),
    ],
)
def test_a_predicate_chooses_by_type(operator: Operator, fleet: dict[str, Any], given: dict[str, Any], names: list[str]) -> None:
    assert _names(fleet, _find(operator, fleet, keyFilters=[given])) == names
    query = {"entityFilter": {"type": "deviceType", "deviceTypes": [fleet["profile"]["name"]]}, "keyFilters": [given]}
    assert operator.post("/api/entitiesQuery/count", query) == len(names)


def test_filters_are_joined_with_and_and_predicates_as_they_say(operator: Operator, fleet: dict[str, Any]) -> None:
    failed, active = _filter(*_STATE, "EQUAL", "FAILED"), _filter("SERVER_ATTRIBUTE", "active", "BOOLEAN", "EQUAL", True)
    assert _names(fleet, _find(operator, fleet, keyFilters=[failed, active])) == ["two"]
    assert _names(fleet, _find(operator, fleet, keyFilters=[failed, active], keyFiltersOperation="OR")) == ["one", "two", "three"]
    parts = [failed["predicate"], _filter(*_STATE, "EQUAL", "UPDATED")["predicate"]]
    for operation, names in (("OR", ["one", "two"]), ("AND", [])):
        either = failed | {"predicate": {"type": "COMPLEX", "operation": operation, "predicates": parts}}
        assert _names(fleet, _find(operator, fleet, keyFilters=[either])) == names
    by_user = failed | {"predicate": failed["predicate"] | {"value": {"defaultValue": "FAILED", "userValue": "UPDATED"}}}
    assert _names(fleet, _find(operator, fleet, keyFilters=[by_user])) == ["one"]


def test_a_query_is_sorted_paged_and_searched(operator: Operator, fleet: dict[str, Any]) -> None:
    def read(key: str, direction: str = "ASC", kind: str = "TIME_SERIES", **more: Any) -> list[str]:
        order = {"key": {"type": kind, "key": key}, "direction": direction}
        found = _find(operator, fleet, pageLink={"pageSize": 100, "page": 0, "sortOrder": order} | more)
        return _names(fleet, found)

    assert read("count") == ["four", "three", "two", "one"]
    assert read("count", "DESC") == ["one", "two", "three", "four"]
    assert read("name", "ASC", "ENTITY_FIELD") == ["four", "one", "three", "two"]
    assert read("count", pageSize=3, page=1) == ["one"]
    assert read("count", textSearch="TWO-") == ["two"]
    assert read("count", textSearch="%") == []


def test_entity_filters_choose_devices(operator: Operator, fleet: dict[str, Any]) -> None:
    one, two = fleet["devices"]["one"], fleet["devices"]["two"]
    count = "/api/entitiesQuery/count"

    def names(**entity_filter: Any) -> list[str]:
        return _names(fleet, _find(operator, fleet, entityFilter=entity_filter))

    assert names(type="singleEntity", singleEntity=one["id"]) == ["one"]
    missing = "00000000-0000-0000-0000-000000000000"
    assert names(type="entityList", entityType="DEVICE", entityList=[two["id"]["id"], one["id"]["id"], missing]) == ["two", "one"]
    assert names(type="entityName", entityType="DEVICE", entityNameFilter=one["name"].upper()) == ["one"]
    assert names(type="entityName", entityType="DEVICE", entityNameFilter=f"%{one['name'][1:]}") == ["one"]
    assert names(type="deviceType", deviceType=fleet["profile"]["name"], deviceNameFilter="t") == ["two", "three"]
    assert names(type="deviceType", deviceTypes=["nothing"]) == []
    assert operator.post(count, {"entityFilter": {"type": "entityType", "entityType": "DEVICE"}}) >= 4
    assert operator.post(count, {"entityFilter": {"type": "entityType", "entityType": "ASSET"}}) == 0


_KEY = {"type": "TIME_SERIES", "key": "a"}


@pytest.mark.parametrize(
    "change",
    [
        {"entityFilter": {"type": "relationsQuery"}},
        {"entityFilter": None},
        {"entityFilter": {"type": "deviceType", "deviceTypes": "x"}},
        {"entityFilter": {"type": "entityList", "entityType": "DEVICE", "entityList": [7]}},
        {"pageLink": {"pageSize": 0, "page": 0}},
        {"pageLink": {"pageSize": "many", "page": 0}},
        {"pageLink": {"pageSize": 1, "page": -1}},
        {"pageLink": {"pageSize": 1, "page": 0, "sortOrder": {"key": {"type": "MAGIC", "key": "x"}}}},
        {"entityFields": [7]},
        {"entityFields": 7},
        {"latestValues": [{"type": "TIME_SERIES"}]},
        {"keyFilters": 7},
        {"keyFilters": [7]},
        {"keyFilters": [{"key": _KEY}]},
        {"keyFilters": [{"key": _KEY, "predicate": {"type": "MAGIC"}}]},
        {"keyFilters": [{"key": _KEY, "predicate": {"type": "COMPLEX", "predicates": 7}}]},
        {"keyFilters": [_filter("TIME_SERIES", "count", "NUMERIC", "EQUAL", "ten")]},
        {"keyFilters": [_filter("TIME_SERIES", "count", "NUMERIC", "CONTAINS", 1)]},
        {"keyFilters": [_filter("TIME_SERIES", "count", "STRING", "GREATER", "x")]},
        {"keyFilters": [_filter("TIME_SERIES", "count", "BOOLEAN", "LESS", True)]},
    ],
)
def test_a_senseless_query_is_refused(operator: Operator, fleet: dict[str, Any], change: dict[str, Any]) -> None:
    query = {
        "entityFilter": {"type": "deviceType", "deviceTypes": [fleet["profile"]["name"]]},
        "pageLink": {"pageSize": 1, "page": 0},
    } | change
    answer = operator.http.post("/api/entitiesQuery/find", json=query)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 31), answer.text
