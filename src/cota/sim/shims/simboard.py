"""What the shims of one simulated board share: its configuration, its RAM across runs, its clock, its hardware as host files.

One process is one run of the board's VM. `config` is what the rack wrote for this run; `ram` is what survives a reload but not a reset
(the rack hands it back to the next run). Every host file is opened before the board's own drive is mounted over `/`: afterwards the host
is out of reach, as on a board.
"""

import gc
import json
import sys

try:
    from time import monotonic_ns

    def _clock_us():
        return monotonic_ns() // 1000

except ImportError:
    from time import ticks_us as _clock_us

VM = sys.implementation.name
SHIMS = __file__.replace("\\", "/").rsplit("/", 1)[0]

# Room for the last report of a run whose program has filled the heap.
_RESERVE_BYTES = 4096
# A longer traceback than this tells nothing more.
MAX_TRACEBACK_CHARS = 2000

if VM == "cpython":
    # CPython needs two arguments to set errno, and would make a ConnectionError of some numbers; a board raises plain OSErrors.
    class _PlainError(OSError):
        pass

    _PlainError.__name__ = _PlainError.__qualname__ = "OSError"
    _PlainError.__module__ = "builtins"

    def os_error(number, text="simulated"):
        return _PlainError(number, text)

else:

    def os_error(number, text=None):
        return OSError(number) if text is None else OSError(number, text)


config = {}
profile = {}
ram = {}
files = {}
at_end = []  # called before the process reports, for example to flush counters
_state = {"reserve": None, "reload": False, "reported": False, "run_mode": "NORMAL"}


def load(path):
    """Read the run's configuration and open every host file that the board needs."""
    with open(path) as f:
        config.update(json.load(f))
    profile.update(config["profile"])
    ram.update(config["ram"])
    folder = config["folder"]
    files["out"] = open(folder + "/out.json", "w")
    files["net"] = open(folder + "/net.json", "w")
    files["wdt"] = open(folder + "/wdt", "w")
    files["nvm"] = open(folder + "/nvm.bin", "r+b")
    files["sleep"] = open(folder + "/sleep.bin", "r+b")
    files["radio"] = open(folder + "/radio", "rb")
    if "boot_us" not in ram:
        ram["boot_us"] = _clock_us()
    _state["reserve"] = bytearray(_RESERVE_BYTES)


def uptime_us():
    """Microseconds since the last hard reset, on the board's clock."""
    return int((_clock_us() - ram.get("boot_us", 0)) * config["speed"]) + ram.get("skipped_us", 0)


def skip(seconds):
    """Put the board's clock forward."""
    if seconds:
        ram["skipped_us"] = ram.get("skipped_us", 0) + int(seconds * 1000000)


def radio_up():
    """False while the rack simulates an outage of the Wi-Fi network."""
    f = files["radio"]
    f.seek(0)
    return f.read(1) != b"0"


def ask_reload():
    _state["reload"] = True


def reload_asked():
    return _state["reload"]


def set_run_mode(name):
    _state["run_mode"] = name


def report(outcome, text=None):
    """Tell the rack how this run ended. The first word counts: after a reset nothing that still runs may say otherwise."""
    if _state["reported"]:
        return
    _state["reported"] = True
    _state["reserve"] = None
    gc.collect()
    for hook in at_end:
        hook()
    disk = files.get("disk")
    written = [0, 0] if disk is None else [disk.written, disk.written_page0]
    f = files["out"]
    json.dump({"written": written, "outcome": outcome, "traceback": text, "run_mode": _state["run_mode"], "ram": ram}, f)
    f.close()


def halt():
    """End the process here and now: no finally, no finaliser runs, as in a hard reset."""
    if VM == "cpython":
        import posix

        sys.stdout.flush()
        posix._exit(5)
    system = files.get("system")
    if system is not None:
        system("kill -9 $PPID")
    raise SystemExit(5)  # a VM without os.system: the nearest it can do


def clean_traceback(text):
    """Drop the frames of the shims: on a board they are native and leave no line."""
    kept = []
    dropping = False
    for line in text.split("\n"):
        if line.startswith('  File "'):
            dropping = SHIMS in line.replace("\\", "/") or line.startswith('  File "<frozen') or line.startswith('  File "start.py')
        elif not line.startswith("    "):
            dropping = False
        if not dropping:
            kept.append(line)
    text = "\n".join(kept)
    if len(text) > MAX_TRACEBACK_CHARS:
        text = text[: MAX_TRACEBACK_CHARS // 2] + "\n...\n" + text[-MAX_TRACEBACK_CHARS // 2 :]
    return text


def format_exception(error):
    """The text that a board prints for an exception."""
    if VM == "micropython":
        import io

        out = io.StringIO()
        sys.print_exception(error, out)
        return clean_traceback(out.getvalue())
    import traceback

    return clean_traceback("".join(traceback.format_exception(error)))
