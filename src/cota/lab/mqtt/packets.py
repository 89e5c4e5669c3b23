"""MQTT's packets, pure: bytes come in, packets come out. What a server receives; what it sends is in answers.py.

Sources: MQTT 3.1.1 (OASIS), chapters 2 and 3; MQTT 5 (OASIS), the same chapters. Properties of MQTT 5 are skipped by their length, as
nothing here depends on one. A packet that breaks a rule ends the connection, so every check raises.
"""

from typing import NamedTuple

from cota.lab.mqtt import reasons
from cota.lab.mqtt.fields import MAX_LENGTH_BYTES, Body, PacketError

# ThingsBoard's NETTY_MAX_PAYLOAD_SIZE: what follows a packet's fixed header.
MAX_PACKET_BYTES = 65536
_NAMES = {"MQTT", "MQIsdp"}
_CONNECT, _PUBLISH, _PUBACK, _PUBREC, _PUBREL, _PUBCOMP = 1, 3, 4, 5, 6, 7
_SUBSCRIBE, _UNSUBSCRIBE, _PINGREQ, _DISCONNECT = 8, 10, 12, 14
# The lower half of the first byte; a PUBLISH keeps its own there.
_FLAGS = {
    _CONNECT: 0, _PUBACK: 0, _PUBREC: 0, _PUBREL: 2, _PUBCOMP: 0, _SUBSCRIBE: 2, _UNSUBSCRIBE: 2, _PINGREQ: 0, _DISCONNECT: 0,
}  # fmt: skip


class Connect(NamedTuple):
    """CONNECT. A will is read and forgotten: ThingsBoard has none."""

    level: int
    clean: bool
    keep_alive: int  # seconds, 0 for none
    client_id: str
    username: str | None
    password: bytes | None


class Publish(NamedTuple):
    """PUBLISH."""

    topic: str
    payload: bytes
    qos: int
    number: int  # the packet's id, 0 at QoS 0


class Acknowledged(NamedTuple):
    """PUBACK, PUBREC or PUBCOMP: nothing that ThingsBoard repeats waits for one."""

    number: int


class Release(NamedTuple):
    """PUBREL: the third step of a publish at QoS 2."""

    number: int


class Subscribe(NamedTuple):
    """SUBSCRIBE: filters and the QoS that is asked for."""

    number: int
    filters: tuple[tuple[str, int], ...]


class Unsubscribe(NamedTuple):
    """UNSUBSCRIBE."""

    number: int
    filters: tuple[str, ...]


class Ping(NamedTuple):
    """PINGREQ."""


class Disconnect(NamedTuple):
    """DISCONNECT."""


Packet = Connect | Publish | Acknowledged | Release | Subscribe | Unsubscribe | Ping | Disconnect


class Decoder:
    """Cuts a stream into packets; the version is that of the CONNECT that it has seen."""

    __slots__ = ("_buffer", "level")

    def __init__(self) -> None:
        self._buffer: bytearray | None = None  # None between packets: an idle connection holds no buffer
        self.level = 4

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        if self._buffer is None:
            self._buffer = bytearray(data)
        else:
            self._buffer += data

    def next(self) -> Packet | None:
        """Return the next packet; None if there is no whole one.

        Raises:
            PacketError: It breaks a rule. What follows means nothing any more.
        """
        buffer = self._buffer
        if buffer is None:
            return None
        start, length = _length(buffer)
        if length > MAX_PACKET_BYTES:
            raise PacketError(f"a packet of {length} bytes, at most {MAX_PACKET_BYTES} are taken", reasons.PACKET_TOO_LARGE)
        if not start or len(buffer) < start + length:
            return None
        first, body = buffer[0], bytes(buffer[start : start + length])
        del buffer[: start + length]
        if not buffer:
            self._buffer = None
        packet = _packet(first, Body(body), self.level)
        if isinstance(packet, Connect):
            self.level = packet.level
        return packet


