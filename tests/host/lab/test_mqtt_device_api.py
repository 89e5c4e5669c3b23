"""The MQTT device API through real sockets: codes, topics and oddities of ThingsBoard's MQTT transport."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from lab_operator import Operator, unique, until
from mqtt_board import CONNACK, PUBACK, PUBCOMP, PUBREC, MqttBoard, Publish, connect, packet, text

from cota.lab.server import Lab

FIRMWARE = bytes(range(256)) * 20  # 5,120 bytes
LEVELS = pytest.mark.parametrize("level", [4, 5])
ATTRIBUTES = "v1/devices/me/attributes"


def _board(lab: Lab, token: str, level: int = 4, **more: Any) -> MqttBoard:
    assert lab.mqtt_port
    return MqttBoard(lab.mqtt_port, level).login(token, **more)


def _share(operator: Operator, device: dict[str, Any], values: dict[str, Any]) -> None:
    operator.post(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SHARED_SCOPE", values)


def _first_chunks(board: MqttBoard, *requests: str | int) -> tuple[bytes, ...]:
    chunks = []
    for request in requests:
        board.publish(f"v2/fw/request/{request}/chunk/0", b"100")
        chunks.append(board.receive().payload)
    return tuple(chunks)


@pytest.mark.parametrize(
    ("level", "user", "password", "client", "code"),
    [
        (3, "nobody", None, "c", 5),
        (4, "nobody", None, "c", 5),
        (4, "nobody", "secret", "c", 5),
        (4, None, "secret", "c", 5),
        (4, None, None, "c", 2),
        (5, "nobody", None, "c", 0x86),
        (5, "nobody", "secret", "c", 0x86),
        (5, None, None, "c", 0x85),
        (5, None, None, "", 0x85),
    ],
)
def test_a_stranger_is_refused_with_thingsboards_code_and_the_connection_ends(
    lab: Lab, level: int, user: str | None, password: str | None, client: str, code: int
) -> None:
    with MqttBoard(lab.mqtt_port or 0, level) as board:
        board.send(connect(user, level, password=password, client=client))
        assert board.expect(CONNACK)[1] == code
        assert board.packet() is None


@pytest.mark.parametrize("level", [3, 4, 5])
def test_the_token_as_user_name_opens_a_session_whatever_the_password_and_the_client_id(lab: Lab, operator: Operator, level: int) -> None:
    _, token = operator.device()
    for more in ({}, {"password": "anything"}, {"client": "x" * 40}, {"client": ""}):
        with _board(lab, token, level, **more) as board:
            board.ping()


def test_a_connack_claims_a_session_for_who_asks_for_one_and_nothing_is_kept(lab: Lab, operator: Operator) -> None:
    device, token = operator.device()
    with MqttBoard(lab.mqtt_port or 0) as board:
        board.send(connect(token, clean=False))
        assert board.expect(CONNACK) == b"\1\0"
        board.subscribe(ATTRIBUTES)
    with MqttBoard(lab.mqtt_port or 0) as board:
        board.send(connect(token, clean=False))
        assert board.expect(CONNACK) == b"\1\0"
        _share(operator, device, {"a": 1})
        board.ping()


def test_a_version_that_does_not_exist_is_taken_for_3_1_1_and_a_will_is_ignored(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    with MqttBoard(lab.mqtt_port or 0) as board:
        board.send(packet(0x10, text("MQTT") + bytes((9, 0x86)) + b"\0\x3c" + text("c") + text("will") + text(b"gone") + text(token)))
        assert board.expect(CONNACK) == b"\0\0"


def test_a_client_without_an_id_gets_one_in_mqtt_5(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    with MqttBoard(lab.mqtt_port or 0, 5) as board:
        board.send(connect(token, 5, client=""))
        answer = board.expect(CONNACK)
        assert answer[:2] == b"\0\0"
        assert b"\x12\0\x10" in answer  # Assigned Client Identifier of 16 characters


@pytest.mark.parametrize(
    "given", [{"clientId": "c1"}, {"userName": "u1"}, {"clientId": "c2", "userName": "u2"}, {"userName": "u3", "password": "p"}]
)
def test_basic_credentials_open_a_session_and_what_is_stored_empty_is_not_checked(
    lab: Lab, operator: Operator, given: dict[str, str]
) -> None:
    stored = {name: unique(value) for name, value in given.items()}
    body = {"device": {"name": unique("device")}, "credentials": {"credentialsType": "MQTT_BASIC", "credentialsValue": json.dumps(stored)}}
    operator.post("/api/device-with-credentials", body)
    user, client, password = stored.get("userName"), stored.get("clientId", "any"), stored.get("password")
    with MqttBoard(lab.mqtt_port or 0).login(user, client=client, password=password) as board:
        board.ping()
    wrong = {"client": "other"} if "clientId" in stored else {"client": client, "password": "wrong"}
    if len(stored) == 2:
        with MqttBoard(lab.mqtt_port or 0) as board:
            board.send(connect(user, **wrong))
            assert board.expect(CONNACK)[1] == 5


@LEVELS
def test_telemetry_and_attributes_are_stored_by_the_rules_of_the_http_door(lab: Lab, operator: Operator, level: int) -> None:
    device, token = operator.device()
    with _board(lab, token, level) as board:
        assert board.publish("v1/devices/me/telemetry", {"temperature": 21.5, "version": "1.10"}) == 0
        assert board.publish("v2/t", [{"ts": 1, "values": {"old": 1}}]) == 0
        assert board.publish(ATTRIBUTES, {"fw_title": "app"}) == 0
        board.publish("v1/devices/me/telemetry", {"unacknowledged": True}, qos=0)
        board.ping()
    assert operator.latest(device, "temperature", "version", "old") == {"temperature": 21.5, "version": 1.1, "old": 1}
    assert operator.attributes(device, "CLIENT_SCOPE") == {"fw_title": "app"}
    assert until(lambda: operator.latest(device, "unacknowledged").get("unacknowledged"))
    assert operator.attributes(device, "SERVER_SCOPE")["active"] is True


def test_two_posts_of_one_device_never_share_a_millisecond_whichever_doors_they_take(
    lab: Lab, operator: Operator, device_http: httpx2.Client
) -> None:
    device, token = operator.device()
    with _board(lab, token) as board:
        for number in range(10):
            board.publish("v1/devices/me/telemetry", {"n": number})
            device_http.post(f"/api/v1/{token}/telemetry", json={"n": 100 + number})
    path = f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/timeseries"
    found = operator.get(path, keys="n", startTs=1, endTs=2**52, limit=100)["n"]
    assert len(found) == 20


@LEVELS
def test_a_publish_at_qos_2_gets_its_handshake(lab: Lab, operator: Operator, level: int) -> None:
    device, token = operator.device()
    with _board(lab, token, level) as board:
        board.publish("v1/devices/me/telemetry", {"two": 2}, qos=2, wait=False)
        assert board.expect(PUBREC) == b"\0\1"
        board.send(packet(0x62, b"\0\1"))
        assert board.expect(PUBCOMP) == b"\0\1"
    assert operator.latest(device, "two") == {"two": 2}


@LEVELS
def test_attributes_are_answered_to_whoever_asks_even_without_a_subscription(lab: Lab, operator: Operator, level: int) -> None:
    device, token = operator.device()
    _share(operator, device, {"fw_title": "app", "fw_size": 7})
    with _board(lab, token, level) as board:
        board.publish(ATTRIBUTES, {"a": 1})
        board.publish(f"{ATTRIBUTES}/request/7", {"clientKeys": "a,b", "sharedKeys": "fw_size,none"})
        answer = board.receive()
        assert (answer.topic, answer.json, answer.qos) == (f"{ATTRIBUTES}/response/7", {"client": {"a": 1}, "shared": {"fw_size": 7}}, 1)
        board.publish("v2/a/req/8", {}, qos=0)
        answer = board.receive()
        assert (answer.topic, answer.json) == ("v2/a/res/8", {"client": {"a": 1}, "shared": {"fw_title": "app", "fw_size": 7}})
        assert board.subscribe((f"{ATTRIBUTES}/response/+", 0)) == [0]
        board.publish(f"{ATTRIBUTES}/request/9", {"sharedKeys": "none"})
        assert board.receive() == Publish(f"{ATTRIBUTES}/response/9", b"{}", 0)


def test_only_the_known_filters_can_be_subscribed_to_character_for_character(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    known = [
        *(ATTRIBUTES, "v2/a", f"{ATTRIBUTES}/response/+", "v2/a/res/+", "v1/devices/me/rpc/request/+", "v2/r/req/+"),
        *("v1/devices/me/rpc/response/+", "v2/r/res/+", "v2/fw/response/+/chunk/+", "v2/sw/response/+/chunk/+"),
        *("v2/fw/error", "v2/sw/error", "/provision/response"),
    ]
    refused = ["#", "+", "v2/fw/response/+", "v1/devices/me/#", f"{ATTRIBUTES}/", f"{ATTRIBUTES}/response/1", "V2/a", "$SYS/#"]
    for level, code in ((4, 0x80), (5, 0x8F)):
        with _board(lab, token, level) as board:
            assert board.subscribe(*known, *refused) == [1] * len(known) + [code] * len(refused)
            assert board.subscribe((known[0], 0), (known[0], 2)) == [0, 1]
    with _board(lab, token, 5) as board:
        board.subscribe("v2/a")
        assert board.unsubscribe("v2/a", "v2/t") == [0, 0x11]


@LEVELS
def test_an_assignment_is_pushed_to_who_has_subscribed_deleted_keys_first(lab: Lab, operator: Operator, level: int) -> None:
    profile = operator.profile()
    package = operator.info(profile, url="http://example.com/repo")
    device, token = operator.device(profile)
    with _board(lab, token, level) as board:
        board.subscribe((ATTRIBUTES, 0))
        operator.post("/api/device", {**device, "firmwareId": package["id"]})
        first, second = board.receive(), board.receive()
        assert (first.topic, first.qos, second.topic) == (ATTRIBUTES, 0, ATTRIBUTES)
        assert "fw_tag" in first.json["deleted"]
        assert (second.json["fw_title"], second.json["fw_url"]) == (package["title"], "http://example.com/repo")
        board.unsubscribe(ATTRIBUTES)
        _share(operator, device, {"a": 1})
        board.ping()
        board.subscribe("v2/a")
        _share(operator, device, {"a": 2})
        assert board.receive() == Publish("v2/a", b'{"a":2}', 1)


def test_a_push_reaches_the_session_and_a_long_poll_of_the_same_device(lab: Lab, operator: Operator, device_http: httpx2.Client) -> None:
    device, token = operator.device()
    with _board(lab, token) as board, ThreadPoolExecutor(1) as pool:
        board.subscribe(ATTRIBUTES)
        poll = pool.submit(device_http.get, f"/api/v1/{token}/attributes/updates", params={"timeout": 900})
        until(lambda: lab.core.hub._devices[device["id"]["id"]].attributes)
        _share(operator, device, {"a": 1})
        assert board.receive().json == poll.result().json() == {"a": 1}


@LEVELS
def test_firmware_comes_in_chunks_and_is_empty_past_its_end(lab: Lab, operator: Operator, level: int) -> None:
    profile = operator.profile()
    package = operator.package(profile, FIRMWARE)
    _, token = operator.device(profile, firmwareId=package["id"])
    with _board(lab, token, level) as board:
        assert board.subscribe("v2/fw/response/+/chunk/+") == [1]
        parts = []
        for number in range(4):
            board.publish(f"v2/fw/request/1/chunk/{number}", b"2000" if not number else b"")
            answer = board.receive()
            assert (answer.topic, answer.qos) == (f"v2/fw/response/1/chunk/{number}", 1)
            parts.append(answer.payload)
        assert [len(part) for part in parts] == [2000, 2000, 1120, 0]
        assert b"".join(parts) == FIRMWARE


def test_a_size_may_have_zeros_in_front_and_a_negative_one_counts_as_none(lab: Lab, operator: Operator) -> None:
    profile = operator.profile()
    _, token = operator.device(profile, firmwareId=operator.package(profile, FIRMWARE)["id"])
    with _board(lab, token) as board:
        for payload, length in ((b"-7", len(FIRMWARE)), (b"0" * 6000 + b"9", 9), (b"-2147483648", 9), (b"+8", 8), (b"0", 8)):
            board.publish("v2/fw/request/1/chunk/0", payload)
            assert len(board.receive().payload) == length


def test_a_request_without_a_size_gets_the_whole_firmware_in_one_publish(lab: Lab, operator: Operator) -> None:
    profile = operator.profile()
    data = FIRMWARE * 60  # 300 kB: more than a packet of the device may have, and than the socket takes at once
    package = operator.package(profile, data, type="SOFTWARE")
    _, token = operator.device(profile, softwareId=package["id"])
    with _board(lab, token) as board:
        for topic in ("v2/sw/request/1/chunk/0", "v2/sw/request/1/chunk/3"):
            board.publish(topic, b"")
            assert board.receive() == Publish(topic.replace("request", "response"), data, 1)


def test_a_request_id_stays_with_its_first_package_for_the_whole_connection(lab: Lab, operator: Operator) -> None:
    profile = operator.profile()
    old, new = operator.package(profile, b"old"), operator.package(profile, b"new")
    device, token = operator.device(profile, firmwareId=old["id"])
    with _board(lab, token) as board:
        assert _first_chunks(board, "1") == (b"old",)
        device = operator.post("/api/device", {**operator.get(f"/api/device/{device['id']['id']}"), "firmwareId": new["id"]})
        assert _first_chunks(board, "1", "2", "01") == (b"old", b"new", b"new")
        operator.post("/api/device", {**device, "firmwareId": None})
        assert _first_chunks(board, "2") == (b"new",)
        board.publish("v2/fw/request/3/chunk/0", b"1", wait=False)
        assert board.receive() == Publish("v2/fw/error", b"NOT_FOUND", 1)
        assert board.packet() is None


def test_of_too_many_request_ids_the_oldest_is_forgotten(lab: Lab, operator: Operator) -> None:
    profile = operator.profile()
    old, new = operator.package(profile, b"old"), operator.package(profile, b"new")
    device, token = operator.device(profile, firmwareId=old["id"])
    with _board(lab, token) as board:
        assert set(_first_chunks(board, *range(64))) == {b"old"}
        operator.post("/api/device", {**operator.get(f"/api/device/{device['id']['id']}"), "firmwareId": new["id"]})
        assert _first_chunks(board, 0, 64, 1, 0) == (b"old", b"new", b"old", b"new")


@pytest.mark.parametrize("url", [None, "http://example.com/repo"])
@LEVELS
def test_without_a_file_to_send_an_error_comes_no_acknowledgement_and_the_end(
    lab: Lab, operator: Operator, level: int, url: str | None
) -> None:
    profile = operator.profile()
    more = {"firmwareId": operator.info(profile, url=url)["id"]} if url else {}
    _, token = operator.device(profile, **more)
    with _board(lab, token, level) as board:
        board.publish("v2/fw/request/1/chunk/0", b"100", wait=False)
        assert board.receive() == Publish("v2/fw/error", b"FAILURE" if url else b"NOT_FOUND", 1)
        board.ended()


@pytest.mark.parametrize("payload", [b"65537", b"2147483647"])
def test_a_chunk_of_more_than_64_kib_is_refused_and_ends_the_connection(lab: Lab, operator: Operator, payload: bytes) -> None:
    profile = operator.profile()
    _, token = operator.device(profile, firmwareId=operator.package(profile, FIRMWARE * 20)["id"])
    with _board(lab, token) as board:
        board.publish("v2/fw/request/1/chunk/0", b"65536")
        assert len(board.receive().payload) == 65536
        board.publish("v2/fw/request/1/chunk/0", payload, wait=False)
        assert board.receive() == Publish("v2/fw/error", b"PAYLOAD_TOO_LARGE", 1)
        assert board.packet() is None


@LEVELS
@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("v2/fw/request/1/chunk/0", b"many"),
        ("v2/fw/request/1/chunk/0", b"1.5"),
        ("v2/fw/request/1/chunk/0", b"2147483648"),
        ("v2/fw/request/1/chunk/0", b"\xff"),
        ("v2/fw/request/1/chunk/0", b"-"),
        ("v2/fw/request/1/chunk/0", b"9" * 6000),
        ("v2/fw/request/1/chunk/2147483648", b"100"),
        ("v2/fw/request/1/chunk/" + "9" * 6000, b"100"),
    ],
)
def test_a_chunk_request_with_no_number_ends_the_connection(lab: Lab, operator: Operator, level: int, topic: str, payload: bytes) -> None:
    profile = operator.profile()
    _, token = operator.device(profile, firmwareId=operator.package(profile, FIRMWARE)["id"])
    with _board(lab, token, level) as board:
        board.publish(topic, payload, wait=False)
        assert board.ended() == (0x83 if level == 5 else None)


def test_an_offset_beyond_32_bits_is_acknowledged_and_never_answered(lab: Lab, operator: Operator) -> None:
    profile = operator.profile()
    _, token = operator.device(profile, firmwareId=operator.package(profile, FIRMWARE)["id"])
    with _board(lab, token) as board:
        assert board.publish("v2/fw/request/1/chunk/65535", b"40000") == 0
        board.ping()


BAD = [("v1/devices/me/telemetry", b"{"), ("v1/devices/me/telemetry", b"7"), (ATTRIBUTES, b"[]"), (f"{ATTRIBUTES}/request/x", b"{}")]
BAD += [(f"{ATTRIBUTES}/request/1", b""), ("v1/devices/me/rpc/request/1", b"{}"), ("v1/devices/me/claim", b"[1]"), ("v2/r/res/", b"{}")]


@pytest.mark.parametrize(("topic", "payload"), BAD)
def test_a_bad_payload_ends_the_connection_and_mqtt_5_acknowledges_it_with_a_reason(
    lab: Lab, operator: Operator, topic: str, payload: bytes
) -> None:
    _, token = operator.device()
    for qos in (0, 1):
        with _board(lab, token) as board:
            board.publish(topic, payload, qos, wait=False)
            assert board.packet() is None
    with _board(lab, token, 5) as board:
        assert board.publish(topic, payload) == 0x99
        board.publish(topic, payload, qos=0)
        assert board.ended() == 0x99


def test_a_tolerant_profile_acknowledges_a_bad_payload(lab: Lab, operator: Operator) -> None:
    transport = {"type": "MQTT", "sendAckOnValidationException": True}
    profile = operator.profile(profileData={"transportConfiguration": transport})
    _, token = operator.device(profile)
    with _board(lab, token) as board:
        assert board.publish("v1/devices/me/telemetry", b"{") == 0
        board.ping()


@pytest.mark.parametrize(
    "topic", ["v1/devices/me", "v1/devices/me/telemetry/", "anything", "v2/fw/request/x/chunk/0", "v2/fw/request/1/chunk/-1"]
)
def test_an_unknown_topic_is_acknowledged_and_otherwise_ignored(lab: Lab, operator: Operator, topic: str) -> None:
    _, token = operator.device()
    for level, reason in ((4, 0), (5, 0x90)):
        with _board(lab, token, level) as board:
            assert board.publish(topic, b"?") == reason
            board.publish(topic, b"?", qos=0)
            board.ping()


def test_a_remote_call_reaches_the_session_and_its_reply_the_caller(lab: Lab, operator: Operator) -> None:
    device, token = operator.device()
    with _board(lab, token) as board, ThreadPoolExecutor(1) as pool:
        call = {"method": "blink", "params": {"n": 1}, "timeout": 5000}
        early = pool.submit(operator.post, f"/api/rpc/twoway/{device['id']['id']}", call)
        until(lambda: lab.core.hub._devices[device["id"]["id"]].requests)
        board.ping()  # no subscription, no call
        board.subscribe("v1/devices/me/rpc/request/+")
        got = board.receive()
        assert got.json == {"method": "blink", "params": {"n": 1}}
        board.publish(got.topic.replace("request", "response"), {"done": True})
        assert early.result() == {"done": True}
        operator.post(f"/api/rpc/oneway/{device['id']['id']}", call)
        assert board.receive().json == {"method": "blink", "params": {"n": 1}}


def test_a_device_that_calls_learns_its_limits_and_else_gets_a_timeout(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    with _board(lab, token) as board:
        board.publish("v1/devices/me/rpc/request/3", {"method": "getSessionLimits", "params": {}})
        answer = board.receive()
        assert (answer.topic, answer.json["maxPayloadSize"]) == ("v1/devices/me/rpc/response/3", 65536)
        board.publish("v2/r/req/4", {"method": "time", "params": {}})
        assert board.receive() == Publish("v2/r/res/4", b'{"error":"timeout"}', 1)


def test_a_device_may_claim_itself_and_nobody_takes_it(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    with _board(lab, token) as board:
        assert board.publish("v1/devices/me/claim", b"") == board.publish("v1/devices/me/claim", {"secretKey": "x"}) == 0


@LEVELS
def test_a_second_connection_of_a_device_ends_the_first(lab: Lab, operator: Operator, level: int) -> None:
    device, token = operator.device()
    with _board(lab, token, level, client="one") as first, _board(lab, token, level, client="two") as second:
        assert first.ended() == (0x8E if level == 5 else None)
        second.subscribe(ATTRIBUTES)
        _share(operator, device, {"a": 1})
        assert second.receive().json == {"a": 1}


def test_two_devices_with_one_client_id_do_not_disturb_each_other(lab: Lab, operator: Operator) -> None:
    (_, one), (_, two) = operator.device(), operator.device()
    with _board(lab, one, client="same") as first, _board(lab, two, client="same") as second:
        first.ping()
        second.ping()


@LEVELS
@pytest.mark.parametrize("how", ["new token", "deleted"])
def test_a_session_ends_with_its_token_and_with_its_device(lab: Lab, operator: Operator, level: int, how: str) -> None:
    device, token = operator.device()
    with _board(lab, token, level) as board:
        if how == "deleted":
            assert operator.http.delete(f"/api/device/{device['id']['id']}").status_code == 200
        else:
            credentials = operator.get(f"/api/device/{device['id']['id']}/credentials")
            operator.post("/api/device/credentials", {**credentials, "credentialsId": unique("token")})
        assert board.ended() == (0x98 if level == 5 else None)
    with MqttBoard(lab.mqtt_port or 0) as board:
        board.send(connect(token))
        assert board.expect(CONNACK)[1] == 5


@LEVELS
@pytest.mark.parametrize("as_client_id", [False, True])
def test_a_device_provisions_itself_and_uses_its_token(lab: Lab, operator: Operator, level: int, as_client_id: bool) -> None:
    key, secret = unique("key"), unique("secret")
    configuration = {"type": "ALLOW_CREATE_NEW_DEVICES", "provisionDeviceSecret": secret}
    operator.profile(provisionType=configuration["type"], provisionDeviceKey=key, profileData={"provisionConfiguration": configuration})
    with MqttBoard(lab.mqtt_port or 0, level) as board:
        board.login(None if as_client_id else "provision", client="provision" if as_client_id else "x")
        assert board.subscribe("/provision/response") == [1]
        asked = {"deviceName": unique("new"), "provisionDeviceKey": key, "provisionDeviceSecret": secret}
        board.publish("/provision/request", asked)
        answer = board.receive()
        assert (answer.topic, answer.json["status"]) == ("/provision/response", "SUCCESS")
        board.ping()
        board.publish("/provision/request", {**asked, "provisionDeviceSecret": "wrong"})
        assert board.receive().json == {"errorMsg": "Provision data was not found!", "status": "NOT_FOUND"}
    with _board(lab, answer.json["credentialsValue"], level) as board:
        board.publish("v1/devices/me/telemetry", {"a": 1})


@pytest.mark.parametrize(
    ("topic", "payload"), [("v1/devices/me/telemetry", b"{}"), ("/provision/request", b"{"), ("/provision/request", b"{}")]
)
def test_a_stranger_who_asks_for_anything_else_than_a_token_is_cut_off(lab: Lab, topic: str, payload: bytes) -> None:
    with MqttBoard(lab.mqtt_port or 0).login("provision") as board:
        board.publish(topic, payload, wait=False)
        assert board.packet() is None
    with MqttBoard(lab.mqtt_port or 0).login("provision") as board:
        board.send(packet(0x82, b"\0\1" + text("/provision/response") + b"\1" + text(ATTRIBUTES) + b"\1"))
        assert board.packet() is None


def test_many_publishes_in_one_segment_are_all_acknowledged_in_their_order(lab: Lab, operator: Operator) -> None:
    device, token = operator.device()
    with _board(lab, token) as board:
        bodies = [text("v1/devices/me/telemetry") + number.to_bytes(2, "big") + b'{"n":%d}' % number for number in range(1, 501)]
        board.send(b"".join(packet(0x32, body) for body in bodies))
        assert [int.from_bytes(board.expect(PUBACK), "big") for _ in bodies] == list(range(1, 501))
    assert operator.latest(device, "n") == {"n": 500}
