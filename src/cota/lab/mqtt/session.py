"""A device's MQTT session: its publishes become calls of the device API, and the server's pushes become publishes to it."""

import itertools
import json
from collections.abc import Callable
from typing import Any

from cota.lab.core import Core
from cota.lab.data import values
from cota.lab.device.exchange import keys_of
from cota.lab.device.hub import RpcRequest
from cota.lab.mqtt import answers, reasons, topics
from cota.lab.mqtt.fields import PacketError
from cota.lab.mqtt.ota import OtaDesk, OtaError
from cota.lab.mqtt.packets import MAX_PACKET_BYTES, Publish, Subscribe, Unsubscribe
from cota.lab.mqtt.topics import Call, OtaCall
from cota.lab.mqtt.wire import Wire

# ThingsBoard's MQTT_MSG_QUEUE_SIZE_PER_DEVICE_LIMIT, and as many calls of a device may wait here for an answer that never comes.
_MAX_IN_FLIGHT = 100
# What the session's limits tell a device that asks: no rates are limited here, as in ThingsBoard's own default profile.
_SESSION_LIMITS = {"maxPayloadSize": MAX_PACKET_BYTES, "maxInflightMessages": _MAX_IN_FLIGHT, "rateLimits": {}}


class DeviceSession:
    """The device's side of the hub, for as long as its connection lasts."""

    __slots__ = ("_core", "_device_id", "_filters", "_level", "_numbers", "_ota", "_unanswered", "_wire")

    def __init__(self, core: Core, wire: Wire, device_id: str, level: int) -> None:
        self._core, self._wire, self._device_id, self._level = core, wire, device_id, level
        self._filters: dict[str, int] = {}  # in the order of their SUBSCRIBE: the last spelling of a push wins
        self._numbers = itertools.count()
        self._ota: OtaDesk | None = None
        self._unanswered = 0

    def heard(self) -> None:
        """Count as the device's activity."""
        self._core.activity.heard(self._device_id)

    def ended(self) -> None:
        """Leave the hub."""
        self._core.hub.detach(self._device_id, self)

    def subscribe(self, packet: Subscribe) -> None:
        """Grant the filters that ThingsBoard knows, at QoS 1 at most."""
        granted: list[int | None] = []
        for text, asked in packet.filters:
            known = text in topics.FILTERS
            granted.append(min(asked, 1) if known else None)
            if known:
                self._filters.pop(text, None)
                self._filters[text] = min(asked, 1)
        self.heard()
        self._wire.send(answers.suback(self._level, packet.number, granted))
        if any(text in topics.RPC_FILTERS for text, _ in packet.filters):
            self._core.hub.call_waiting(self._device_id)

    def unsubscribe(self, packet: Unsubscribe) -> None:
        """Forget filters."""
        known = [self._filters.pop(text, None) is not None for text in packet.filters]
        self.heard()
        self._wire.send(answers.unsuback(self._level, packet.number, known))

    def publish(self, packet: Publish) -> None:
        """Do what a publish asks for, and acknowledge it.

        Raises:
            PacketError: Its payload or its topic is not to be understood, and the connection must end.
        """
        try:
            call = topics.read(packet.topic)
            if isinstance(call, OtaCall):
                self._send_chunk(packet, call)
            elif call is None:
                self.heard()
                self._acknowledge(packet, reasons.TOPIC_NAME_INVALID)
            else:
                _DO[call.name](self, packet, call)
        except topics.OtaTopicError as error:
            raise PacketError(str(error), reasons.IMPLEMENTATION_ERROR) from error
        except (topics.TopicError, values.PayloadError) as error:
            self._refuse(packet, str(error))

    def _acknowledge(self, packet: Publish, reason: int = reasons.OK) -> None:
        self._wire.send(answers.acknowledge(self._level, packet, reason))

    def _refuse(self, packet: Publish, text: str) -> None:
        """Answer a payload that is not to be understood: MQTT 5 and a tolerant profile get an acknowledgement, else the connection ends."""
        if not packet.qos or not (self._level == 5 or self._tolerant()):
            raise PacketError(text, reasons.PAYLOAD_FORMAT_INVALID)
        self._acknowledge(packet, reasons.PAYLOAD_FORMAT_INVALID)

    def _tolerant(self) -> bool:
        device = self._core.devices.need(self._device_id)
        body: Any = json.loads(self._core.profiles.need(device["profile_id"])["body"])
        for name in ("profileData", "transportConfiguration", "sendAckOnValidationException"):
            body = body.get(name) if isinstance(body, dict) else None
        return body is True

    def _telemetry(self, packet: Publish, _call: Call) -> None:
        self._core.exchange.save_telemetry(self._device_id, values.parse(packet.payload))
        self._acknowledge(packet)

    def _attributes(self, packet: Publish, _call: Call) -> None:
        self._core.exchange.save_attributes(self._device_id, values.parse(packet.payload))
        self._acknowledge(packet)

    def _attribute_request(self, packet: Publish, call: Call) -> None:
        asked = _object(packet.payload)
        lists = [keys_of([text] if isinstance(text := asked.get(name), str) else []) for name in ("clientKeys", "sharedKeys")]
        answer = self._core.exchange.read(self._device_id, *lists)
        self._acknowledge(packet)
        self._tell(f"{call.family.attribute_response}{call.number}", answer)

    def _rpc_request(self, packet: Publish, call: Call) -> None:
        asked = _object(packet.payload)
        if not isinstance(asked.get("method"), str):
            raise values.PayloadError("Can't parse RPC request: method is missing")
        self.heard()
        self._acknowledge(packet)
        topic = f"{call.family.rpc_response}{call.number}"
        if asked["method"] == "getSessionLimits":
            self._tell(topic, _SESSION_LIMITS)
        elif self._unanswered < _MAX_IN_FLIGHT:
            # No rule chain answers here, so it ends as one does that none answers.
            self._unanswered += 1
            self._wire.later(self._core.timing.client_rpc_timeout, lambda: self._give_up(topic))

    def _give_up(self, topic: str) -> None:
        self._unanswered -= 1
        self._tell(topic, {"error": "timeout"})

    def _rpc_response(self, packet: Publish, call: Call) -> None:
        reply = values.plain(values.parse(packet.payload))
        self.heard()
        self._core.hub.answer_rpc(self._device_id, call.number, reply)
        self._acknowledge(packet)

    def _claim(self, packet: Publish, _call: Call) -> None:
        if packet.payload:
            _object(packet.payload)
        self.heard()
        self._acknowledge(packet)

    def _send_chunk(self, packet: Publish, call: OtaCall) -> None:
        self._ota = self._ota or OtaDesk(self._core, self._device_id)
        try:
            chunk = self._ota.chunk(call, packet.payload)
        except OtaError as error:  # no acknowledgement then, as on ThingsBoard
            last = self._to_device(topics.OTA_ERROR, str(error).encode())
            self._wire.close(last + answers.disconnect(self._level, reasons.IMPLEMENTATION_ERROR))
            return
        except values.PayloadError as error:
            raise PacketError(str(error), reasons.IMPLEMENTATION_ERROR) from error
        self._acknowledge(packet)
        if chunk is not None:
            self._wire.send(self._to_device(call.topic, chunk))

    def _to_device(self, topic: str, payload: bytes) -> bytes:
        number = next(self._numbers) % 65535 + 1 if topics.granted(self._filters, topic) else 0
        return answers.publish(self._level, topic, payload, number)

    def _tell(self, topic: str, message: Any) -> None:
        self._wire.send(self._to_device(topic, values.encode(message).encode()))

    def _last_of(self, filters: "dict[str, Any]") -> str | None:
        return next((text for text in reversed(self._filters) if text in filters), None)

    def attributes_changed(self, message: dict[str, Any]) -> None:
        """Push shared attributes, to a device that has subscribed to them."""
        topic = self._last_of(topics.ATTRIBUTE_FILTERS)
        if topic is not None:
            self._wire.push(self._to_device(topic, values.encode(message).encode()))

    def called(self, request: RpcRequest) -> bool:
        """Push an RPC request, to a device that has subscribed to them."""
        text = self._last_of(topics.RPC_FILTERS)
        if text is None:
            return False
        topic = f"{topics.RPC_FILTERS[text].rpc_request}{request.number}"
        message = {"method": request.method, "params": request.params}
        self._wire.push(self._to_device(topic, values.encode(message).encode()))
        return True

    def closed(self, reason: str, *, replaced: bool = False) -> None:
        """End the connection from the server's side; only MQTT 5 has a word for why."""
        stopping = self._core.hub.closed
        code = reasons.SESSION_TAKEN_OVER if replaced else reasons.SERVER_SHUTTING_DOWN if stopping else reasons.ADMINISTRATIVE_ACTION
        self._wire.close(answers.disconnect(self._level, code))


def _object(payload: bytes) -> dict[str, Any]:
    given = values.plain(values.parse(payload))
    if not isinstance(given, dict):
        raise values.PayloadError("Can't parse value: " + payload.decode("utf-8", "replace")[:256])
    return given


_DO: dict[str, Callable[[DeviceSession, Publish, Call], None]] = {
    "telemetry": DeviceSession._telemetry,
    "attributes": DeviceSession._attributes,
    "attribute_request": DeviceSession._attribute_request,
    "rpc_request": DeviceSession._rpc_request,
    "rpc_response": DeviceSession._rpc_response,
    "claim": DeviceSession._claim,
}
