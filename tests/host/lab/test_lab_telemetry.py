"""Attributes and telemetry over REST, and a property test of their semantics against a small model."""

import time
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab_operator import Operator

from cota.lab.server import Lab

_ZERO = "00000000-0000-0000-0000-000000000000"


def _base(device: dict[str, Any]) -> str:
    return f"/api/plugins/telemetry/DEVICE/{device['id']['id']}"


def _text(answer: httpx2.Response, status: int, text: str) -> None:
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["content-type"].startswith("text/plain")


def test_latest_values_are_text_unless_strict_types_are_asked_for(operator: Operator) -> None:
    device, _ = operator.device()
    given = {"text": "v1", "long": 7, "double": 12345678.5, "flag": True, "tree": {"a": [1]}, "cast": "1.10"}
    operator.post(f"{_base(device)}/timeseries/ANY", {"ts": 5, "values": given})
    found = operator.get(f"{_base(device)}/values/timeseries")
    texts = {"text": "v1", "long": "7", "double": "1.23456785E7", "flag": "true", "tree": '{"a":[1]}', "cast": "1.1"}
    assert found == {key: [{"ts": 5, "value": value}] for key, value in texts.items()}
    assert operator.latest(device) == given | {"cast": 1.1}
    assert operator.get(f"{_base(device)}/keys/timeseries") == sorted(given)


def test_a_key_that_never_existed_is_null_dated_now(operator: Operator) -> None:
    device, _ = operator.device()
    operator.post(f"{_base(device)}/timeseries/ANY", {"ts": 5, "values": {"here": 1}})
    found = operator.get(f"{_base(device)}/values/timeseries", keys="here,never")
    assert found["here"] == [{"ts": 5, "value": "1"}]
    assert found["never"][0]["value"] is None
    assert abs(found["never"][0]["ts"] - time.time() * 1000) < 60_000
    assert operator.get(f"{_base(device)}/values/timeseries", keys="never", useStrictDataTypes="true")["never"][0]["value"] is None
    assert operator.get(f"{_base(device)}/values/timeseries") == {"here": [{"ts": 5, "value": "1"}]}


def test_history_is_cut_limited_ordered_and_aggregated(operator: Operator) -> None:
    device, _ = operator.device()
    for ts in range(0, 100, 10):
        operator.post(f"{_base(device)}/timeseries/ANY", {"ts": ts, "values": {"k": ts, "other": "x"}})

    def read(path: str = "/values/timeseries/history", **params: Any) -> list[int]:
        wanted = {"keys": "k,never", "startTs": 0, "endTs": 1000, "useStrictDataTypes": "true"} | params
        found = operator.get(_base(device) + path, **wanted)
        assert set(found) <= {"k"}
        return [one["value"] for one in found.get("k", [])]

    assert read() == list(range(90, -1, -10))
    assert read("/values/timeseries") == read()
    assert read(orderBy="ASC", limit=3) == [0, 10, 20]
    assert read(startTs=20, endTs=50) == [40, 30, 20]
    assert read(startTs=500, endTs=600) == []
    assert read(agg="MAX", interval=50, endTs=100) == [40, 90]
    assert read(agg="COUNT", endTs=100) == [10]
    assert operator.get(f"{_base(device)}/values/timeseries/history", keys="k", startTs=0, endTs=100, agg="AVG", interval=100) == {
        "k": [{"ts": 50, "value": "45.0"}]
    }
    path = f"{_base(device)}/values/timeseries/history"
    for bad in ({"keys": "k", "startTs": 0}, {"startTs": 0, "endTs": 1}, {"keys": "k", "startTs": "a", "endTs": 1}):
        assert operator.http.get(path, params=bad).status_code == 400
    for bad in ({"agg": "MEDIAN"}, {"limit": 0}, {"limit": "9" * 30}):
        assert operator.http.get(path, params={"keys": "k", "startTs": 0, "endTs": 1} | bad).status_code == 400


def test_telemetry_is_deleted_whole_or_by_time(operator: Operator) -> None:
    device, _ = operator.device()

    def history() -> list[int]:
        found = operator.get(f"{_base(device)}/values/timeseries/history", keys="k", startTs=0, endTs=1000, orderBy="ASC")
        return [one["ts"] for one in found.get("k", [])]

    def delete(**params: Any) -> None:
        operator.http.delete(f"{_base(device)}/timeseries/delete", params={"keys": "k"} | params).raise_for_status()

    def fill() -> None:
        operator.post(f"{_base(device)}/timeseries/ANY", [{"ts": ts, "values": {"k": ts}} for ts in (10, 20, 30)])

    fill()
    delete(startTs=0, endTs=20)
    assert (history(), operator.latest(device, "k")) == ([20, 30], {"k": 30})
    delete(startTs=30, endTs=31, deleteLatest="false")
    assert (history(), operator.latest(device, "k")) == ([20], {"k": 30})
    fill()
    delete(startTs=30, endTs=31, rewriteLatestIfDeleted="true")
    assert (history(), operator.latest(device, "k")) == ([10, 20], {"k": 20})
    delete(deleteAllDataForKeys="true")
    assert (history(), operator.latest(device)) == ([], {})
    _text(operator.http.delete(f"{_base(device)}/timeseries/delete", params={"deleteAllDataForKeys": "true"}), 400, "Empty keys: ")
    assert operator.http.delete(f"{_base(device)}/timeseries/delete", params={"keys": "k"}).status_code == 400


