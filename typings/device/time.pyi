"""time as boards have it: no perf_counter, no strftime, no time zones."""

from typing import NamedTuple

class struct_time(NamedTuple):  # noqa: N801
    tm_year: int
    tm_mon: int
    tm_mday: int
    tm_hour: int
    tm_min: int
    tm_sec: int
    tm_wday: int
    tm_yday: int
    tm_isdst: int

def localtime(secs: float = ...) -> struct_time: ...
def mktime(t: struct_time) -> int: ...
def monotonic() -> float: ...
def monotonic_ns() -> int: ...
def sleep(seconds: float) -> None: ...
def time() -> int: ...
