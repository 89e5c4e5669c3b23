"""`supervisor`: reload, the next code file, the previous traceback, and what the runtime knows."""

import cp_toml as _toml
import simboard as _board


class ReloadException(BaseException):
    """Passes `except Exception`; `finally` blocks run, as on a board."""


class _Named:
    def __init__(self, path):
        self._path = path

    def __repr__(self):
        return "supervisor." + self._path


class RunReason:
    pass


for _name in ("STARTUP", "AUTO_RELOAD", "SUPERVISOR_RELOAD", "REPL_RELOAD"):
    setattr(RunReason, _name, _Named("RunReason." + _name))


class SafeModeReason:
    pass


for _name in ("NONE", "BROWNOUT", "FLASH_WRITE_FAIL", "HARD_FAULT", "NO_HEAP", "PROGRAMMATIC", "STACK_OVERFLOW", "USER", "WATCHDOG"):
    setattr(SafeModeReason, _name, _Named("SafeModeReason." + _name))


class Runtime:
    autoreload = True
    ble_workflow = False
    rgb_status_brightness = 255
    serial_connected = False
    serial_bytes_available = 0
    display = None

    @property
    def usb_connected(self):
        return _board.config["usb"]

    @property
    def run_reason(self):
        return getattr(RunReason, _board.ram["run_reason"])

    @property
    def safe_mode_reason(self):
        return getattr(SafeModeReason, _board.ram["safe_mode_reason"])


class _StatusBar:
    console = True
    display = True


runtime = Runtime()
status_bar = _StatusBar()

# supervisor.ticks_ms counts modulo 2**29 and first wraps 65 s after boot (CircuitPython's documentation).
_TICKS_PERIOD = 1 << 29
_TICKS_START = _TICKS_PERIOD - 65536


def ticks_ms():
    return (_TICKS_START + _board.uptime_us() // 1000) % _TICKS_PERIOD


def reload():
    _board.ask_reload()
    raise ReloadException()


def set_next_code_file(
    filename,
    *,
    working_directory=None,
    reload_on_success=False,
    reload_on_error=False,
    sticky_on_success=False,
    sticky_on_error=False,
    sticky_on_reload=False,
):
    if filename is not None and not isinstance(filename, str):
        raise TypeError("filename must be of type str or None")
    options = []
    for name, on in (
        ("reload_on_success", reload_on_success),
        ("reload_on_error", reload_on_error),
        ("sticky_on_success", sticky_on_success),
        ("sticky_on_error", sticky_on_error),
        ("sticky_on_reload", sticky_on_reload),
    ):
        if on:
            options.append(name)
    if filename is None and working_directory is None and not options:
        _board.ram["next_code"] = None
    else:
        _board.ram["next_code"] = {"filename": filename, "directory": working_directory, "options": options, "new": True}


def get_previous_traceback():
    return _board.ram["traceback"]


def get_setting(key, default=None):
    value = _toml.typed("/settings.toml", key)
    return default if value is None else value
