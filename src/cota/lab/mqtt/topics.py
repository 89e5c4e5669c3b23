"""ThingsBoard's topics for devices, pure: what a publish means, and which filters can be subscribed to.

Source: ThingsBoard's MqttTopics. There is no topic space: a topic is the name of a call, and a filter must be one of the known texts,
character for character. The protobuf forms are unknown here.
"""

import re
from typing import NamedTuple

PROVISION_REQUEST = "/provision/request"
PROVISION_RESPONSE = "/provision/response"
OTA_ERROR = "v2/fw/error"  # for software as well: ThingsBoard never uses v2/sw/error
_NUMBER = re.compile(r"(?=.*[0-9])([+-]?)0*([0-9]*)", re.ASCII)
_OTA = re.compile(r"v2/(fw|sw)/request/([0-9]+)/chunk/([0-9]+)", re.ASCII)
_OTA_KINDS = {"fw": "FIRMWARE", "sw": "SOFTWARE"}


class Family(NamedTuple):
    """One spelling of the device API; an answer comes in the spelling of its question."""

    telemetry: str
    attributes: str
    attribute_request: str
    attribute_response: str
    rpc_request: str
    rpc_response: str


LONG = Family(
    "v1/devices/me/telemetry",
    "v1/devices/me/attributes",
    "v1/devices/me/attributes/request/",
    "v1/devices/me/attributes/response/",
    "v1/devices/me/rpc/request/",
    "v1/devices/me/rpc/response/",
)
SHORT = Family("v2/t", "v2/a", "v2/a/req/", "v2/a/res/", "v2/r/req/", "v2/r/res/")
_FAMILIES = (LONG, SHORT)
_JSON_FORMS = {"v2/t/j": SHORT.telemetry, "v2/a/j": SHORT.attributes}

# Filters of pushes, by the family that a push then comes in.
ATTRIBUTE_FILTERS = {family.attributes: family.attributes for family in _FAMILIES} | {"v2/a/j": "v2/a/j"}
RPC_FILTERS = {f"{family.rpc_request}+": family for family in _FAMILIES}
FILTERS = frozenset(
    {
        *ATTRIBUTE_FILTERS,
        *RPC_FILTERS,
        *(f"{family.attribute_response}+" for family in _FAMILIES),
        *(f"{family.rpc_response}+" for family in _FAMILIES),
        PROVISION_RESPONSE,
        *(f"v2/{kind}/{rest}" for kind in _OTA_KINDS for rest in ("response/+/chunk/+", "error")),
    }
)


class Call(NamedTuple):
    """What a publish asks for.

    Attributes:
        name: `telemetry`, `attributes`, `attribute_request`, `rpc_request`, `rpc_response`, `claim`, `ota`.
        family: How the topic was spelled.
        number: The number at the topic's end, where the call has one.
    """

    name: str
    family: Family = LONG
    number: int = 0


class OtaCall(NamedTuple):
    """A request for a chunk of a package.

    Attributes:
        kind: FIRMWARE or SOFTWARE.
        request: The request's id as it was written: "1" and "01" are two.
        chunk: Which, from 0.
        topic: Where the answer goes.
    """

    kind: str
    request: str
    chunk: int
    topic: str


class TopicError(ValueError):
    """A known topic with a number that is none."""


class OtaTopicError(TopicError):
    """The same in a request for a chunk, which ThingsBoard's parser does not survive: the connection ends in every version."""


def read(topic: str) -> Call | OtaCall | None:
    """Return what a publish to this topic asks for; None for a topic that means nothing.

    Raises:
        TopicError: A number in it is no Java integer (of 32 bits).
    """
    topic = _JSON_FORMS.get(topic, topic)
    if topic == "v1/devices/me/claim":
        return Call("claim")
    for family in _FAMILIES:
        for name in ("telemetry", "attributes"):
            if topic == getattr(family, name):
                return Call(name, family)
        for name in ("attribute_request", "rpc_request", "rpc_response"):
            if topic.startswith(prefix := getattr(family, name)):
                return Call(name, family, _integer(topic.removeprefix(prefix)))
    if ota := _OTA.fullmatch(topic):
        try:
            return OtaCall(_OTA_KINDS[ota[1]], ota[2], _integer(ota[3]), topic.replace("/request/", "/response/", 1))
        except TopicError as error:
            raise OtaTopicError(str(error)) from None
    return None


def _integer(text: str) -> int:
    number = None if text.startswith("+") else java_integer(text)
    if number is None:
        raise TopicError(f"{text[:32]} in a topic is no integer")
    return number


def java_integer(text: str) -> int | None:
    """Return a decimal number of 32 bits as Java reads one, leading zeros and all; None if it is none."""
    # Shortened before it is read: Python refuses thousands of digits, and they cost time.
    found = _NUMBER.fullmatch(text)
    if found is None or len(found[2]) > len(str(2**31)):
        return None
    number = int(found[1] + (found[2] or "0"))
    return number if -(2**31) <= number < 2**31 else None


def granted(filters: dict[str, int], topic: str) -> int:
    """Return the QoS of a publish to a device: that of the subscription that matches, 1 if there is none, as ThingsBoard."""
    if topic in filters:
        return filters[topic]
    for text, qos in filters.items():
        if "+" in text and _matches(text, topic):
            return qos
    return 1


def _matches(text: str, topic: str) -> bool:
    parts, names = text.split("/"), topic.split("/")
    return len(parts) == len(names) and all(part in {"+", name} for part, name in zip(parts, names, strict=True))
