"""`microcontroller`: reset, cpu, nvm and the watchdog."""

import binascii as _binascii
import time as _time

import cp_watchdog as _watchdog
import simboard as _board

_real_sleep = _time.sleep


class _Named:
    def __init__(self, path):
        self._path = path

    def __repr__(self):
        return "microcontroller." + self._path


class ResetReason:
    pass


for _name in ("POWER_ON", "BROWNOUT", "SOFTWARE", "DEEP_SLEEP_ALARM", "RESET_PIN", "WATCHDOG", "UNKNOWN", "RESCUE_DEBUG"):
    setattr(ResetReason, _name, _Named("ResetReason." + _name))


class RunMode:
    pass


for _name in ("NORMAL", "UF2", "SAFE_MODE", "BOOTLOADER"):
    setattr(RunMode, _name, _Named("RunMode." + _name))


class Processor:
    frequency = 125000000
    temperature = 27.5
    voltage = 3.3

    @property
    def reset_reason(self):
        return getattr(ResetReason, _board.ram["reset_reason"])

    @property
    def uid(self):
        return _binascii.unhexlify(_board.config["uid"])


class ByteArray:
    """Non-volatile bytes over a host file. A slice keeps its length; each write reaches the file at once."""

    def __init__(self):
        f = _board.files["nvm"]
        f.seek(0)
        self._data = bytearray(_board.profile["nvm_bytes"])
        f.readinto(self._data)

    def __len__(self):
        return len(self._data)

    def __bool__(self):
        return True

    def __getitem__(self, index):
        value = self._data[index]
        return value if isinstance(value, int) else bytearray(value)

    def __setitem__(self, index, value):
        if isinstance(index, int):
            if not 0 <= value <= 255:
                raise ValueError("Bytes must be between 0 and 255.")
        elif len(value) != len(self._data[index]):
            raise ValueError("Slice and value different lengths.")
        self._data[index] = value
        f = _board.files["nvm"]
        f.seek(0)
        f.write(self._data)
        f.flush()


cpu = Processor()
cpus = (cpu,)
nvm = ByteArray()
watchdog = _watchdog.WatchDogTimer()


def delay_us(delay):
    _real_sleep(delay / 1000000)


def on_next_reset(run_mode):
    for name in ("NORMAL", "SAFE_MODE", "BOOTLOADER", "UF2"):
        if run_mode is getattr(RunMode, name):
            _board.set_run_mode(name)
            return
    raise TypeError("run_mode must be of type RunMode")


def reset():
    _board.report("reset")
    _board.halt()
