"""Clients that others wrote work with the lab: paho in both versions, and ThingsBoard's own device SDK through a whole firmware update."""

import hashlib
import json
import queue
from collections.abc import Iterator
from typing import Any

import pytest
from lab_operator import Operator, unique, until

from cota.lab.server import Lab

paho = pytest.importorskip("paho.mqtt.client", reason="paho is not there: make .venv/.stamp installs it")
sdk = pytest.importorskip("tb_device_mqtt", reason="ThingsBoard's device SDK is not there: make .venv/.stamp installs it")

FIRMWARE = bytes(range(256)) * 40 + b"the end"
VERSIONS = pytest.mark.parametrize("protocol", [paho.MQTTv31, paho.MQTTv311, paho.MQTTv5])


class Paho:
    """paho on a thread of its own, with queues of what happened."""

    def __init__(self, lab: Lab, token: str | None, protocol: int, client_id: str = "board") -> None:
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol, reconnect_on_failure=False)
        if token is not None:
            self.client.username_pw_set(token)
        self.connected: queue.Queue[Any] = queue.Queue()
        self.messages: queue.Queue[Any] = queue.Queue()
        self.granted: queue.Queue[Any] = queue.Queue()
        self.published: queue.Queue[Any] = queue.Queue()
        self.gone: queue.Queue[Any] = queue.Queue()
        self.client.on_connect = lambda _c, _u, _f, code, _p: self.connected.put(code)
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.granted.put(codes)
        self.client.on_publish = lambda _c, _u, number, code, _p: self.published.put((number, code))
        self.client.on_disconnect = lambda _c, _u, flags, _r, _p: self.gone.put(flags)
        self.client.connect("127.0.0.1", lab.mqtt_port or 0, keepalive=30)
        self.client.loop_start()

    def __enter__(self) -> "Paho":
        assert not self.connected.get(timeout=20).is_failure
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def message(self) -> tuple[str, Any]:
        got = self.messages.get(timeout=20)
        return got.topic, got.payload


@VERSIONS
def test_paho_publishes_asks_subscribes_and_downloads(lab: Lab, operator: Operator, protocol: int) -> None:
    profile = operator.profile()
    device, token = operator.device(profile, firmwareId=operator.package(profile, FIRMWARE)["id"])
    with Paho(lab, token, protocol) as board:
        for qos in (0, 1, 2):
            told = board.client.publish("v1/devices/me/telemetry", json.dumps({f"q{qos}": qos}), qos=qos)
            told.wait_for_publish(20)
        until(lambda: len(operator.latest(device, "q0", "q1", "q2")) == 3)
        board.client.subscribe([("v1/devices/me/attributes", 2), ("v2/fw/response/+/chunk/+", 0), ("v2/fw/response/+", 1)])
        codes = [code.value for code in board.granted.get(timeout=20)]
        assert codes == [1, 0, 0x8F if protocol == paho.MQTTv5 else 0x80]
        operator.post(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SHARED_SCOPE", {"a": "ä"})
        assert board.message() == ("v1/devices/me/attributes", '{"a":"ä"}'.encode())
        board.client.publish("v1/devices/me/attributes/request/1", '{"sharedKeys":"a"}', qos=1)
        assert board.message() == ("v1/devices/me/attributes/response/1", '{"shared":{"a":"ä"}}'.encode())
        received = b""
        for number in range(3):
            board.client.publish(f"v2/fw/request/1/chunk/{number}", "5000", qos=1)
            received += board.message()[1]
        assert received == FIRMWARE


@pytest.mark.parametrize(
    ("protocol", "token", "name"),
    [
        (paho.MQTTv311, "nobody", "Not authorized"),
        (paho.MQTTv311, None, "Client identifier not valid"),
        (paho.MQTTv5, "nobody", "Bad user name or password"),
        (paho.MQTTv5, None, "Client identifier not valid"),
    ],
)
def test_paho_reads_why_it_was_refused(lab: Lab, protocol: int, token: str | None, name: str) -> None:
    stranger = Paho(lab, token, protocol)
    try:
        assert str(stranger.connected.get(timeout=20)) == name
    finally:
        stranger.client.loop_stop()


def test_paho_in_mqtt_5_reads_why_a_payload_was_refused_and_sees_its_session_taken(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    with Paho(lab, token, paho.MQTTv5) as board:
        board.client.publish("v1/devices/me/telemetry", "{", qos=1)
        assert str(board.published.get(timeout=20)[1]) == "Payload format invalid"
        board.client.publish("no/such/topic", "{", qos=1)
        assert str(board.published.get(timeout=20)[1]) == "Topic name invalid"
        with Paho(lab, token, paho.MQTTv5, "another"):
            # paho reads a DISCONNECT's reason only if properties follow, so it cannot say why.
            assert board.gone.get(timeout=20).is_disconnect_packet_from_server


@pytest.fixture
def own_sdk(lab: Lab, operator: Operator) -> Iterator[tuple[Any, dict[str, Any], dict[str, Any]]]:
    profile = operator.profile()
    device, token = operator.device(profile)
    client = sdk.TBDeviceMqttClient("127.0.0.1", lab.mqtt_port, token, chunk_size=1000)
    client.connect(timeout=10)
    # Its limits are the last thing that it asks for after a connect. Its own callback is lost where the connect is faster than its thread.
    until(lambda: client.rate_limits_received)
    yield client, device, profile
    client.disconnect()
    client.stop()


def test_thingsboards_device_sdk_updates_its_firmware(own_sdk: Any, operator: Operator) -> None:
    client, device, profile = own_sdk
    arrived: queue.Queue[tuple[bytes, str]] = queue.Queue()
    client._TBDeviceMqttClient__on_firmware_received = lambda instance, data, version: arrived.put((data, version))
    client.get_firmware_update()
    title = unique("app")
    package = operator.package(profile, FIRMWARE, title=title, version="v2")
    assert package["checksum"] == hashlib.sha256(FIRMWARE).hexdigest()
    operator.post("/api/device", {**operator.get(f"/api/device/{device['id']['id']}"), "firmwareId": package["id"]})
    assert arrived.get(timeout=60) == (FIRMWARE, "v2")
    told = until(lambda: (found := operator.latest(device)).get("fw_state") in {"VERIFIED", "UPDATING", "UPDATED"} and found)
    assert told["target_fw_title"] == title


def test_thingsboards_device_sdk_sends_reads_and_learns_its_limits(own_sdk: Any, operator: Operator) -> None:
    client, device, _ = own_sdk
    answers: queue.Queue[Any] = queue.Queue()
    assert client.send_telemetry({"temperature": 21.5}, quality_of_service=1).get() == 0
    assert client.send_attributes({"firmware": "x1"}).get() == 0
    assert operator.latest(device, "temperature") == {"temperature": 21.5}
    client.request_attributes(["firmware"], callback=lambda answer, _error: answers.put(answer))
    assert answers.get(timeout=20) == {"client": {"firmware": "x1"}}
    assert client.max_payload_size == 65536 * 8 // 10  # it keeps a fifth for itself
