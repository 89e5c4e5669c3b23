"""The codec alone: packets come out as they went in, however they are cut, and nothing else than its own error comes out of any bytes."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mqtt_board import connect, packet, text

from cota.lab.mqtt import answers, topics
from cota.lab.mqtt.fields import PacketError
from cota.lab.mqtt.packets import (
    MAX_PACKET_BYTES,
    Acknowledged,
    Connect,
    Decoder,
    Disconnect,
    Packet,
    Ping,
    Publish,
    Release,
    Subscribe,
    Unsubscribe,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=40)
NUMBERS = st.integers(1, 65535)


def _all(data: bytes, level: int = 4, step: int | None = None) -> list[Packet]:
    decoder, found = Decoder(), []
    decoder.level = level
    for at in range(0, len(data), step or len(data) or 1):
        decoder.feed(data[at : at + (step or len(data))])
        while (one := decoder.next()) is not None:
            found.append(one)
    return found


def _number(number: int) -> bytes:
    return number.to_bytes(2, "big")


@given(WORDS, st.one_of(st.none(), WORDS), st.one_of(st.none(), WORDS), st.sampled_from([3, 4, 5]), st.integers(0, 65535), st.booleans())
def test_a_connect_comes_out_as_it_went_in(
    client: str, user: str | None, password: str | None, level: int, keep_alive: int, clean: bool
) -> None:
    data = connect(user, level, client=client, password=password, keep_alive=keep_alive, clean=clean)
    secret = None if password is None else password.encode()
    assert _all(data) == [Connect(level, clean, keep_alive, client, user, secret)]


@given(WORDS, st.binary(max_size=300), st.integers(0, 2), NUMBERS, st.sampled_from([4, 5]), st.integers(1, 50))
def test_packets_come_out_as_they_went_in_however_they_are_cut(
    word: str, payload: bytes, qos: int, number: int, level: int, step: int
) -> None:
    props = b"\x05\x03" + text("x") + b"\x00" if level == 5 else b""
    data = packet(0x30 | qos << 1, text(word) + (_number(number) if qos else b"") + props + payload)
    data += packet(0x82, _number(number) + props + text(word) + b"\2" + text("a/+") + b"\0")
    data += packet(0xA2, _number(number) + props + text(word) + text("#"))
    data += packet(0x40, _number(number)) + packet(0x62, _number(number)) + packet(0xC0, b"")
    data += packet(0x40, _number(number) + b"\x10" + props) if level == 5 else b""
    data += packet(0xE0, b"\4" + props) if level == 5 else packet(0xE0, b"")
    expected = [
        Publish(word, payload, qos, number if qos else 0),
        Subscribe(number, ((word, 2), ("a/+", 0))),
        Unsubscribe(number, (word, "#")),
        *(Acknowledged(number), Release(number), Ping()),
        *([Acknowledged(number)] if level == 5 else []),
        Disconnect(),
    ]
    assert _all(data, level, step) == expected


@given(st.binary(max_size=400), st.sampled_from([3, 4, 5]), st.integers(1, 400))
@example(b"\x10\xff\xff\xff\xff\x01", 4, 400)
def test_any_bytes_give_packets_or_the_codecs_own_error(data: bytes, level: int, step: int) -> None:
    with contextlib.suppress(PacketError):
        for one in _all(data, level, step):
            assert isinstance(one, tuple)


@given(st.sampled_from([1, 3, 4, 5, 6, 7, 8, 10, 12, 14]), st.integers(0, 15), st.binary(max_size=60), st.sampled_from([4, 5]))
def test_any_body_of_any_packet_gives_it_or_the_codecs_own_error(kind: int, flags: int, body: bytes, level: int) -> None:
    with contextlib.suppress(PacketError):
        assert len(_all(packet(kind << 4 | flags, body), level)) == 1


@given(st.data(), st.sampled_from([4, 5]))
def test_a_packet_with_a_byte_changed_gives_packets_or_the_codecs_own_error(data: st.DataObject, level: int) -> None:
    props = b"\0" if level == 5 else b""
    whole = data.draw(
        st.sampled_from(
            [
                connect("user", level, password="secret"),
                packet(0x32, text("topic") + b"\0\1" + props + b"payload"),
                packet(0x82, b"\0\1" + props + text("filter") + b"\1"),
                packet(0xA2, b"\0\1" + props + text("filter")),
            ]
        )
    )
    at = data.draw(st.integers(0, len(whole) - 1))
    with contextlib.suppress(PacketError):
        _all(whole[:at] + bytes((data.draw(st.integers(0, 255)),)) + whole[at + 1 :], level)


@given(st.text(max_size=60))
@example("v2/fw/request/1/chunk/²")
@example("v1/devices/me/attributes/request/--1")
@example("v2/a/req/" + "0" * 5000 + "1")
def test_any_topic_is_a_call_or_nothing_or_the_topics_own_error(topic: str) -> None:
    for prefix in ("", "v1/devices/me/", "v1/devices/me/rpc/request/", "v2/fw/request/", "v2/a/req/"):
        with contextlib.suppress(topics.TopicError):
            topics.read(prefix + topic)


BROKEN = {
    "a length of five bytes": b"\x30\x80\x80\x80\x80\x01",
    "one byte more than 64 KiB": b"\x30\x81\x80\x04",
    "the longest length there is": b"\x30\xff\xff\xff\x7f",
    "type 0": b"\x00\x00",
    "type 15": b"\xf0\x00",
    "a packet of the server's": b"\xd0\x00",
    "flags on a PINGREQ": b"\xc1\x00",
    "no flags on a SUBSCRIBE": packet(0x80, b"\0\1" + text("a") + b"\0"),
    "no flags on a PUBREL": packet(0x60, b"\0\1"),
    "a PINGREQ with a body": packet(0xC0, b"x"),
    "QoS 3": packet(0x36, text("a") + b"\0\1"),
    "a repeated publish at QoS 0": packet(0x38, text("a")),
    "a topic with a wildcard": packet(0x30, text("a/+")),
    "a topic with the other wildcard": packet(0x30, text("#")),
    "no topic": packet(0x30, text("")),
    "a topic longer than its packet": packet(0x30, b"\xff\xff"),
    "a topic with a zero": packet(0x30, text("a\0b")),
    "a topic that is not UTF-8": packet(0x30, text(b"\xff")),
    "half a surrogate pair": packet(0x30, text(b"\xed\xa0\x80")),
    "packet id 0": packet(0x32, text("a") + b"\0\0"),
    "an acknowledgement of packet 0": packet(0x40, b"\0\0"),
    "a PUBACK with something behind": packet(0x40, b"\0\1\0"),
    "a SUBSCRIBE to nothing": packet(0x82, b"\0\1"),
    "a SUBSCRIBE to an empty filter": packet(0x82, b"\0\1" + text("") + b"\0"),
    "a SUBSCRIBE without a QoS": packet(0x82, b"\0\1" + text("a")),
    "a SUBSCRIBE at QoS 3": packet(0x82, b"\0\1" + text("a") + b"\3"),
    "a SUBSCRIBE with MQTT 5's options": packet(0x82, b"\0\1" + text("a") + b"\4"),
    "an UNSUBSCRIBE from nothing": packet(0xA2, b"\0\1"),
    "a CONNECT of another protocol": packet(0x10, text("HTTP") + b"\4\2\0\x3c" + text("c")),
    "a CONNECT with the reserved flag": packet(0x10, text("MQTT") + b"\4\3\0\x3c" + text("c")),
    "a will's QoS without a will": packet(0x10, text("MQTT") + b"\4\x0a\0\x3c" + text("c")),
    "a will at QoS 3": packet(0x10, text("MQTT") + b"\4\x1e\0\x3c" + text("c") + text("w") + text("m")),
    "a CONNECT without the user name it tells of": packet(0x10, text("MQTT") + b"\4\x82\0\x3c" + text("c")),
    "a CONNECT with something behind": packet(0x10, text("MQTT") + b"\4\2\0\x3c" + text("c") + b"x"),
    "MQTT 5's CONNECT without properties": packet(0x10, text("MQTT") + b"\5\2\0\x3c"),
    "properties longer than their packet": packet(0x10, text("MQTT") + b"\5\2\0\x3c\x7f" + text("c")),
    "properties with an endless length": packet(0x10, text("MQTT") + b"\5\2\0\x3c\xff\xff\xff\xff\1" + text("c")),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_a_rule_is_refused(data: bytes) -> None:
    with pytest.raises(PacketError):
        _all(data)


def test_the_largest_packet_is_taken_and_refused_by_its_length_alone_when_a_byte_longer() -> None:
    head = text("a")
    (largest,) = _all(packet(0x30, head + b"x" * (MAX_PACKET_BYTES - len(head))))
    assert isinstance(largest, Publish)
    assert len(largest.payload) == MAX_PACKET_BYTES - 3
    with pytest.raises(PacketError):
        _all(packet(0x30, head + b"x" * MAX_PACKET_BYTES)[:4])


def test_between_packets_the_decoder_holds_nothing() -> None:
    decoder = Decoder()
    decoder.feed(packet(0x30, text("a")))
    assert decoder.next() is not None
    assert decoder._buffer is None


@given(st.binary(max_size=70_000), st.sampled_from([4, 5]))
@example(b"x" * 127, 4)
@example(b"x" * 200_000, 5)
def test_what_the_server_publishes_has_the_length_that_it_tells(payload: bytes, level: int) -> None:
    data = answers.publish(level, "t", payload, 1)
    shift = next(index for index in range(1, 5) if data[index] < 128)
    length = sum((data[index] & 127) << 7 * (index - 1) for index in range(1, shift + 1))
    assert len(data) == 1 + shift + length
    assert data.endswith(payload)