def test_attributes_have_three_scopes_and_keys_may_hold_commas(operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    device_http.post(f"/api/v1/{token}/attributes", json={"a": "client"})
    operator.post(f"{_base(device)}/SHARED_SCOPE", {"a": "shared", "x,y": "comma"})
    operator.post(f"{_base(device)}/attributes/SERVER_SCOPE", {"a": "1.50"})
    everything = operator.get(f"{_base(device)}/values/attributes", keys="a")
    assert [one["value"] for one in everything] == ["client", "shared", 1.5]
    assert all(set(one) == {"lastUpdateTs", "key", "value"} for one in everything)
    by_key = httpx2.QueryParams([("key", "x,y"), ("key", "missing")])
    found = operator.http.get(f"{_base(device)}/values/attributes/SHARED_SCOPE", params=by_key).json()
    assert [(one["key"], one["value"]) for one in found] == [("x,y", "comma")]
    assert operator.get(f"{_base(device)}/keys/attributes/CLIENT_SCOPE") == ["a"]
    assert {"a", "x,y", "active"} <= set(operator.get(f"{_base(device)}/keys/attributes"))
    device_id = device["id"]["id"]
    operator.post(f"/api/plugins/telemetry/{device_id}/SHARED_SCOPE", {"b": 1})
    operator.http.delete(f"/api/plugins/telemetry/{device_id}/SHARED_SCOPE?keys=a").raise_for_status()
    operator.http.request("DELETE", f"{_base(device)}/CLIENT_SCOPE?keys=a").raise_for_status()
    assert operator.attributes(device, "SHARED_SCOPE") == {"x,y": "comma", "b": 1}
    assert operator.attributes(device, "CLIENT_SCOPE") == {}


def test_errors_are_plain_text_as_thingsboards_controller_gives_them(operator: Operator) -> None:
    device, _ = operator.device()
    base = _base(device)
    _text(operator.http.post(f"{base}/CLIENT_SCOPE", json={"a": 1}), 400, "Invalid scope: CLIENT_SCOPE")
    _text(operator.http.post(f"{base}/SHARED_SCOPE", content=b"{"), 400, "Invalid JSON")
    _text(operator.http.post(f"{base}/SHARED_SCOPE", json=[1]), 400, "Request is not a JSON object")
    _text(operator.http.post(f"{base}/SHARED_SCOPE", json={}), 400, "No attributes data found in request body!")
    _text(operator.http.post(f"{base}/SHARED_SCOPE", json={" ": 1}), 400, "Key cannot be empty or contain only spaces")
    _text(operator.http.delete(f"{base}/SHARED_SCOPE"), 400, "Empty keys: ")
    _text(operator.http.get(f"{base}/values/attributes/MY_SCOPE"), 400, "Invalid attribute scope: MY_SCOPE")
    _text(operator.http.post(f"{base}/timeseries/ANY", content=b"{"), 400, "Unable to parse timeseries payload: Invalid JSON body!")
    _text(operator.http.post(f"{base}/timeseries/ANY", json={}), 400, "No timeseries data found in request body!")
    unknown = f"/api/plugins/telemetry/DEVICE/{_ZERO}/values/timeseries"
    _text(operator.http.get(unknown), 404, "Device with requested id wasn't found!")
    _text(operator.http.get(unknown.replace("DEVICE", "SPACESHIP")), 404, "Entity with requested id wasn't found!")


def test_a_thousand_keys_may_be_named_at_once(operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    device_http.post(f"/api/v1/{token}/telemetry", json={"k7": 1, "other": 2})
    device_http.post(f"/api/v1/{token}/attributes", json={"k8": 1, "other": 2})
    keys = ",".join(f"k{n}" for n in range(1000))
    assert device_http.get(f"/api/v1/{token}/attributes", params={"clientKeys": keys}).json() == {"client": {"k8": 1}}
    found = operator.get(f"{_base(device)}/values/timeseries", keys=keys)
    assert [key for key, (one,) in found.items() if one["value"] is not None] == ["k7"]


def test_other_entities_carry_values_too(operator: Operator) -> None:
    profile = operator.profile()
    for kind, entity in (("DEVICE_PROFILE", profile["id"]["id"]), ("TENANT", profile["tenantId"]["id"])):
        base = f"/api/plugins/telemetry/{kind}/{entity}"
        operator.post(f"{base}/SERVER_SCOPE", {"wave": 1})
        assert [one["value"] for one in operator.get(f"{base}/values/attributes/SERVER_SCOPE")] == [1]


# --- the model ----------------------------------------------------------------------------------------------------------------------------

_KEYS = st.sampled_from(["a", "b", "fw_state"])
# Values that no cast touches, and strings that look like numbers with what they become.
_PLAIN = st.one_of(
    *(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.sampled_from(["", "UPDATED", "1.2.3", "v7", "é", "5."])),
    st.lists(st.integers(-5, 5), max_size=2),
)
_CAST = st.sampled_from([("1.10", 1.1), ("2", 2), ("007", 7), ("-.5", -0.5), ("1.0", 1.0)])
_VALUES = st.one_of(_PLAIN.map(lambda value: (value, value)), _CAST, st.just((None, None)))
_ACTIONS = st.one_of(
    st.tuples(st.just("telemetry"), st.lists(st.tuples(st.integers(0, 6), st.dictionaries(_KEYS, _VALUES, max_size=2)), max_size=3)),
    st.tuples(st.just("client"), st.dictionaries(_KEYS, _VALUES, min_size=1)),
    st.tuples(st.just("shared"), st.dictionaries(_KEYS, _VALUES.filter(lambda pair: pair[0] is not None), min_size=1)),
    st.tuples(st.just("unshare"), st.lists(_KEYS, min_size=1, unique=True)),
    st.tuples(st.just("forget"), _KEYS),
)


class _Model:
    def __init__(self) -> None:
        self.latest: dict[str, tuple[int, Any]] = {}
        self.history: dict[str, dict[int, Any]] = {}
        self.scopes: dict[str, dict[str, Any]] = {"client": {}, "shared": {}}

    def telemetry(self, ts: int, values: dict[str, tuple[Any, Any]]) -> None:
        for key, (_, kept) in values.items():
            if kept is None:
                continue
            self.history.setdefault(key, {})[ts] = kept
            if key not in self.latest or ts >= self.latest[key][0]:
                self.latest[key] = (ts, kept)


def _posted(values: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {key: posted for key, (posted, _) in values.items()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(_ACTIONS, max_size=12))
def test_values_behave_like_the_model(lab: Lab, operator: Operator, actions: list[tuple[str, Any]]) -> None:
    device, token = operator.device()
    model, board = _Model(), f"/api/v1/{token}"
    for action, argument in actions:
        if action == "telemetry":
            body = [{"ts": ts, "values": _posted(values)} for ts, values in argument]
            assert operator.http.post(f"{board}/telemetry", json=body).status_code == 200
            for ts, values in argument:
                model.telemetry(ts, values)
        elif action in {"client", "shared"}:
            path = f"{board}/attributes" if action == "client" else f"{_base(device)}/SHARED_SCOPE"
            assert operator.http.post(path, json=_posted(argument)).status_code == 200
            model.scopes[action] |= {key: kept for key, (_, kept) in argument.items() if kept is not None}
        elif action == "unshare":
            operator.http.delete(f"{_base(device)}/SHARED_SCOPE", params={"keys": ",".join(argument)}).raise_for_status()
            model.scopes["shared"] = {key: value for key, value in model.scopes["shared"].items() if key not in argument}
        else:
            params = {"keys": argument, "deleteAllDataForKeys": "true"}
            operator.http.delete(f"{_base(device)}/timeseries/delete", params=params).raise_for_status()
            model.latest.pop(argument, None)
            model.history.pop(argument, None)
    seen = operator.get(f"{board}/attributes")
    _same(seen, {scope: values for scope, values in model.scopes.items() if values})
    _same(operator.latest(device), {key: value for key, (_, value) in model.latest.items()})
    params = {"keys": "a,b,fw_state", "startTs": -10, "endTs": 100, "useStrictDataTypes": "true", "orderBy": "ASC"}
    history = operator.get(f"{_base(device)}/values/timeseries/history", **params)
    _same({key: {str(one["ts"]): one["value"] for one in samples} for key, samples in history.items()}, _text_keys(model.history))


def _text_keys(history: dict[str, dict[int, Any]]) -> dict[str, dict[str, Any]]:
    return {key: {str(ts): value for ts, value in samples.items()} for key, samples in history.items()}


def _same(found: Any, expected: Any) -> None:
    assert found == expected
    for key, value in expected.items():
        if isinstance(value, dict):
            _same(found[key], value)
        else:
            assert type(found[key]) is type(value)


@pytest.mark.parametrize("ts", [-(2**63), -1, 2**63 - 1])
def test_any_time_that_a_long_holds_is_kept(operator: Operator, device_http: httpx2.Client, ts: int) -> None:
    device, token = operator.device()
    assert device_http.post(f"/api/v1/{token}/telemetry", json={"ts": ts, "values": {"k": 1}}).status_code == 200
    assert operator.get(f"{_base(device)}/values/timeseries", keys="k") == {"k": [{"ts": ts, "value": "1"}]}
