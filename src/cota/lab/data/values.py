"""ThingsBoard's value rules, pure: which type a posted value gets, and how a stored value is shown.

A stored value is JSON text, so that its type is part of it: `"1.2.3"` text, `1.1` double, `7` long, `true` boolean, `{...}` JSON.
Source of the rules: ThingsBoard 4.3 JsonConverter with its default JSON_TYPE_CAST_ENABLED=true.
"""

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

# The column that holds a key in ThingsBoard's database.
MAX_KEY_LENGTH = 255
_MAX_SCALE = 16  # digits after the point that ThingsBoard still stores as a double
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1
_MAX_DEPTH = 100  # levels of a JSON value; deeper ones would exhaust the stack of whoever reads them
_MAX_INTEGER_DIGITS = 400  # no double has more
_INTEGER = re.compile(r"-?\d+")
# Exponents beyond this make a plain integer of hundreds of digits; no double has them.
_MAX_EXPONENT = 400
# Character for character what Apache's NumberUtils.isParsable accepts: no plus sign, no exponent, no trailing point.
_PARSABLE = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)")


class PayloadError(ValueError):
    """The payload is not what ThingsBoard's parser takes; the text is what it answers."""


class Number(str):
    """A JSON number exactly as it was written; ThingsBoard's typing looks at its spelling."""

    __slots__ = ()


class Sample(NamedTuple):
    """One stored value of one key at one time."""

    ts: int
    key: str
    value: str


def parse(body: bytes) -> Any:
    """Parse JSON, keeping every number as it was written.

    Raises:
        PayloadError: It is not JSON.
    """
    try:
        parsed = json.loads(body, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant)
        # Half a surrogate pair is JSON but no text: no database keeps it. Looked for only where one can be.
        if b"\\u" in body or b"\xed" in body:
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"Malformed JSON: {error}") from error
    return parsed


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def plain(parsed: Any, depth: int = 0) -> Any:
    """Turn what `parse` gave into ordinary Python values.

    Raises:
        PayloadError: It is nested too deeply, or a number fits no double.
    """
    if depth > _MAX_DEPTH:
        raise PayloadError(f"Malformed JSON: more than {_MAX_DEPTH} levels")
    if isinstance(parsed, Number):
        if len(parsed) <= _MAX_INTEGER_DIGITS and _INTEGER.fullmatch(parsed):
            return int(parsed)
        if not math.isfinite(number := float(parsed)):
            raise PayloadError(f"Malformed JSON: number out of range: {parsed[:32]}")
        return number
    if isinstance(parsed, dict):
        return {key: plain(value, depth + 1) for key, value in parsed.items()}
    if isinstance(parsed, list):
        return [plain(value, depth + 1) for value in parsed]
    return parsed


def encode(value: Any) -> str:
    """Return the stored form of a value that needs no cast (written by the server itself)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def decode(stored: str) -> Any:
    """Return a stored value with its type."""
    return json.loads(stored)


def typed(parsed: Any) -> str | None:
    """Return the stored form of a posted value, after the numeric cast; None for null, which is skipped.

    A string that looks like a plain decimal becomes a number: "1.10" is stored as 1.1, "007" as 7; "1.2.3" stays text.
    """
    if parsed is None:
        return None
    if isinstance(parsed, Number):
        return _number(parsed)
    if isinstance(parsed, str):
        return _number(parsed) if _PARSABLE.fullmatch(parsed) else encode(parsed)
    if isinstance(parsed, bool):
        return encode(parsed)
    return encode(plain(parsed))


def _number(text: str) -> str:
    if len(text) > _MAX_INTEGER_DIGITS:
        return encode(str(text))
    number = Decimal(text)
    if number.adjusted() > _MAX_EXPONENT or number.adjusted() < -_MAX_EXPONENT:
        return encode(str(text))
    simple_double = "." in text and "e" not in text and "E" not in text
    scale = -int(number.as_tuple().exponent)
    if not simple_double and number == number.to_integral_value():
        whole = int(number)
        return str(whole) if _LONG_MIN <= whole <= _LONG_MAX else encode(format(number, "f"))
    if scale <= _MAX_SCALE and abs(number) < Decimal("1.7e308"):
        return encode(float(number) + 0.0)  # a BigDecimal has no negative zero
    return encode(format(number, "f"))


def as_text(stored: str) -> str:
    """Show a stored value as ThingsBoard's text form, which its REST gives unless strict types are asked for."""
    value = decode(stored)
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return java_double(value)
    return stored


def java_double(value: float) -> str:
    """Write a double as Java's Double.toString: 1.0E7 from ten million up and below a thousandth, else plain."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return format(Decimal(repr(value)), "f") if "e" in repr(value) else repr(value)
    digits = Decimal(repr(value)).normalize()
    sign, figures, _ = digits.as_tuple()
    text = "".join(map(str, figures))
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{digits.adjusted()}"


def attributes(parsed: Any) -> list[tuple[str, str]]:
    """Return the (key, stored value) pairs of a flat object of attributes.

    Raises:
        PayloadError: It is no object, or a key is too long.
    """
    if not isinstance(parsed, dict):
        raise PayloadError(f"Can't parse value: {encode(plain(parsed))}")
    return list(_pairs(parsed))


def telemetry(parsed: Any, now: int) -> list[Sample]:
    """Return the samples of a telemetry body: an object, {"ts", "values"}, or an array of either.

    Raises:
        PayloadError: It has another shape.
    """
    samples = []
    for entry in parsed if isinstance(parsed, list) else [parsed]:
        if not isinstance(entry, dict):
            raise PayloadError(f"Can't parse value: {encode(plain(entry))}")
        ts, values = now, entry
        if "ts" in entry and "values" in entry:
            ts, values = _timestamp(entry["ts"]), entry["values"]
            if not isinstance(values, dict):
                raise PayloadError(f"Not a JSON Object: {encode(plain(values))}")
        samples += [Sample(ts, key, value) for key, value in _pairs(values)]
    return samples


def _timestamp(parsed: Any) -> int:
    try:
        number = Decimal(parsed) if isinstance(parsed, str) and len(parsed) < 32 else Decimal("NaN")
        ts = int(number) if number.is_finite() and number.adjusted() < 20 else None
    except InvalidOperation:
        ts = None
    if ts is None or not _LONG_MIN <= ts <= _LONG_MAX:
        raise PayloadError(f"Can't parse timestamp: {encode(plain(parsed))}")
    return ts


def _pairs(parsed: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in parsed.items():
        if len(key) > MAX_KEY_LENGTH:
            raise PayloadError(f"Key length must be equal or less than {MAX_KEY_LENGTH}")
        stored = typed(value)
        if stored is not None:
            yield key, stored
