"""The device HTTP API through real sockets: statuses, bodies and oddities of ThingsBoard's DeviceApiController."""

import json
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lab_operator import PASSWORD, TIMING, Operator, receive, unique, until

from cota.lab.core import Timing
from cota.lab.server import Lab, LabConfig, running_lab


def _error(answer: httpx2.Response, status: int, code: int) -> str:
    body = answer.json()
    assert (answer.status_code, body["status"], body["errorCode"]) == (status, status, code), answer.text
    assert set(body) == {"status", "message", "errorCode", "timestamp"}
    assert abs(body["timestamp"] - time.time() * 1000) < 60_000
    return str(body["message"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "attributes"),
        ("POST", "attributes"),
        ("GET", "attributes/updates"),
        ("POST", "telemetry"),
        ("GET", "rpc"),
        ("POST", "rpc"),
        ("POST", "rpc/1"),
        ("POST", "claim"),
        ("GET", "firmware?title=a&version=b"),
        ("GET", "software?title=a&version=b"),
    ],
)
def test_an_unknown_token_gets_401_without_a_body(device_http: httpx2.Client, method: str, path: str) -> None:
    answer = device_http.request(method, f"/api/v1/nobody/{path}", content=b"{}" if method == "POST" else None)
    assert (answer.status_code, answer.content) == (401, b"")


def test_attributes_that_do_not_exist_are_absent_and_nothing_at_all_is_an_empty_object(
    operator: Operator, device_http: httpx2.Client
) -> None:
    _, token = operator.device()
    assert device_http.get(f"/api/v1/{token}/attributes").content == b"{}"
    assert device_http.get(f"/api/v1/{token}/attributes", params={"sharedKeys": "fw_title", "clientKeys": "x"}).content == b"{}"


