"""One connection from its CONNECT to its end: who is there, and the answers that need no device.

Nothing outlives a connection: ThingsBoard keeps no sessions, although its CONNACK says "session present" to whoever asks for one.
"""

import secrets

from cota.lab.core import Core
from cota.lab.data import values
from cota.lab.device import provisioning
from cota.lab.errors import ApiError
from cota.lab.mqtt import answers, login, reasons, topics
from cota.lab.mqtt.fields import PacketError
from cota.lab.mqtt.packets import Acknowledged, Connect, Disconnect, Packet, Ping, Publish, Release, Subscribe, Unsubscribe
from cota.lab.mqtt.session import DeviceSession
from cota.lab.mqtt.wire import Wire

# A client may be silent for one and a half of its keep-alive (MQTT 3.1.1, 3.1.2.10). ThingsBoard waits its session timeout instead; who
# keeps the rule sees no difference, and a dead board is found sooner.
_KEEP_ALIVE_FACTOR = 1.5


class Conversation:
    """See `handle`; `ended` must be called once the connection is gone."""

    __slots__ = ("_core", "_level", "_provisioning", "_session", "_wire")

    def __init__(self, core: Core, wire: Wire) -> None:
        self._core, self._wire = core, wire
        self._level = 0  # 0 until there was a CONNECT
        self._session: DeviceSession | None = None
        self._provisioning = False
        wire.allow(core.timing.mqtt_connect_timeout)

    def handle(self, packet: Packet) -> None:
        """Do what a packet asks for.

        Raises:
            PacketError: It comes at the wrong time, and the connection must end.
        """
        if not self._level:
            if not isinstance(packet, Connect):
                raise PacketError("something before CONNECT", reasons.PROTOCOL_ERROR)
            self._connect(packet)
        elif isinstance(packet, Connect):
            raise PacketError("a second CONNECT", reasons.PROTOCOL_ERROR)
        elif isinstance(packet, Ping):
            self._wire.send(answers.PINGRESP)
            if self._session:
                self._session.heard()
        elif isinstance(packet, Disconnect):
            self._wire.close()
        elif isinstance(packet, Release):
            self._wire.send(answers.pubcomp(packet.number))
        elif self._session:
            self._with_device(packet, self._session)
        elif self._provisioning:
            self._with_stranger(packet)

    def _with_device(self, packet: Packet, session: DeviceSession) -> None:
        if isinstance(packet, Publish):
            session.publish(packet)
        elif isinstance(packet, Subscribe):
            session.subscribe(packet)
        elif isinstance(packet, Unsubscribe):
            session.unsubscribe(packet)

    def _connect(self, packet: Connect) -> None:
        level = self._level = packet.level
        present = not packet.clean
        self._provisioning = login.PROVISION in {packet.username, packet.client_id}
        device_id = None if self._provisioning else login.device_of(self._core.credentials, packet)
        if device_id is None and not self._provisioning:
            self._wire.close(answers.connack(level, login.refusal(packet), session_present=present))
            return
        limit = self._core.timing.mqtt_session_timeout
        self._wire.allow(min(limit, packet.keep_alive * _KEEP_ALIVE_FACTOR) if packet.keep_alive else limit)
        given = packet.client_id or secrets.token_hex(8)
        self._wire.send(answers.connack(level, reasons.OK, session_present=present, client_id="" if packet.client_id else given))
        if device_id is not None:
            self._session = DeviceSession(self._core, self._wire, device_id, level)
            self._core.hub.attach(device_id, self._session)
            self._session.heard()

    def _with_stranger(self, packet: Packet) -> None:
        if isinstance(packet, Subscribe):
            if any(text != topics.PROVISION_RESPONSE for text, _ in packet.filters):
                raise PacketError("a filter that is not for provisioning", reasons.NOT_AUTHORIZED)
            self._wire.send(answers.suback(self._level, packet.number, [min(qos, 1) for _, qos in packet.filters]))
        elif isinstance(packet, Publish):
            self._provision(packet)
        elif not isinstance(packet, Acknowledged):
            raise PacketError("a packet that is not for provisioning", reasons.NOT_AUTHORIZED)

    def _provision(self, packet: Publish) -> None:
        if packet.topic != topics.PROVISION_REQUEST:
            raise PacketError("a topic that is not for provisioning", reasons.NOT_AUTHORIZED)
        try:
            answer = provisioning.provision(self._core, values.plain(values.parse(packet.payload)))
        except (values.PayloadError, ApiError) as error:
            raise PacketError(str(error), reasons.PAYLOAD_FORMAT_INVALID) from error
        self._wire.send(answers.acknowledge(self._level, packet))
        self._wire.send(answers.publish(self._level, topics.PROVISION_RESPONSE, values.encode(answer).encode(), 1))
        self._wire.later(self._core.timing.mqtt_provision_timeout, self._wire.close)

    def farewell(self, reason: int) -> bytes:
        """Return the last packet of a connection that we end."""
        return answers.disconnect(self._level, reason) if self._session or self._provisioning else b""

    def ended(self) -> None:
        """Forget the device's session."""
        if self._session:
            self._session.ended()
