"""`watchdog`: RESET mode only; the rack watches the record that feed() writes and resets the board when it grows old."""

import simboard as _board


class WatchDogTimeout(Exception):
    pass


class WatchDogMode:
    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return "watchdog.WatchDogMode." + self._name


WatchDogMode.RESET = WatchDogMode("RESET")
WatchDogMode.RAISE = WatchDogMode("RAISE")


class WatchDogTimer:
    def __init__(self):
        self._timeout = None
        self._mode = None
        self._fed = 0

    def _write(self, milliseconds):
        f = _board.files["wdt"]
        f.seek(0)
        f.write("%010d %010d\n" % (milliseconds, self._fed))
        f.flush()

    @property
    def timeout(self):
        return self._timeout

    @timeout.setter
    def timeout(self, seconds):
        if seconds <= 0:
            raise ValueError("timeout must be > 0")
        if seconds > _board.profile["watchdog_max"]:
            raise ValueError("timeout duration exceeded the maximum supported value")
        self._timeout = seconds
        if self._mode is not None:
            self.feed()

    @property
    def mode(self):
        return self._mode

    @mode.setter
    def mode(self, mode):
        if mode is None:
            if self._mode is not None and _board.profile["rp2"]:
                raise RuntimeError("WatchDogTimer cannot be deinitialized once mode is set to RESET")
            self._mode = None
            self._write(0)
            return
        if mode is not WatchDogMode.RESET:
            # RP2 has no other mode, and CircuitPython raises the same there. On other ports RAISE interrupts the program from a timer's
            # interrupt, which the VM's process does not have; a program that relied on it here would hang for good.
            raise NotImplementedError("a simulated board has WatchDogMode.RESET only")
        if self._timeout is None:
            raise ValueError("WatchDogTimer.timeout must be greater than 0")
        self._mode = mode
        self.feed()

    def feed(self):
        if self._mode is None:
            raise ValueError("WatchDogTimer is not currently running")
        self._fed += 1
        self._write(int(self._timeout * 1000))

    def deinit(self):
        self.mode = None
