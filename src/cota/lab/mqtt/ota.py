"""A package in chunks over MQTT, with the traps of ThingsBoard's: all of them are what a board must cope with."""

from collections import OrderedDict
from typing import Any

from cota.lab.core import Core
from cota.lab.data.values import PayloadError
from cota.lab.device.downloads import chunk_span
from cota.lab.errors import ApiError
from cota.lab.mqtt.packets import MAX_PACKET_BYTES
from cota.lab.mqtt.topics import OtaCall, java_integer

# Request ids that are remembered. ThingsBoard keeps all; here the oldest of more is resolved anew, so that nobody fills the memory.
_MAX_REQUESTS = 64


class OtaError(Exception):
    """The request cannot be served: this text goes to the device, and the connection ends."""


class OtaDesk:
    """What one connection has asked for: a request's id stays with the package and the chunk size of its first chunk."""

    __slots__ = ("_core", "_device_id", "_packages", "_sizes")

    def __init__(self, core: Core, device_id: str) -> None:
        self._core, self._device_id = core, device_id
        self._packages: OrderedDict[str, str] = OrderedDict()
        self._sizes: OrderedDict[str, int] = OrderedDict()

    def chunk(self, call: OtaCall, payload: bytes) -> bytes | None:
        """Return the bytes that were asked for; None where ThingsBoard fails in silence, as its offset is negative.

        Past the end, and once the package is gone, they are empty. A size of 0 is the whole package, whatever the chunk.

        Raises:
            PayloadError: The payload, the chunk's size in decimal digits, is no number.
            OtaError: Nothing is assigned, the package is a URL, or the chunk is too large.
        """
        size = self._size(call.request, payload)
        if size > MAX_PACKET_BYTES:
            raise OtaError("PAYLOAD_TOO_LARGE")
        package_id = self._packages.get(call.request)
        if package_id is None:
            package_id = self._assigned(call.kind)
            _remember(self._packages, call.request, package_id)
        package = self._core.packages.get(package_id)
        if package is None:
            return b""
        span = (0, package["data_size"]) if size < 1 else chunk_span(package, size, call.chunk)
        return None if span is None else b"".join(self._core.packages.read(package_id, *span))

    def _size(self, request: str, payload: bytes) -> int:
        text = payload.decode("utf-8", "replace")
        size = java_integer(text) if text else 0
        if size is None:
            raise PayloadError("the chunk size is no integer")
        if size <= 0:
            return self._sizes.get(request, 0)
        _remember(self._sizes, request, size)
        return size

    def _assigned(self, kind: str) -> str:
        try:
            package = self._core.ota.package_of(self._device_id, kind)
        except ApiError:
            package = None
        if package is None:
            raise OtaError("NOT_FOUND")
        if package["url"] or not package["has_data"]:
            raise OtaError("FAILURE")
        return str(package["id"])


def _remember(known: "OrderedDict[str, Any]", request: str, what: str | int) -> None:
    known[request] = what
    if len(known) > _MAX_REQUESTS:
        known.popitem(last=False)
