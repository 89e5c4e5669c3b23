"""`alarm`: memory that outlasts resets, and deep sleep."""

import simboard as _board


class DeepSleepRequest(BaseException):
    """Passes `except Exception`, as a reload does; the supervisor then puts the board to sleep."""


class SleepMemory:
    """Bytes over a host file, which the rack clears at power-on."""

    def __len__(self):
        return _board.profile["sleep_bytes"]

    def _all(self):
        f = _board.files["sleep"]
        f.seek(0)
        return bytearray(f.read(len(self)))

    def __getitem__(self, index):
        return self._all()[index]

    def __setitem__(self, index, value):
        data = self._all()
        if not isinstance(index, int) and len(value) != len(data[index]):
            raise ValueError("Slice and value different lengths.")
        data[index] = value
        f = _board.files["sleep"]
        f.seek(0)
        f.write(data)
        f.flush()


class _TimeAlarm:
    def __init__(self, *, monotonic_time=None, epoch_time=None):
        now = _board.uptime_us() / 1000000
        if (monotonic_time is None) == (epoch_time is None):
            raise ValueError("Supply one of monotonic_time or epoch_time")
        self.seconds = monotonic_time - now if epoch_time is None else epoch_time - _board.ram.get("clock", 946684800) - now
        if self.seconds < 0:
            raise ValueError("Time is in the past.")


class time:
    TimeAlarm = _TimeAlarm


sleep_memory = SleepMemory()
wake_alarm = _TimeAlarm(monotonic_time=1 << 30) if _board.ram.get("woken") else None


def exit_and_deep_sleep_until_alarms(*alarms, preserve_dios=()):
    if not alarms:
        raise ValueError("no alarms")
    _board.ram["sleep_seconds"] = min([a.seconds for a in alarms])
    raise DeepSleepRequest()
