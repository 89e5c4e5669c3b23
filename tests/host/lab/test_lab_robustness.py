"""No request, however odd, makes the lab fault: every answer is one that somebody thought of."""

from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab_operator import Operator, unique

from cota.lab.app import build
from cota.lab.server import Lab

_ZERO = "00000000-0000-0000-0000-000000000000"
_WORDS = st.sampled_from(["", "a", "1.10", "DEVICE", "FIRMWARE", "DEFAULT", "SHARED_SCOPE", "MD5", _ZERO, "\x00", "é" * 300, "OR"])
_LEAVES = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False) | _WORDS
_FIELDS = st.sampled_from(
    [
        "id",
        "name",
        "title",
        "version",
        "type",
        "label",
        "deviceProfileId",
        "firmwareId",
        "deviceData",
        "profileData",
        "usesUrl",
        "url",
        "provisionType",
        "provisionDeviceKey",
        "provisionConfiguration",
        "transportType",
        "default",
        "device",
        "credentials",
        "dataSize",
        "credentialsType",
        "credentialsId",
        "credentialsValue",
        "deviceId",
        "method",
        "params",
        "timeout",
        "username",
        "password",
        "checksum",
        "entityFilter",
        "keyFilters",
        "pageLink",
        "entityFields",
        "latestValues",
        "pageSize",
        "page",
        "key",
        "predicate",
        "predicates",
        "ts",
        "operation",
        "value",
        "sortOrder",
        "entityType",
        "entityList",
        "singleEntity",
        "deviceTypes",
        "values",
        "description",
        "userId",
        "expirationTime",
        "provisionDeviceSecret",
        "secretKey",
        "refreshToken",
        "checksumAlgorithm",
        "additionalInfo",
        "deviceName",
    ]
)
_BODIES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_FIELDS, inner, max_size=5), max_leaves=12)
_PARAMETERS = st.dictionaries(
    st.sampled_from(
        [
            "pageSize",
            "page",
            "keys",
            "key",
            "startTs",
            "endTs",
            "limit",
            "agg",
            "interval",
            "sortProperty",
            "timeout",
            "size",
            "chunk",
            "textSearch",
            "type",
            "active",
            "deviceProfileId",
            "deviceIds",
            "deviceName",
            "title",
            "version",
            "accessToken",
            "orderBy",
        ]
    ),
    st.sampled_from(["", "1", "0", "-1", "10", "a", "a,b", "9" * 25, "true", "MAX", "DESC", _ZERO, "\x00", "é"]),
    max_size=6,
)


def _routes(lab: Lab) -> list[tuple[str, str]]:
    routes = build(lab.core, []).routes
    paths = [
        (method, str(getattr(route, "path", ""))) for route in routes for method in sorted(getattr(route, "methods", set()) - {"HEAD"})
    ]
    # A new password would lock the operator out, and a long poll only waits.
    return [(method, path) for method, path in paths if "changePassword" not in path and "logout" not in path and "updates" not in path]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data(), body=_BODIES, parameters=_PARAMETERS)
def test_no_request_is_answered_with_a_fault(lab: Lab, operator: Operator, data: Any, body: Any, parameters: dict[str, str]) -> None:
    method, path = data.draw(st.sampled_from(_routes(lab)))
    device, token = _device(operator)
    kinds = {"{kind}": "DEVICE", "{token}": token, "{scope}": "SHARED_SCOPE", "{enabled}": "true", "{ttl}": "1", "{number}": "1"}
    for part, value in kinds.items():
        path = path.replace(part, value)
    if method != "DELETE":
        path = path.replace("{id}", device["id"]["id"])
    for part in ("{id}", "{profile}", "{customer}"):
        path = path.replace(part, _ZERO)
    if "/rpc" in path and isinstance(body, dict):
        body.pop("method", None)
    answer = operator.http.request(method, path, json=body, params=parameters or None)
    assert "Internal server error" not in answer.text, f"{method} {path} {parameters} {body}"


_known: list[tuple[dict[str, Any], str]] = []


def _device(operator: Operator) -> tuple[dict[str, Any], str]:
    if not _known:
        _known.append(operator.device(name=unique("target")))
    return _known[0]


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1",
        b"GET /api/v1//attributes HTTP/1.1",
        b"GET /api/v1/%00/attributes HTTP/1.1",
        b"GET /api/v1/%ff%fe/attributes HTTP/1.1",
    ],
)
def test_an_odd_path_gets_an_answer(lab: Lab, request_line: bytes) -> None:
    path = request_line.split()[1].decode()
    with httpx2.Client() as client:
        assert client.get(httpx2.URL(lab.url + path)).status_code in ({307} if path == "/" else {401, 404})  # / leads to the page
