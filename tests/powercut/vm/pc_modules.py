"""CircuitPython's modules, as small as the device code needs them, on a clock that runs only when somebody waits."""

import builtins
import gc as real_gc
import os as real_os
import random
import sys

import cp_toml
from pc_cloud import SocketPool

_TICK_US = 20  # what reading the clock takes: a loop that only reads it comes to its end
_QUIET_POLLS = 3  # without a write and a post, after the board has said UPDATED or FAILED: it is idle
_HASTE_FROM = 6  # quiet polls after which each wait counts a minute: whoever tries again after an hour shall have it
_GIVE_UP_POLLS = 60
_GIVE_UP_POSTS = 400  # of one power-on: a board that says the same at each poll goes on so for ever
_HASTE_US = 3600 * 1000000  # the same for a board that reaches no server
_GIVE_UP_US = 4 * _HASTE_US
_LONGEST_US = 4 * 86400 * 1000000


class PowerOff(KeyboardInterrupt):
    """The course is over. The device code lets it through, as it does Ctrl-C."""


class Reset(KeyboardInterrupt):
    """microcontroller.reset()."""


class ReloadException(BaseException):
    """supervisor.reload()."""


class Module:
    """A namespace; device code imports it."""

    def __init__(self, **names):
        for name, value in names.items():
            setattr(self, name, value)


class Hardware:
    """What outlasts a run of the VM: clock, RAM, what was asked of the supervisor."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.flash = None
        self.us = 0
        self.sleep_memory = bytearray(256)
        self.reason = "POWER_ON"
        self.next_code = None
        self.writable = False
        self.writes_seen = self.events_seen = self.quiet_since = 0
        self.off = ""

    def power_off(self, why):
        self.off = why
        self.flash.flush()
        self.flash.off = True
        raise PowerOff()

    def sleep(self, seconds):
        cloud = self.cloud
        if self.flash.writes != self.writes_seen:
            self.writes_seen = self.flash.writes
            cloud.polls = 0
        if not cloud.polls and cloud.posts + self.flash.writes != self.events_seen:
            self.events_seen = cloud.posts + self.flash.writes
            self.quiet_since = self.us
        quiet = self.us - self.quiet_since
        if cloud.settled and cloud.polls >= _QUIET_POLLS:
            self.power_off("idle")
        if cloud.polls >= _GIVE_UP_POLLS or quiet > _GIVE_UP_US:
            self.power_off("quiet")
        if self.us > _LONGEST_US or cloud.posts > _GIVE_UP_POSTS:
            self.power_off("endless")
        in_haste = cloud.polls >= _HASTE_FROM or quiet > _HASTE_US
        self.us += int(max(seconds, 60 if in_haste else 0) * 1000000)

    def ticks(self):
        self.us += _TICK_US
        if self.us > _LONGEST_US:
            self.power_off("endless")
        return self.us


hardware = None


def _reset():
    hardware.flash.flush()  # as CircuitPython does
    hardware.flash.off = True
    hardware.reason = "SOFTWARE"
    raise Reset()


def _reload():
    raise ReloadException()


def _next_code(filename, **options):
    hardware.next_code = (filename, options) if filename else None


def _remount(path, readonly=False, **unused):
    hardware.writable = not readonly


def _sleep(seconds):
    hardware.sleep(seconds)


def _getenv(key, default=None):
    found = cp_toml.find("/settings.toml", key)
    return default if found is None else found[1]


class _Cpu:
    @property
    def reset_reason(self):
        return hardware.reason


class _Watchdog:
    mode = None
    timeout = None

    def feed(self):
        pass


class _SleepMemory:
    def __len__(self):
        return len(hardware.sleep_memory)

    def __getitem__(self, index):
        return hardware.sleep_memory[index]

    def __setitem__(self, index, value):
        hardware.sleep_memory[index] = value


class _DeepSleepRequest(BaseException):
    pass


def install():
    """Put the modules in place of the VM's own. Call it when everything that needs those is imported."""
    for name in ("ConnectionError", "TimeoutError", "BrokenPipeError"):
        if not hasattr(builtins, name):
            setattr(builtins, name, type(name, (OSError,), {}))
    os = Module(sep="/", getenv=_getenv, unlink=real_os.remove, sync=lambda: None)
    for name in ("chdir", "getcwd", "listdir", "mkdir", "remove", "rename", "rmdir", "stat", "statvfs", "urandom"):
        setattr(os, name, getattr(real_os, name))
    reasons = Module()
    for name in ("POWER_ON", "BROWNOUT", "SOFTWARE", "DEEP_SLEEP_ALARM", "RESET_PIN", "WATCHDOG", "UNKNOWN", "RESCUE_DEBUG"):
        setattr(reasons, name, name)
    radio = Module(connected=True, connect=lambda *unused, **also_unused: None, ipv4_address="192.0.2.2")
    sys.modules["os"] = os
    # The heap holds whole drives here, and the device code collects after every import: once after each run is enough.
    sys.modules["gc"] = Module(collect=lambda: None, mem_free=real_gc.mem_free, mem_alloc=real_gc.mem_alloc, enable=lambda: None)
    sys.modules["time"] = Module(
        sleep=_sleep,
        monotonic=lambda: hardware.ticks() / 1000000,
        monotonic_ns=lambda: hardware.ticks() * 1000,
        time=lambda: 946684800 + hardware.ticks() // 1000000,
    )
    sys.modules["microcontroller"] = Module(cpu=_Cpu(), ResetReason=reasons, reset=_reset, watchdog=_Watchdog(), nvm=bytearray(256))
    sys.modules["supervisor"] = Module(
        reload=_reload,
        RunReason=Module(STARTUP="STARTUP", SUPERVISOR_RELOAD="SUPERVISOR_RELOAD"),
        set_next_code_file=_next_code,
        runtime=Module(autoreload=True, usb_connected=False, run_reason="STARTUP", safe_mode_reason="NONE"),
    )
    sys.modules["storage"] = Module(remount=_remount)
    sys.modules["wifi"] = Module(radio=radio)
    sys.modules["socketpool"] = Module(SocketPool=SocketPool)
    sys.modules["alarm"] = Module(sleep_memory=_SleepMemory(), DeepSleepRequest=_DeepSleepRequest, wake_alarm=None)
    sys.modules["board"] = Module(board_id="powercut")
    sys.modules["watchdog"] = Module(WatchDogMode=Module(RESET="RESET", RAISE="RAISE"))


def start(new):
    """Let the modules speak for a board that is switched on now."""
    global hardware  # noqa: PLW0603
    hardware = new
    SocketPool.cloud = new.cloud
    random.seed(1)
    watchdog = sys.modules["microcontroller"].watchdog
    watchdog.mode = watchdog.timeout = None
