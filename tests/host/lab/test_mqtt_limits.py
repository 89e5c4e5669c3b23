"""What a hostile or a dead peer can do to the lab's MQTT door: nothing that lasts, and nothing to others."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from lab_operator import PASSWORD, TIMING, Operator, until
from mqtt_board import CONNACK, PINGRESP, MqttBoard, connect, packet, text

from cota.errors import CotaError
from cota.lab.server import Lab, LabConfig, running_lab

TELEMETRY = "v1/devices/me/telemetry"


@pytest.fixture(scope="module")
def hasty() -> Iterator[Lab]:
    timing = replace(TIMING, mqtt_connect_timeout=0.4, mqtt_session_timeout=3.0, mqtt_provision_timeout=0.3)
    with running_lab(LabConfig(password=PASSWORD, timing=timing, mqtt_port=0)) as lab:
        yield lab


@pytest.fixture(scope="module")
def boss(hasty: Lab) -> Iterator[Operator]:
    operator = Operator(hasty.url, hasty.username, PASSWORD)
    yield operator
    operator.http.close()


def _board(lab: Lab, token: str, level: int = 4, keep_alive: int = 60) -> MqttBoard:
    return MqttBoard(lab.mqtt_port or 0, level).login(token, keep_alive=keep_alive)


def _links(lab: Lab) -> int:
    assert lab._door is not None
    return len(lab._door.links)


@pytest.mark.parametrize("first", [b"", b"\x10", connect("token")[:-1], b"\x30\xff\xff"])
def test_who_does_not_connect_in_time_is_cut_off(hasty: Lab, first: bytes) -> None:
    with MqttBoard(hasty.mqtt_port or 0) as board:
        board.send(first)
        begun = time.monotonic()
        assert board.packet() is None
        assert time.monotonic() - begun < 10


def test_bytes_that_never_make_a_packet_do_not_keep_a_connection_open(hasty: Lab) -> None:
    with MqttBoard(hasty.mqtt_port or 0) as board:
        board.raw.settimeout(0.05)
        with pytest.raises(OSError, match=r"pipe|reset"):
            for byte in b"\x10\xff\xff\x03" + b"\0" * 10_000:
                board.send(bytes((byte,)))
                time.sleep(0.02)


@pytest.mark.parametrize(("level", "reason"), [(4, None), (5, 0x8D)])
def test_silence_beyond_one_and_a_half_keep_alives_ends_a_session_and_a_ping_prevents_it(
    hasty: Lab, boss: Operator, level: int, reason: int | None
) -> None:
    _, token = boss.device()
    with _board(hasty, token, level, keep_alive=1) as board:
        for _ in range(6):
            time.sleep(0.4)
            board.ping()
        begun = time.monotonic()
        assert board.ended() == reason
        assert 1.0 < time.monotonic() - begun < 10


@pytest.mark.parametrize("keep_alive", [0, 65535])
def test_without_a_keep_alive_silence_ends_a_session_after_thingsboards_timeout(hasty: Lab, boss: Operator, keep_alive: int) -> None:
    _, token = boss.device()
    with _board(hasty, token, keep_alive=keep_alive) as board:
        time.sleep(1.6)
        board.ping()
        assert board.packet() is None


def test_a_provisioning_connection_ends_some_time_after_its_answer(hasty: Lab) -> None:
    with MqttBoard(hasty.mqtt_port or 0).login("provision") as board:
        board.publish("/provision/request", {"provisionDeviceKey": "x", "provisionDeviceSecret": "y"})
        assert board.receive().json["status"] == "NOT_FOUND"
        assert board.packet() is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x00\x00", 0x82),
        (b"\x30\x81\x80\x04", 0x95),
        (packet(0x30, text("a/#") + b"\0"), 0x90),
        (packet(0x36, text("a") + b"\0\1\0"), 0x81),
        (connect("again", 5), 0x82),
    ],
)
def test_a_broken_packet_ends_the_connection_and_only_that_one(lab: Lab, operator: Operator, data: bytes, reason: int) -> None:
    (_, token), (_, other) = operator.device(), operator.device()
    with _board(lab, other) as witness:
        with _board(lab, token, 5) as board:
            board.send(data + b"\xc0\0" * 10)
            assert board.ended() == reason
        with MqttBoard(lab.mqtt_port or 0) as board:
            board.send(data if data[0] != 0x10 else b"\xc0\0")
            assert board.packet() is None
        witness.ping()


@pytest.mark.parametrize("size", [65536 - len(TELEMETRY) - 2, 65536 - len(TELEMETRY) - 1])
def test_a_message_of_64_kib_is_kept_and_one_byte_more_ends_the_connection(lab: Lab, operator: Operator, size: int) -> None:
    device, token = operator.device()
    value = "x" * (size - len('{"v":""}'))
    with _board(lab, token) as board:
        board.publish(TELEMETRY, b'{"v":"%s"}' % value.encode(), qos=0)
        if size + len(TELEMETRY) + 2 <= 65536:
            board.ping()
            assert operator.latest(device, "v") == {"v": value}
        else:
            assert board.packet() is None


def test_a_device_that_asks_and_never_reads_is_not_read_from_and_others_are_served(lab: Lab, operator: Operator) -> None:
    profile = operator.profile()
    data = bytes(65536) * 16
    _, greedy = operator.device(profile, firmwareId=operator.package(profile, data)["id"])
    _, other = operator.device()
    with _board(lab, greedy) as board, _board(lab, other) as witness:
        ask = packet(0x30, text("v2/fw/request/1/chunk/0"))
        board.raw.settimeout(1.0)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 100_000_000:
                sent += board.raw.send(ask * 1000)
        # What waits in the lab is one answer and a little; all that was asked for would be a thousand gigabytes.
        (link,) = [one for one in lab._door.links if one._transport.get_write_buffer_size() > 65536]  # type: ignore[union-attr]
        assert link._transport.get_write_buffer_size() + link._waiting < 3 * len(data)
        witness.ping()
    until(lambda: link not in lab._door.links)  # type: ignore[union-attr]


def test_a_device_that_reads_slowly_is_not_taken_for_dead(hasty: Lab, boss: Operator) -> None:
    profile = boss.profile()
    data = bytes(15 * 1024 * 1024)
    _, token = boss.device(profile, firmwareId=boss.package(profile, data)["id"])
    with _board(hasty, token, keep_alive=1) as board:
        board.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # else the kernel reads for it
        board.publish("v2/fw/request/1/chunk/0", b"", qos=0)
        begun, received, pings = time.monotonic(), 0, 0
        whole = 1 + 4 + len(text("v2/fw/response/1/chunk/0")) + 2 + len(data)
        while received < whole:
            part = board.raw.recv(min(65536, whole - received))
            assert part, f"cut off after {received} bytes"
            received += len(part)
            time.sleep(max(0.0, begun + received / 3_000_000 - time.monotonic()))
            if time.monotonic() - begun > pings * 0.5:  # it keeps its promise, but is not read from for as long
                board.send(b"\xc0\0")
                pings += 1
        for _ in range(pings):
            board.expect(PINGRESP)


def test_a_device_that_takes_no_pushes_is_cut_off(lab: Lab, operator: Operator) -> None:
    device, token = operator.device()
    with _board(lab, token) as board:
        board.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        board.subscribe("v1/devices/me/attributes")
        before = _links(lab)
        path = f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/SHARED_SCOPE"
        for _ in range(20):
            operator.post(path, {"long": "x" * 500_000})
            if _links(lab) < before:
                break
        until(lambda: _links(lab) < before)


def test_a_device_may_have_only_so_many_calls_unanswered(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    with _board(lab, token) as board:
        for number in range(120):
            board.publish(f"v1/devices/me/rpc/request/{number}", {"method": "x", "params": {}}, qos=0)
        board.raw.settimeout(2)
        got = [board.receive().topic for _ in range(100)]
        assert len(set(got)) == 100
        board.ping()


def test_connections_that_end_leave_nothing_behind(lab: Lab, operator: Operator) -> None:
    device, token = operator.device()
    before = _links(lab)
    for number in range(20):
        with _board(lab, token) as board:
            board.subscribe("v1/devices/me/attributes")
            board.publish("v1/devices/me/rpc/request/1", {"method": "x", "params": {}})
            if number % 2:
                board.send(b"\xe0\0")
                assert board.packet() is None
    until(lambda: _links(lab) <= before and device["id"]["id"] not in lab.core.hub._devices)


def test_what_comes_and_goes_is_counted(hasty: Lab, boss: Operator) -> None:
    _, token = boss.device()
    before = hasty.mqtt_counters()
    with _board(hasty, token) as board:
        board.ping()
    sent = len(connect(token)) + 2
    counted = {name: count - before[name] for name, count in hasty.mqtt_counters().items()}
    assert counted == {"connections": 1, "packets": 2, "bytes_in": sent, "bytes_out": 4 + 2}


def test_the_end_of_the_lab_ends_its_sessions_at_once(tmp_path: Path) -> None:
    begun = 0.0
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD, timing=TIMING, mqtt_port=0)) as lab:
        operator = Operator(lab.url, lab.username, PASSWORD)
        device, token = operator.device()
        board, old, idle = _board(lab, token, 5), _board(lab, operator.device()[1]), MqttBoard(lab.mqtt_port or 0)
        board.publish(TELEMETRY, {"kept": 1})
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    assert board.ended() == 0x8B
    assert old.packet() is None
    assert idle.packet() is None
    with running_lab(LabConfig(db=tmp_path / "lab.db", password=PASSWORD, mqtt_port=0)) as lab:
        again = Operator(lab.url, lab.username, PASSWORD)
        assert again.latest(device, "kept") == {"kept": 1}
        again.http.close()
    operator.http.close()
    for one in (board, old, idle):
        one.raw.close()


def test_what_the_disk_did_not_take_is_not_acknowledged(lab: Lab, operator: Operator) -> None:
    _, token = operator.device()
    with _board(lab, token) as board:
        # A commit that fails: the unit stays open, as on a full disk.
        real, failed = lab.core.store._commit, threading.Event()

        def commit() -> None:
            waiting, lab.core.store._waiting = lab.core.store._waiting, None
            lab.core.store._connection.execute("ROLLBACK")
            lab.core.store._waiting = waiting
            lab.core.store._fail("no room")
            failed.set()

        lab.core.store._commit = commit  # type: ignore[method-assign]
        try:
            board.publish(TELEMETRY, {"lost": 1}, wait=False)
            assert board.packet() is None
            assert failed.is_set()
        finally:
            lab.core.store._commit = real  # type: ignore[method-assign]
    with _board(lab, token) as board:
        assert board.publish(TELEMETRY, {"kept": 1}) == 0


def test_a_taken_port_is_one_clear_error(lab: Lab) -> None:
    with pytest.raises(CotaError, match=f"port {lab.mqtt_port} on 127.0.0.1 is taken") as error:
        running_lab(LabConfig(password=PASSWORD, mqtt_port=lab.mqtt_port)).__enter__()
    assert "--mqtt-port" in str(error.value.hint)


def test_with_a_certificate_mqtt_is_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with running_lab(LabConfig(password=PASSWORD, mqtt_port=0, certfile=chain, keyfile=key)) as lab:
        with MqttBoard(lab.mqtt_port or 0) as plain:
            plain.send(connect("token"))
            answer = plain.packet()  # nothing, or TLS's alert
            assert answer is None or answer[0] >> 4 != CONNACK
        with MqttBoard(lab.mqtt_port or 0) as board:
            board.raw = context.wrap_socket(board.raw, server_hostname="127.0.0.1")
            board.send(connect("token"))
            assert board.expect(CONNACK)[1] == 5
        with MqttBoard(lab.mqtt_port or 0) as board:
            board.raw = context.wrap_socket(board.raw, server_hostname="127.0.0.1")
            board.login("provision")
            board.send(b"\xc0\0" * 5000)
            for _ in range(5000):
                board.expect(PINGRESP)
