"""The fields that MQTT's packets are made of, read with every bound checked. Source: MQTT 3.1.1 and 5 (OASIS), section 1.5."""

from cota.lab.mqtt import reasons

MAX_LENGTH_BYTES = 4  # of a length that is written in seven bits a byte


class PacketError(Exception):
    """The bytes are no packet that a client may send; the connection ends with this reason.

    Args:
        message: What is wrong.
        reason: The code of a DISCONNECT in MQTT 5.
    """

    def __init__(self, message: str, reason: int = reasons.MALFORMED_PACKET) -> None:
        super().__init__(message)
        self.reason = reason


class Body:
    """What follows a packet's fixed header, read from its start to its end; each of these raises PacketError where it cannot."""

    __slots__ = ("_at", "_bytes")

    def __init__(self, body: bytes) -> None:
        self._bytes, self._at = body, 0

    def take(self, length: int) -> bytes:
        """Return so many bytes."""
        part = self._bytes[self._at : self._at + length]
        if len(part) < length:
            raise PacketError("a packet that ends in the midst of a field")
        self._at += length
        return part

    def rest(self) -> bytes:
        """Return what is left."""
        return self.take(len(self._bytes) - self._at)

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._bytes)

    def byte(self) -> int:
        """Return a byte."""
        return self.take(1)[0]

    def number(self) -> int:
        """Return a number of two bytes."""
        return int.from_bytes(self.take(2), "big")

    def identifier(self) -> int:
        """Return a packet's id, which is never 0."""
        number = self.number()
        if not number:
            raise PacketError("a packet whose id is 0", reasons.PROTOCOL_ERROR)
        return number

    def blob(self) -> bytes:
        """Return a field of bytes, whose length stands before it."""
        return self.take(self.number())

    def text(self) -> str:
        """Return a field of UTF-8."""
        try:
            text = self.blob().decode()
        except UnicodeDecodeError as error:
            raise PacketError("a text that is not UTF-8") from error
        if "\0" in text:
            raise PacketError("a text with a zero in it")
        return text

    def skip_properties(self) -> None:
        """Skip MQTT 5's properties."""
        length = shift = 0
        for _ in range(MAX_LENGTH_BYTES):
            byte = self.byte()
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                self.take(length)
                return
        raise PacketError("properties whose length has more than four bytes")
