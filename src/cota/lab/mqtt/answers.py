"""The packets that a server sends, as bytes, pure. `level` is the protocol's: 3 for 3.1, 4 for 3.1.1, 5 for 5."""

from collections.abc import Iterable

from cota.lab.mqtt import reasons
from cota.lab.mqtt.packets import Publish

PINGRESP = b"\xd0\x00"
_NO_PROPERTIES = b"\x00"
# Properties of a CONNACK in MQTT 5: QoS 1 is the most, and the id of a client that gave none.
_MAXIMUM_QOS = b"\x24\x01"
_ASSIGNED_CLIENT_ID = b"\x12"


def _packet(first: int, body: bytes) -> bytes:
    length, size = bytearray(), len(body)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes((first,)) + length + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def connack(level: int, reason: int, *, session_present: bool = False, client_id: str = "") -> bytes:
    """Return a CONNACK.

    Args:
        level: The protocol's.
        reason: MQTT 5's code; older versions get their own for it.
        session_present: What ThingsBoard claims, see session.py.
        client_id: The id that a client without one gets; MQTT 5 only.
    """
    if level != 5:
        return _packet(0x20, bytes((session_present, reasons.OLD_CONNACK[reason])))
    properties = b"" if reason else _MAXIMUM_QOS + (_ASSIGNED_CLIENT_ID + _text(client_id) if client_id else b"")
    return _packet(0x20, bytes((session_present, reason, len(properties))) + properties)


def publish(level: int, topic: str, payload: bytes, number: int) -> bytes:
    """Return a PUBLISH: at QoS 1 with this id, at QoS 0 if it is 0."""
    head = _text(topic) + (number.to_bytes(2, "big") if number else b"") + (_NO_PROPERTIES if level == 5 else b"")
    return _packet(0x32 if number else 0x30, head + payload)


def _acknowledgement(first: int, level: int, number: int, reason: int) -> bytes:
    body = number.to_bytes(2, "big")
    return _packet(first, body + bytes((reason,)) if level == 5 and reason else body)


def puback(level: int, number: int, reason: int = reasons.OK) -> bytes:
    """Return a PUBACK; its reason is told in MQTT 5 only."""
    return _acknowledgement(0x40, level, number, reason)


def pubrec(level: int, number: int, reason: int = reasons.OK) -> bytes:
    """Return a PUBREC, the first answer to a publish at QoS 2."""
    return _acknowledgement(0x50, level, number, reason)


def acknowledge(level: int, packet: Publish, reason: int = reasons.OK) -> bytes:
    """Return the first answer to a publish, which at QoS 0 is none."""
    if packet.qos == 2:
        return pubrec(level, packet.number, reason)
    return puback(level, packet.number, reason) if packet.qos else b""


def pubcomp(number: int) -> bytes:
    """Return a PUBCOMP, the last answer to a publish at QoS 2."""
    return _packet(0x70, number.to_bytes(2, "big"))


def suback(level: int, number: int, granted: Iterable[int | None]) -> bytes:
    """Return a SUBACK: the QoS granted to each filter, None for a filter that is refused."""
    refused = reasons.TOPIC_FILTER_INVALID if level == 5 else reasons.OLD_REFUSED_FILTER
    codes = bytes(refused if qos is None else qos for qos in granted)
    return _packet(0x90, number.to_bytes(2, "big") + (_NO_PROPERTIES if level == 5 else b"") + codes)


def unsuback(level: int, number: int, known: Iterable[bool]) -> bytes:
    """Return an UNSUBACK: for each filter whether there was such a subscription."""
    body = number.to_bytes(2, "big")
    if level == 5:
        body += _NO_PROPERTIES + bytes(0 if was else 0x11 for was in known)
    return _packet(0xB0, body)


def disconnect(level: int, reason: int) -> bytes:
    """Return what precedes the end of a connection: a DISCONNECT in MQTT 5, nothing before."""
    return _packet(0xE0, bytes((reason,))) if level == 5 else b""
