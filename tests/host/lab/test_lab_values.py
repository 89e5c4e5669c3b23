"""The typing rules without any I/O."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cota.lab.data import values
from cota.lab.data.aggregation import aggregate

_CASTS = [
    ('"1.10"', 1.1),
    ('"2"', 2),
    ('"007"', 7),
    ('"-5"', -5),
    ('".5"', 0.5),
    ('"1.0"', 1.0),
    ('"1.2.3"', "1.2.3"),
    ('"v1.10"', "v1.10"),
    ('"1.0-rc1"', "1.0-rc1"),
    ('"5."', "5."),
    ('"1e5"', "1e5"),
    ('"+5"', "+5"),
    ('""', ""),
    ('" 1"', " 1"),
    ('"-"', "-"),
    ("1", 1),
    ("1.0", 1.0),
    ("-0.0", 0.0),
    ("1e3", 1000),
    ("1.5e1", 15),
    ("1.25e1", 12.5),
    ("true", True),
    ("9223372036854775807", 9223372036854775807),
    ("9223372036854775808", "9223372036854775808"),
    ('"9223372036854775808"', "9223372036854775808"),
    ("0.1234567890123456", 0.1234567890123456),
    ("0.12345678901234567", "0.12345678901234567"),
    ('"0.12345678901234567"', "0.12345678901234567"),
    ("1e999", "1e999"),
    ('{"a":[1,"2",null,1.5]}', {"a": [1, "2", None, 1.5]}),
    ("[]", []),
]


@pytest.mark.parametrize(("posted", "stored"), _CASTS)
def test_a_posted_value_gets_the_type_that_thingsboard_gives_it(posted: str, stored: object) -> None:
    found = values.typed(values.parse(posted.encode()))
    assert found is not None
    decoded = values.decode(found)
    assert (decoded, type(decoded)) == (stored, type(stored))
    if isinstance(decoded, float):
        assert math.copysign(1, decoded) == math.copysign(1, float(str(stored)))


def test_null_is_skipped() -> None:
    assert values.typed(None) is None
    assert values.attributes(values.parse(b'{"a":null,"b":1}')) == [("b", "1")]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1.0"),
        (0.001, "0.001"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (12345678.5, "1.23456785E7"),
        (1e21, "1.0E21"),
        (0.0001, "1.0E-4"),
        (-0.00025, "-2.5E-4"),
    ],
)
def test_a_double_reads_as_java_writes_it(number: float, text: str) -> None:
    assert values.java_double(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_written_as_java_does_is_the_same_double(number: float) -> None:
    assert float(values.java_double(number)) == number


def test_every_value_has_a_text_form() -> None:
    assert [values.as_text(values.encode(value)) for value in ("x", 7, 1.5, True, {"a": 1})] == ["x", "7", "1.5", "true", '{"a":1}']


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"{'a':1}", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":"\\ud800"}', b"\xff", b"[" * 100_000, b'{"a":1}x'],
    ids=["open", "empty", "quotes", "nan", "infinity", "half a surrogate pair", "no utf-8", "deep", "rest"],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(values.PayloadError, match="Malformed JSON"):
        values.parse(body)


def test_a_value_nested_too_deeply_or_too_large_is_refused() -> None:
    for body in (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", b'{"a":[1e999]}', b'{"a":[' + b"9" * 5000 + b"]}"):
        with pytest.raises(values.PayloadError):
            values.attributes(values.parse(body))


def test_a_key_longer_than_the_column_is_refused() -> None:
    assert values.attributes({"k" * 255: "v"}) == [("k" * 255, '"v"')]
    with pytest.raises(values.PayloadError, match="255"):
        values.attributes({"k" * 256: "v"})


@pytest.mark.parametrize(
    ("body", "samples"),
    [
        (b'{"a":1}', [(5, "a", "1")]),
        (b'{"ts":7,"values":{"a":1}}', [(7, "a", "1")]),
        (b'{"ts":"7","values":{"a":1}}', [(7, "a", "1")]),
        (b'{"ts":7}', [(5, "ts", "7")]),
        (b'[{"a":1},{"ts":7,"values":{"b":"x"}}]', [(5, "a", "1"), (7, "b", '"x"')]),
        (b"{}", []),
        (b"[]", []),
    ],
)
def test_telemetry_comes_in_three_shapes(body: bytes, samples: list[tuple[int, str, str]]) -> None:
    assert values.telemetry(values.parse(body), now=5) == samples


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"1", "Can't parse value: 1"),
        (b'"x"', 'Can\'t parse value: "x"'),
        (b"[1]", "Can't parse value: 1"),
        (b"[[]]", r"Can't parse value: \[\]"),
        (b"null", "Can't parse value: null"),
        (b'{"ts":1,"values":2}', "Not a JSON Object: 2"),
        (b'{"ts":{},"values":{}}', "Can't parse timestamp"),
        (b'{"ts":"never","values":{}}', "Can't parse timestamp"),
        (b'{"ts":1e30,"values":{}}', "Can't parse timestamp"),
    ],
)
def test_telemetry_of_another_shape_is_refused(body: bytes, text: str) -> None:
    with pytest.raises(values.PayloadError, match=text):
        values.telemetry(values.parse(body), now=5)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(alphabet="ab1. é"), lambda x: st.lists(x, max_size=3)
    )
)
def test_a_nested_value_comes_back_as_it_was(value: object) -> None:
    stored = values.typed(values.parse(json.dumps({"wrapped": value}).encode()))
    assert stored is not None
    assert values.decode(stored) == {"wrapped": value}


def test_aggregation_gives_one_value_per_interval_at_its_middle() -> None:
    samples = [(0, 1), (5, 3), (10, 10.0), (12, "text"), (25, True)]
    assert aggregate(samples, "MAX", 0, 30, 10) == [(5, 3), (15, 10.0)]
    assert aggregate(samples, "AVG", 0, 30, 10) == [(5, 2.0), (15, 10.0)]
    assert aggregate(samples, "COUNT", 0, 30, 10) == [(5, 2), (15, 2), (25, 1)]
    assert aggregate(samples, "SUM", 0, 30, 0) == [(15, 14.0)]
    assert aggregate([(1, "b"), (2, "a")], "MIN", 0, 10, 10) == [(5, "a")]