def _length(buffer: bytearray) -> tuple[int, int]:
    """Return how long the fixed header is, 0 if it is not whole, and the length that it tells."""
    length = 0
    for index in range(MAX_LENGTH_BYTES):
        if len(buffer) < index + 2:
            return 0, 0
        length |= (buffer[index + 1] & 127) << 7 * index
        if buffer[index + 1] < 128:
            return index + 2, length
    raise PacketError("a length of more than four bytes")


def _packet(first: int, body: Body, level: int) -> Packet:
    kind, flags = first >> 4, first & 15
    if kind == _PUBLISH:
        return _publish(flags, body, level)
    if kind not in _FLAGS:
        raise PacketError(f"a packet of type {kind}, which no client sends", reasons.PROTOCOL_ERROR)
    if flags != _FLAGS[kind]:
        raise PacketError(f"a packet of type {kind} with flags {flags}")
    packet: Packet
    if kind == _CONNECT:
        packet = _connect(body)
    elif kind == _SUBSCRIBE:
        packet = _subscribe(body, level)
    elif kind == _UNSUBSCRIBE:
        packet = _unsubscribe(body, level)
    elif kind == _PINGREQ:
        packet = Ping()
    elif kind == _DISCONNECT:
        _skip_reason(body, level)
        packet = Disconnect()
    else:
        number = body.identifier()
        _skip_reason(body, level)
        packet = Release(number) if kind == _PUBREL else Acknowledged(number)
    if body.more:
        raise PacketError(f"a packet of type {kind} with something behind its end")
    return packet


def _skip_reason(body: Body, level: int) -> None:
    if level == 5 and body.more:
        body.byte()
        if body.more:
            body.skip_properties()


def _connect(body: Body) -> Connect:
    name, level, flags, keep_alive = body.text(), body.byte(), body.byte(), body.number()
    if name not in _NAMES:
        raise PacketError("a CONNECT of another protocol")
    if flags & 1 or flags & 0x18 == 0x18 or (not flags & 4 and flags & 0x38):
        raise PacketError(f"a CONNECT with flags {flags:#x}")
    if level not in {3, 5}:
        level = 4  # as ThingsBoard
    if level == 5:
        body.skip_properties()
    client_id = body.text()
    if flags & 4:
        if level == 5:
            body.skip_properties()
        body.text()
        body.blob()
    username = body.text() if flags & 0x80 else None
    password = body.blob() if flags & 0x40 else None
    return Connect(level, bool(flags & 2), keep_alive, client_id, username, password)


def _publish(flags: int, body: Body, level: int) -> Publish:
    qos = flags >> 1 & 3
    if qos == 3 or (qos == 0 and flags & 8):
        raise PacketError(f"a PUBLISH with flags {flags}")
    topic = body.text()
    if "+" in topic or "#" in topic:
        raise PacketError("a PUBLISH to a topic with wildcards", reasons.TOPIC_NAME_INVALID)
    number = body.identifier() if qos else 0
    if level == 5:
        body.skip_properties()
    if not topic:  # an alias in MQTT 5, which we do not offer
        raise PacketError("a PUBLISH to no topic", reasons.PROTOCOL_ERROR)
    return Publish(topic, body.rest(), qos, number)


def _subscribe(body: Body, level: int) -> Subscribe:
    number, filters = body.identifier(), []
    if level == 5:
        body.skip_properties()
    while body.more:
        text, options = _filter(body), body.byte()
        if options & 3 == 3 or options & (0xC0 if level == 5 else 0xFC):
            raise PacketError(f"a SUBSCRIBE with options {options:#x}")
        filters.append((text, options & 3))
    if not filters:
        raise PacketError("a SUBSCRIBE to nothing", reasons.PROTOCOL_ERROR)
    return Subscribe(number, tuple(filters))


def _unsubscribe(body: Body, level: int) -> Unsubscribe:
    number, filters = body.identifier(), []
    if level == 5:
        body.skip_properties()
    while body.more:
        filters.append(_filter(body))
    if not filters:
        raise PacketError("an UNSUBSCRIBE from nothing", reasons.PROTOCOL_ERROR)
    return Unsubscribe(number, tuple(filters))


def _filter(body: Body) -> str:
    text = body.text()
    if not text:
        raise PacketError("an empty filter")
    return text
