"""The board: the only module that imports what only CircuitPython has."""

import gc
import os
import random
import sys
import time

from .errors import error

try:
    import microcontroller
    import supervisor
except ImportError:  # a PC without the simulator's shims
    microcontroller = supervisor = None
try:
    import alarm
except ImportError:
    alarm = None

_RUN_MARK = b"cO"


class Board:
    """Clock, settings, radio, and the two ways to start again."""

    def __init__(self):
        self._pool = None
        self._context = None

    def seconds(self):
        """Seconds since power-on, as an int: a float loses its seconds after some hours."""
        return time.monotonic_ns() // 1000000000

    def millis(self):
        """Milliseconds since power-on."""
        return time.monotonic_ns() // 1000000

    def chance(self):
        """A random number in [0, 1)."""
        return random.random()

    def getenv(self, key):
        """A value of settings.toml, or None."""
        return os.getenv(key)

    def feed(self):
        """Feed the watchdog, where one is armed."""
        feed()

    def socket_pool(self):
        """The socket pool of the joined Wi-Fi; raises the "wifi" error where it is not joined."""
        import wifi

        if not wifi.radio.connected:
            self._pool = None
            raise error("wifi")
        if self._pool is None:
            import socketpool

            self._pool = socketpool.SocketPool(wifi.radio)
        return self._pool

    def tls_context(self):
        """The TLS context with the board's own certificate bundle, on a heap that has the 16 KiB in one piece that TLS needs."""
        gc.collect()
        if self._context is None:
            import ssl

            self._context = ssl.create_default_context()
        return self._context

    def slept(self):
        """What ended a deep sleep, or None where none came before this start."""
        return getattr(alarm, "wake_alarm", None)

    def facts(self):
        """What an operator wants to know of the board, as client attributes."""
        gc.collect()
        version = ".".join([str(part) for part in sys.implementation.version[:3]])
        facts = {sys.implementation.name: version, "free_heap": gc.mem_free() if hasattr(gc, "mem_free") else 0}
        runs = _count_run()
        if runs:
            facts["runs"] = runs
        try:
            import board

            facts["board_id"] = board.board_id
        except (ImportError, AttributeError):
            pass
        return facts

    def reload(self):
        """Start the program again, without boot.py."""
        supervisor.reload()

    def reset(self):
        """Start the board again, boot.py first."""
        microcontroller.reset()

    def hold_reload(self, hold):
        """Keep a write to the drive over USB or the web from restarting the program in the midst of an update."""
        if supervisor is not None:
            supervisor.runtime.autoreload = not hold


def feed():
    """Feed the watchdog, where one is armed: for a program that works for minutes without a call into `ota`."""
    watchdog = getattr(microcontroller, "watchdog", None)
    if getattr(watchdog, "mode", None) is not None:
        watchdog.feed()


def _count_run():
    """How many runs of a program there were since power-on, this one included; 0 where no RAM survives a reload.

    Kept behind _RUN_MARK in the last four bytes of `alarm.sleep_memory`, which reloads and resets leave alone and a power loss clears.
    """
    try:
        memory = alarm.sleep_memory
        at = len(memory) - 4
    except (AttributeError, NotImplementedError):
        # AttributeError: `alarm` is None here (RP2350), or has no sleep_memory. NotImplementedError: the port has the name and no such RAM.
        # Such a board cannot count its runs; the count is only reported, so an update does without it.
        return 0
    kept = bytes(memory[at:])
    runs = min(kept[2] * 256 + kept[3] + 1, 65535) if kept[:2] == _RUN_MARK else 1
    memory[at:] = _RUN_MARK + bytes((runs >> 8, runs & 255))
    return runs
