"""`time` as CircuitPython has it: no ticks_ms; the clock starts at 2000-01-01 until rtc sets it."""

import collections as _collections
import time as _time

import simboard as _board

# CircuitPython's clock without a set RTC reads 2000-01-01 00:00:00.
_START = 946684800

_struct_time = _collections.namedtuple(
    "struct_time", ("tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec", "tm_wday", "tm_yday", "tm_isdst")
)
_real_sleep = _time.sleep


def struct_time(fields):
    return _struct_time(*fields)


def monotonic():
    return _board.uptime_us() / 1000000


def monotonic_ns():
    return _board.uptime_us() * 1000


def sleep(seconds):
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    naps = _board.config["naps"]
    _real_sleep(seconds / _board.config["speed"] / naps)
    _board.skip(seconds - seconds / naps)


def time():
    return _board.ram.get("clock", _START) + _board.uptime_us() // 1000000


def _days(year, month, day):
    """Days from 1970-01-01 in the Gregorian calendar."""
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469


def localtime(seconds=None):
    seconds = time() if seconds is None else int(seconds)
    days, rest = divmod(seconds, 86400)
    year = 1970 + days // 366
    while _days(year + 1, 1, 1) <= days:
        year += 1
    month = 12
    while _days(year, month, 1) > days:
        month -= 1
    return _struct_time(
        year,
        month,
        days - _days(year, month, 1) + 1,
        rest // 3600,
        rest % 3600 // 60,
        rest % 60,
        (days + 3) % 7,
        days - _days(year, 1, 1) + 1,
        -1,
    )


def mktime(t):
    return _days(t[0], t[1], t[2]) * 86400 + t[3] * 3600 + t[4] * 60 + t[5]