def test_attributes_are_chosen_by_scope_and_key(operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    device_http.post(f"/api/v1/{token}/attributes", json={"a": "1.2.3", "b": {"c": [1, None]}, "d": None})
    operator.post(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SHARED_SCOPE", {"fw_size": 7, "a": True})

    def read(**params: Any) -> Any:
        return device_http.get(f"/api/v1/{token}/attributes", params=params).json()

    client, shared = {"a": "1.2.3", "b": {"c": [1, None]}}, {"a": True, "fw_size": 7}
    assert read() == {"client": client, "shared": shared}
    assert read(sharedKeys="a,missing") == {"shared": {"a": True}}
    assert read(clientKeys="a", sharedKeys="fw_size") == {"client": {"a": "1.2.3"}, "shared": {"fw_size": 7}}
    assert read(sharedKeys=["a", "fw_size"]) == {"shared": shared}
    assert read(sharedKeys="", clientKeys="") == {"client": client, "shared": shared}


def test_a_posted_value_is_cast_and_an_unchanged_attribute_keeps_its_time(operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    path = f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/attributes/CLIENT_SCOPE"
    assert device_http.post(f"/api/v1/{token}/attributes", json={"fw_version": "1.10"}).content == b""
    (first,) = operator.get(path)
    assert first["value"] == 1.1
    time.sleep(0.01)
    device_http.post(f"/api/v1/{token}/attributes", json={"fw_version": "1.10"})
    assert operator.get(path) == [first]
    device_http.post(f"/api/v1/{token}/attributes", json={"fw_version": "1.11"})
    (changed,) = operator.get(path)
    assert changed["value"] == 1.11
    assert changed["lastUpdateTs"] > first["lastUpdateTs"]


@pytest.mark.parametrize("path", ["attributes", "telemetry"])
@pytest.mark.parametrize(
    ("body", "text"),
    [(b"{", "Malformed JSON"), (b"7", "Can't parse value: 7"), (b"[7]", "Can't parse value: "), (b'{"a":"\\ud800"}', "Malformed JSON")],
)
def test_a_malformed_body_gets_500_and_plain_text(
    operator: Operator, device_http: httpx2.Client, path: str, body: bytes, text: str
) -> None:
    _, token = operator.device()
    answer = device_http.post(f"/api/v1/{token}/{path}", content=body)
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith(text)


@pytest.mark.parametrize("path", ["attributes", "telemetry", "rpc", "rpc/1"])
def test_an_empty_body_gets_400_and_json(operator: Operator, device_http: httpx2.Client, path: str) -> None:
    _, token = operator.device()
    assert "body is missing" in _error(device_http.post(f"/api/v1/{token}/{path}"), 400, 31)


def test_an_unknown_path_gets_404_and_json(device_http: httpx2.Client) -> None:
    _error(device_http.get("/api/v1/token/nothing"), 404, 2)


def test_an_empty_object_is_accepted_as_a_connection_test(operator: Operator, device_http: httpx2.Client) -> None:
    _, token = operator.device()
    assert [device_http.post(f"/api/v1/{token}/{path}", json={}).status_code for path in ("telemetry", "attributes", "claim")] == [200] * 3


def test_latest_telemetry_moves_only_forward(operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    for ts, value in ((1000, "first"), (2000, "second"), (1500, "late"), (2000, "same time")):
        device_http.post(f"/api/v1/{token}/telemetry", json={"ts": ts, "values": {"k": value}})
    assert operator.latest(device, "k") == {"k": "same time"}
    params = {"keys": "k", "startTs": 0, "endTs": 9999}
    history = operator.get(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/timeseries/history", **params)
    assert [(one["ts"], one["value"]) for one in history["k"]] == [(2000, "same time"), (1500, "late"), (1000, "first")]


def test_a_body_over_the_limit_gets_413_and_a_json_string(operator: Operator, device_http: httpx2.Client) -> None:
    _, token = operator.device()
    answer = device_http.post(f"/api/v1/{token}/rpc/1", content=b" " * 65_537)
    assert (answer.status_code, answer.json()) == (413, "Payload size exceeds the limit of 65536 bytes")

    def chunks() -> Any:
        yield from (b" " * 30_000 for _ in range(3))

    answer = device_http.post(f"/api/v1/{token}/rpc", content=chunks())
    assert (answer.status_code, answer.json()) == (413, "Payload size exceeds the limit of 65536 bytes")


def test_a_body_over_16_mib_is_refused_by_its_announced_length(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as raw:
        raw.sendall(f"POST /api/v1/{token}/telemetry HTTP/1.1\r\nHost: lab\r\nContent-Length: 16777217\r\n\r\n".encode())
        head = receive(raw)
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"Payload size exceeds the limit of 16777216 bytes" in head


# --- long polls -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(16) as executor:
        yield executor


def _poll(
    lab: Lab, pool: ThreadPoolExecutor, token: str, path: str = "attributes/updates", timeout: int = 900
) -> "Future[httpx2.Response]":
    before = lab.counters()["thingsboard"]["requests"]
    future = pool.submit(httpx2.get, f"{lab.url}/api/v1/{token}/{path}?timeout={timeout}", timeout=30)
    until(lambda: lab.counters()["thingsboard"]["requests"] > before)
    time.sleep(0.05)  # counted, but perhaps not yet waiting
    return future


def test_a_poll_ends_with_408_without_a_body_when_its_time_is_up(operator: Operator, device_http: httpx2.Client) -> None:
    _, token = operator.device()
    for path in ("attributes/updates?timeout=50", "rpc?timeout=50", "attributes/updates", "rpc?timeout=0"):
        answer = device_http.get(f"/api/v1/{token}/{path}")
        assert (answer.status_code, answer.content) == (408, b""), path


def test_a_poll_longer_than_the_monolith_allows_is_cut_with_503_and_a_null_message(operator: Operator, device_http: httpx2.Client) -> None:
    _, token = operator.device()
    answer = device_http.get(f"/api/v1/{token}/attributes/updates?timeout={round(TIMING.async_timeout * 1000) + 1}")
    assert _error(answer, 503, 2) == "None"
    assert answer.json()["message"] is None


@pytest.mark.parametrize("timeout", ["soon", "1e3", "9" * 30, "-1.5"])
def test_a_timeout_that_is_no_number_is_refused(operator: Operator, device_http: httpx2.Client, timeout: str) -> None:
    _, token = operator.device()
    _error(device_http.get(f"/api/v1/{token}/attributes/updates", params={"timeout": timeout}), 400, 31)


def test_one_push_ends_every_poll_of_that_device_and_of_no_other(lab: Lab, operator: Operator, pool: ThreadPoolExecutor) -> None:
    (device, token), (_, other) = operator.device(), operator.device()
    polls, bystander = [_poll(lab, pool, token) for _ in range(2)], _poll(lab, pool, other)
    operator.post(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/attributes/SHARED_SCOPE", {"a": "1.10", "b": "x"})
    assert [poll.result().json() for poll in polls] == [{"a": 1.1, "b": "x"}] * 2
    assert bystander.result().status_code == 408


def test_a_deletion_is_pushed_with_keys_that_never_existed(lab: Lab, operator: Operator, pool: ThreadPoolExecutor) -> None:
    device, token = operator.device()
    poll = _poll(lab, pool, token)
    operator.http.delete(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SHARED_SCOPE?keys=fw_url,never").raise_for_status()
    assert poll.result().json() == {"deleted": ["fw_url", "never"]}


def test_nothing_is_kept_between_two_polls(lab: Lab, operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    operator.post(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SHARED_SCOPE", {"a": 1})
    assert device_http.get(f"/api/v1/{token}/attributes/updates?timeout=50").status_code == 408


def test_a_server_attribute_is_nobodys_push(lab: Lab, operator: Operator, pool: ThreadPoolExecutor) -> None:
    device, token = operator.device()
    poll = _poll(lab, pool, token, timeout=300)
    operator.post(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SERVER_SCOPE", {"a": 1})
    assert poll.result().status_code == 408


def test_deleting_the_device_ends_its_polls_with_403(lab: Lab, operator: Operator, pool: ThreadPoolExecutor) -> None:
    device, token = operator.device()
    polls = [_poll(lab, pool, token), _poll(lab, pool, token, "rpc")]
    operator.http.delete(f"/api/device/{device['id']['id']}").raise_for_status()
    assert [(poll.result().status_code, poll.result().text) for poll in polls] == [(403, "Device was deleted!")] * 2


def test_the_ninth_poll_of_a_device_ends_the_first(lab: Lab, operator: Operator, pool: ThreadPoolExecutor) -> None:
    _, token = operator.device()
    polls = [_poll(lab, pool, token, timeout=20_000 // 25) for _ in range(9)]
    until(lambda: any(poll.done() for poll in polls))
    assert polls[0].result().status_code == 408


def test_a_poll_whose_client_hung_up_takes_no_rpc_from_the_next_one(lab: Lab, operator: Operator, pool: ThreadPoolExecutor) -> None:
    device, token = operator.device()
    with socket.create_connection(("127.0.0.1", lab.port)) as raw:
        raw.sendall(f"GET /api/v1/{token}/rpc?timeout=20000 HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        time.sleep(0.2)
    time.sleep(0.2)
    poll = _poll(lab, pool, token, "rpc")
    operator.post(f"/api/rpc/oneway/{device['id']['id']}", {"method": "blink", "params": {}})
    assert poll.result().json()["method"] == "blink"


# --- RPC --------------------------------------------------------------------------------------------------------------------------------


def test_a_twoway_call_brings_the_devices_reply(lab: Lab, operator: Operator, device_http: httpx2.Client, pool: ThreadPoolExecutor) -> None:
    device, token = operator.device()
    for base in ("/api/rpc", "/api/plugins/rpc"):
        body = {"method": "read", "params": {"pin": 1}, "timeout": 900}
        call = pool.submit(operator.http.post, f"{base}/twoway/{device['id']['id']}", json=body)
        asked = device_http.get(f"/api/v1/{token}/rpc?timeout=900").json()
        assert (asked["method"], asked["params"], type(asked["id"])) == ("read", {"pin": 1}, int)
        assert device_http.post(f"/api/v1/{token}/rpc/{asked['id']}", json={"value": 3}).content == b""
        assert call.result().json() == {"value": 3}


def test_a_call_that_nobody_fetches_or_answers_tells_which(
    operator: Operator, device_http: httpx2.Client, pool: ThreadPoolExecutor
) -> None:
    device, token = operator.device()
    body = {"method": "read", "timeout": 300}
    for base, unanswered, unfetched in (("/api/rpc", 504, 504), ("/api/plugins/rpc", 408, 409)):
        answer = operator.http.post(f"{base}/twoway/{device['id']['id']}", json=body)
        assert (answer.status_code, answer.content) == (unfetched, b"")
        call = pool.submit(operator.http.post, f"{base}/twoway/{device['id']['id']}", json=body)
        assert device_http.get(f"/api/v1/{token}/rpc?timeout=900").json()["method"] == "read"
        assert (call.result().status_code, call.result().content) == (unanswered, b"")
    assert device_http.get(f"/api/v1/{token}/rpc?timeout=50").status_code == 408


def test_a_oneway_call_ends_when_it_was_fetched(operator: Operator, device_http: httpx2.Client, pool: ThreadPoolExecutor) -> None:
    device, token = operator.device()
    call = pool.submit(operator.http.post, f"/api/rpc/oneway/{device['id']['id']}", json={"method": "blink", "timeout": 900})
    asked = device_http.get(f"/api/v1/{token}/rpc?timeout=900").json()
    assert (call.result().status_code, call.result().content) == (200, b"")
    assert device_http.post(f"/api/v1/{token}/rpc/{asked['id']}", json="too late").status_code == 200


def test_a_reply_to_another_devices_call_is_dropped(operator: Operator, device_http: httpx2.Client, pool: ThreadPoolExecutor) -> None:
    (device, token), (_, other) = operator.device(), operator.device()
    call = pool.submit(operator.http.post, f"/api/rpc/twoway/{device['id']['id']}", json={"method": "read", "timeout": 400})
    asked = device_http.get(f"/api/v1/{token}/rpc?timeout=900").json()
    device_http.post(f"/api/v1/{other}/rpc/{asked['id']}", json="mine")
    assert call.result().status_code == 504


def test_a_devices_own_call_ends_with_a_timeout_because_no_rule_answers(operator: Operator, device_http: httpx2.Client) -> None:
    _, token = operator.device()
    assert device_http.post(f"/api/v1/{token}/rpc", json={"method": "time", "params": {}}).json() == {"error": "timeout"}
    assert device_http.post(f"/api/v1/{token}/rpc", json={"params": {}}).status_code == 500


def test_bad_calls_are_refused(operator: Operator) -> None:
    device, _ = operator.device()
    path = f"/api/rpc/twoway/{device['id']['id']}"
    for body in ({"params": {}}, {"method": "x", "timeout": "long"}, {"method": "x", "timeout": -1}, [1]):
        _error(operator.http.post(path, json=body), 400, 31)
    missing = operator.http.post("/api/rpc/oneway/00000000-0000-0000-0000-000000000000", json={"method": "x"})
    assert "is not found" in _error(missing, 404, 32)


# --- download ---------------------------------------------------------------------------------------------------------------------------

DATA = bytes(range(256)) * 600 + b"tail"


@pytest.fixture(scope="module")
def served(operator: Operator) -> tuple[str, dict[str, Any]]:
    """A device with a package of 153,604 bytes, which is more than two stored pieces."""
    profile = operator.profile()
    package = operator.package(profile, DATA)
    device, token = operator.device(profile, firmwareId=package["id"])
    assert device["firmwareId"] == package["id"]
    return f"/api/v1/{token}/firmware", {"title": package["title"], "version": package["version"]}


def test_a_download_is_whole_or_in_chunks(device_http: httpx2.Client, served: tuple[str, dict[str, Any]]) -> None:
    path, named = served
    whole = device_http.get(path, params=named)
    assert whole.content == DATA
    assert whole.headers["content-disposition"] == "attachment;filename=app.bin"
    assert whole.headers["x-filename"] == "app.bin"
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.headers["content-length"] == str(len(DATA))
    for size in (1, 4096, 65_536, 65_537, len(DATA), len(DATA) + 1):
        count = -(-len(DATA) // size) if size > 1 else 3
        chunks = [device_http.get(path, params={**named, "size": size, "chunk": n}).content for n in range(count)]
        assert b"".join(chunks) == (DATA if size > 1 else DATA[:3])


def test_a_chunk_past_the_end_is_a_success_without_a_byte(device_http: httpx2.Client, served: tuple[str, dict[str, Any]]) -> None:
    path, named = served
    answer = device_http.get(path, params={**named, "size": len(DATA), "chunk": 1})
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("more", "status", "empty"),
    [
        ({"size": 100, "chunk": -1}, 500, True),
        ({"size": 65536, "chunk": 32768}, 500, True),
        ({"size": "big"}, 400, False),
        ({"size": 10, "chunk": "2147483648"}, 400, False),
        ({"version": "other"}, 400, True),
        ({"title": "other"}, 400, True),
        ({"title": None}, 400, False),
        ({"version": None}, 400, False),
    ],
)
def test_a_bad_download_request_is_refused_as_thingsboard_does(
    device_http: httpx2.Client, served: tuple[str, dict[str, Any]], more: dict[str, Any], status: int, empty: bool
) -> None:
    path, named = served
    params = {key: value for key, value in (named | more).items() if value is not None}
    answer = device_http.get(path, params=params)
    assert answer.status_code == status
    if empty:
        assert answer.content == b""
    else:
        _error(answer, 400, 31)


def test_nothing_to_download_is_404_without_a_body(operator: Operator, device_http: httpx2.Client) -> None:
    profile = operator.profile()
    package = operator.info(profile, url="http://example.com/app")
    _, nothing = operator.device(profile)
    _, by_url = operator.device(profile, firmwareId=package["id"])
    for token, kind in ((nothing, "firmware"), (by_url, "firmware"), (by_url, "software")):
        answer = device_http.get(f"/api/v1/{token}/{kind}", params={"title": package["title"], "version": "v1"})
        assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("0-9", 0, 9),
        ("65530-65545", 65530, 65545),
        ("153600-", 153600, 153603),
        ("-4", 153600, 153603),
        ("5-999999999", 5, 153603),
        ("-999999", 0, 153603),
    ],
)
def test_a_range_of_the_whole_file_resumes_a_download(
    device_http: httpx2.Client, served: tuple[str, dict[str, Any]], asked: str, first: int, last: int
) -> None:
    path, named = served
    answer = device_http.get(path, params=named, headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (206, DATA[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(DATA)}"


def test_a_range_outside_is_416_and_a_senseless_one_is_ignored(device_http: httpx2.Client, served: tuple[str, dict[str, Any]]) -> None:
    path, named = served
    for asked in (f"bytes={len(DATA)}-", "bytes=-0"):
        answer = device_http.get(path, params=named, headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(DATA)}")
    for asked in ("bytes=9-5", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "bytes=x-"):
        assert device_http.get(path, params=named, headers={"Range": asked}).content == DATA


# --- provisioning -----------------------------------------------------------------------------------------------------------------------


def _provisioning(operator: Operator, kind: str) -> dict[str, Any]:
    key = unique("key")
    data = {
        "configuration": {"type": "DEFAULT"},
        "transportConfiguration": {"type": "DEFAULT"},
        "provisionConfiguration": {"type": kind, "provisionDeviceSecret": f"secret of {key}"},
    }
    profile = operator.profile(provisionType=kind, provisionDeviceKey=key, profileData=data)
    assert profile["profileData"]["provisionConfiguration"] == data["provisionConfiguration"]
    return {"profile": profile, "asked": {"provisionDeviceKey": key, "provisionDeviceSecret": f"secret of {key}"}}


def test_a_new_device_makes_itself_known_once(operator: Operator, device_http: httpx2.Client) -> None:
    made = _provisioning(operator, "ALLOW_CREATE_NEW_DEVICES")
    name = unique("self-made")
    answer = device_http.post("/api/v1/provision", json=made["asked"] | {"deviceName": name})
    body = answer.json()
    assert (answer.status_code, body["status"], body["credentialsType"], len(body["credentialsValue"])) == (
        200,
        "SUCCESS",
        "ACCESS_TOKEN",
        20,
    )
    assert device_http.get(f"/api/v1/{body['credentialsValue']}/attributes").status_code == 200
    device = operator.get("/api/tenant/device", deviceName=name)
    assert device["deviceProfileId"] == made["profile"]["id"]
    assert operator.attributes(device, "SERVER_SCOPE")["provisionState"] == "provisioned"
    again = device_http.post("/api/v1/provision", json=made["asked"] | {"deviceName": name})
    assert (again.status_code, again.json()) == (200, {"errorMsg": "Failed to provision device!", "status": "FAILURE"})


def test_a_new_device_without_a_name_or_with_its_own_token_is_welcome(operator: Operator, device_http: httpx2.Client) -> None:
    asked = _provisioning(operator, "ALLOW_CREATE_NEW_DEVICES")["asked"]
    assert device_http.post("/api/v1/provision", json=asked).json()["status"] == "SUCCESS"
    token = unique("own")
    assert device_http.post("/api/v1/provision", json=asked | {"token": token}).json()["credentialsValue"] == token
    assert device_http.post("/api/v1/provision", json=asked | {"token": token}).json()["status"] == "FAILURE"
    basic = device_http.post(
        "/api/v1/provision", json=asked | {"credentialsType": "MQTT_BASIC", "username": unique("u"), "password": "p"}
    ).json()
    assert basic["credentialsValue"]["password"] == "p"


def test_a_provisioned_device_gets_the_package_of_its_profile(operator: Operator, device_http: httpx2.Client) -> None:
    made = _provisioning(operator, "ALLOW_CREATE_NEW_DEVICES")
    package = operator.info(made["profile"], url="http://example.com/app")
    operator.post("/api/deviceProfile", operator.get(f"/api/deviceProfile/{made['profile']['id']['id']}") | {"firmwareId": package["id"]})
    token = device_http.post("/api/v1/provision", json=made["asked"]).json()["credentialsValue"]
    got = until(lambda: device_http.get(f"/api/v1/{token}/attributes").json().get("shared"))
    assert got["fw_title"] == package["title"]


def test_a_known_device_is_provisioned_once(operator: Operator, device_http: httpx2.Client) -> None:
    made = _provisioning(operator, "CHECK_PRE_PROVISIONED_DEVICES")
    device, token = operator.device(made["profile"])
    stranger, _ = operator.device()
    for name in (unique("unknown"), stranger["name"]):
        assert device_http.post("/api/v1/provision", json=made["asked"] | {"deviceName": name}).json()["status"] == "FAILURE"
    asked = made["asked"] | {"deviceName": device["name"]}
    assert device_http.post("/api/v1/provision", json=asked).json()["credentialsValue"] == token
    assert device_http.post("/api/v1/provision", json=asked).json()["status"] == "FAILURE"


def test_wrong_provisioning_data_is_not_found(operator: Operator, device_http: httpx2.Client) -> None:
    good = _provisioning(operator, "ALLOW_CREATE_NEW_DEVICES")["asked"]
    disabled = _provisioning(operator, "DISABLED")["asked"]
    for asked in (disabled, good | {"provisionDeviceKey": "x"}, good | {"provisionDeviceSecret": "x"}):
        answer = device_http.post("/api/v1/provision", json=asked)
        assert (answer.status_code, answer.json()) == (200, {"errorMsg": "Provision data was not found!", "status": "NOT_FOUND"})
    for content in (b"{", b"[]", json.dumps({"provisionDeviceKey": "x"}).encode()):
        _error(device_http.post("/api/v1/provision", content=content), 500, 2)


# --- activity ---------------------------------------------------------------------------------------------------------------------------


def test_a_device_is_active_from_its_first_word_but_a_download_is_none(operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    device_http.get(f"/api/v1/{token}/firmware?title=a&version=b")
    assert operator.attributes(device, "SERVER_SCOPE") == {"active": False}
    device_http.get(f"/api/v1/{token}/attributes")
    state = operator.attributes(device, "SERVER_SCOPE")
    assert state["active"] is True
    assert abs(state["lastActivityTime"] - time.time() * 1000) < 60_000
    time.sleep(0.01)
    device_http.post(f"/api/v1/{token}/telemetry", json={"a": 1})
    assert operator.attributes(device, "SERVER_SCOPE")["lastActivityTime"] > state["lastActivityTime"]
    assert operator.get(f"/api/device/info/{device['id']['id']}")["active"] is True


def test_a_silent_device_becomes_inactive_and_active_again(tmp_path: Path) -> None:
    """The time is short here, and the state survives a restart of the lab."""
    config = LabConfig(db=tmp_path / "lab.db", password=PASSWORD, timing=Timing(inactivity_timeout=0.2))
    with running_lab(config) as lab, httpx2.Client(base_url=lab.url) as board:
        operator = Operator(lab.url, lab.username, PASSWORD)
        device, token = operator.device()
        board.get(f"/api/v1/{token}/attributes")
        state = until(lambda: (now := operator.attributes(device, "SERVER_SCOPE"))["active"] is False and now)
        assert state["inactivityAlarmTime"] >= state["lastActivityTime"] + 200
        board.get(f"/api/v1/{token}/attributes")
        assert operator.get(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/attributes?keys=active") != []
        operator.http.close()
    long = LabConfig(db=tmp_path / "lab.db", password=PASSWORD)
    with running_lab(long) as lab, httpx2.Client(base_url=lab.url) as board:
        board.get(f"/api/v1/{token}/attributes")
    with running_lab(long) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        assert operator.attributes(device, "SERVER_SCOPE")["active"] is True
        operator.http.close()
    with running_lab(config) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        until(lambda: operator.attributes(device, "SERVER_SCOPE")["active"] is False)
        operator.http.close()


def test_many_posts_at_once_are_all_kept(lab: Lab, operator: Operator) -> None:
    device, token = operator.device()

    def post(worker: int) -> None:
        with httpx2.Client(base_url=lab.url) as client:
            for n in range(25):
                assert client.post(f"/api/v1/{token}/telemetry", json={f"k{worker}_{n}": n}).status_code == 200

    threads = [threading.Thread(target=post, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(operator.latest(device)) == 200
