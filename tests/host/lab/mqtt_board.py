"""A board that speaks MQTT byte by byte, so that tests see what is really sent; it shares no code with the lab."""

import json
import socket
from typing import Any, NamedTuple

CONNACK, PUBLISH, PUBACK, PUBREC, PUBCOMP, SUBACK, UNSUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 5, 7, 9, 11, 13, 14


class Publish(NamedTuple):
    """What the server published."""

    topic: str
    payload: bytes
    qos: int

    @property
    def json(self) -> Any:
        """The payload's value."""
        return json.loads(self.payload)


def text(value: str | bytes) -> bytes:
    """Return a field of MQTT: a length of two bytes, then the bytes."""
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes) -> bytes:
    """Return a packet with its length."""
    length, size = b"", len(body)
    while True:
        size, low = divmod(size, 128)
        length += bytes((low | (128 if size else 0),))
        if not size:
            return bytes((first,)) + length + body


def connect(
    user: str | None, level: int = 4, *, client: str = "board", password: str | None = None, keep_alive: int = 60, clean: bool = True
) -> bytes:
    """Return a CONNECT."""
    flags = 2 * clean | 128 * (user is not None) | 64 * (password is not None)
    body = text("MQIsdp" if level == 3 else "MQTT") + bytes((level, flags)) + keep_alive.to_bytes(2, "big") + (b"\0" if level == 5 else b"")
    body += text(client) + (b"" if user is None else text(user)) + (b"" if password is None else text(password))
    return packet(0x10, body)


class MqttBoard:
    """One connection to a lab; `with` closes it."""

    def __init__(self, port: int, level: int = 4) -> None:
        self.level = level
        self.raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._number = 0

    def __enter__(self) -> "MqttBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.raw.sendall(data)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.raw.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def packet(self) -> tuple[int, bytes] | None:
        """Return the next packet's first byte and body; None at the connection's end."""
        try:
            first = self._exactly(1)[0]
            length = shift = 0
            while True:
                byte = self._exactly(1)[0]
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return first, self._exactly(length)
        except (EOFError, ConnectionError):
            return None

    def expect(self, kind: int) -> bytes:
        """Return the body of the next packet, which must be of this kind."""
        got = self.packet()
        assert got is not None, "the connection ended"
        assert got[0] >> 4 == kind, got
        return got[1]

    def ended(self) -> int | None:
        """Assert that the connection ends, and return the reason that MQTT 5 tells."""
        got, reason = self.packet(), None
        if self.level == 5 and got is not None:
            assert got[0] >> 4 == DISCONNECT, got
            reason, got = got[1][0], self.packet()
        assert got is None, got
        return reason

    def login(self, user: str | None, **more: Any) -> "MqttBoard":
        """Connect, which must succeed."""
        self.send(connect(user, self.level, **more))
        body = self.expect(CONNACK)
        assert body[1] == 0, body
        return self

    def next_number(self) -> int:
        """Return a packet id."""
        self._number += 1
        return self._number

    def publish(self, topic: str, payload: Any, qos: int = 1, *, wait: bool = True) -> int | None:
        """Publish; at QoS 1 wait for the PUBACK and return its reason."""
        number = self.next_number() if qos else 0
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        body = text(topic) + (number.to_bytes(2, "big") if qos else b"") + (b"\0" if self.level == 5 else b"") + data
        self.send(packet(0x30 | qos << 1, body))
        if not qos or not wait:
            return None
        answer = self.expect(PUBACK)
        assert int.from_bytes(answer[:2], "big") == number
        return answer[2] if len(answer) > 2 else 0

    def subscribe(self, *filters: tuple[str, int] | str) -> list[int]:
        """Subscribe and return the codes."""
        asked = [(one, 1) if isinstance(one, str) else one for one in filters]
        body = self.next_number().to_bytes(2, "big") + (b"\0" if self.level == 5 else b"")
        self.send(packet(0x82, body + b"".join(text(name) + bytes((qos,)) for name, qos in asked)))
        return list(self.expect(SUBACK)[3 if self.level == 5 else 2 :])

    def unsubscribe(self, *filters: str) -> list[int]:
        """Unsubscribe and return MQTT 5's codes."""
        body = self.next_number().to_bytes(2, "big") + (b"\0" if self.level == 5 else b"")
        self.send(packet(0xA2, body + b"".join(text(name) for name in filters)))
        return list(self.expect(UNSUBACK)[3 if self.level == 5 else 2 :])

    def receive(self) -> Publish:
        """Return the next publish, acknowledging it."""
        got = self.packet()
        assert got is not None, "the connection ended"
        first, body = got
        assert first >> 4 == PUBLISH, got
        length = int.from_bytes(body[:2], "big")
        topic, rest, qos = body[2 : 2 + length].decode(), body[2 + length :], first >> 1 & 3
        if qos:
            number, rest = rest[:2], rest[2:]
            assert number != b"\0\0"
            self.send(packet(0x40, number))
        if self.level == 5:
            assert rest[0] == 0
            rest = rest[1:]
        return Publish(topic, rest, qos)

    def ping(self) -> None:
        """Ask whether the server is there."""
        self.send(b"\xc0\0")
        assert self.expect(PINGRESP) == b""
