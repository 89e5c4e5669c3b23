"""Aggregated history, pure: samples in, one value per interval out."""

import math
from collections.abc import Callable, Iterable, Sequence

Value = int | float | str | bool | dict[str, object] | list[object] | None
_Number = int | float

AGGREGATIONS = ("NONE", "MIN", "MAX", "AVG", "SUM", "COUNT")
_FUNCTIONS: dict[str, Callable[[Sequence[_Number]], _Number]] = {
    "MIN": min,
    "MAX": max,
    "SUM": sum,
    "AVG": lambda numbers: math.fsum(numbers) / len(numbers),
}


def aggregate(samples: Iterable[tuple[int, Value]], method: str, start: int, end: int, interval: int) -> list[tuple[int, Value]]:
    """Return (time, value) of each interval that has samples, dated at its middle as ThingsBoard does.

    Args:
        samples: (ts, value), in order.
        method: One of AGGREGATIONS but NONE; text counts only for COUNT, and for MIN and MAX where there is no number.
        start: Where the first interval begins.
        end: Where the last one ends at the latest.
        interval: Its length in milliseconds; 0 or less makes one of the whole span.
    """
    step = interval if interval > 0 else max(1, end - start)
    groups: dict[int, list[Value]] = {}
    for ts, value in samples:
        groups.setdefault((ts - start) // step, []).append(value)
    result: list[tuple[int, Value]] = []
    for number, group in groups.items():
        left = start + number * step
        value = _value(group, method)
        if value is not None:
            result.append((left + (min(left + step, end) - left) // 2, value))
    return result


def _value(group: list[Value], method: str) -> Value:
    if method == "COUNT":
        return len(group)
    numbers = [value for value in group if isinstance(value, int | float) and not isinstance(value, bool)]
    if numbers:
        return _FUNCTIONS[method](numbers)
    texts = [value for value in group if isinstance(value, str)]
    if texts and method in {"MIN", "MAX"}:
        return min(texts) if method == "MIN" else max(texts)
    return None
