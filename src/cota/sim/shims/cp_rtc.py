"""`rtc`: setting the clock; it holds until the next hard reset."""

import cp_time as _time
import simboard as _board


class RTC:
    @property
    def datetime(self):
        return _time.localtime()

    @datetime.setter
    def datetime(self, value):
        _board.ram["clock"] = _time.mktime(value) - _board.uptime_us() // 1000000
