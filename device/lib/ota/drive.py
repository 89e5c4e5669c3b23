"""Who may write the drive, and what runs the program: run by boot.py at every power-on, before USB comes up. It imports nothing of
lib/ota, to keep the boot short.

The user's way in: a file `cota.usb` at the root leaves the drive to USB; so does a button on COTA_USB_PIN held at power-on. Then the
updater waits and reports it. Only constant text is printed, because a changed boot_out.txt costs rewrites of the FAT.
"""

import os

import storage
import supervisor


def _button_held(name):
    """True if the pin called `name` in `board` reads low against its pull-up."""
    import board
    import digitalio

    with digitalio.DigitalInOut(getattr(board, name)) as pin:
        pin.switch_to_input(pull=digitalio.Pull.UP)
        return not pin.value


def _owner():
    try:
        os.stat("/cota.usb")
        return "USB (cota.usb)"
    except OSError:
        pass
    try:
        pin = os.getenv("COTA_USB_PIN")
        if pin and _button_held(pin):
            return "USB (button)"
    except Exception:
        return "the updater (COTA_USB_PIN names no pin)"
    return "the updater"


def _name_guard():
    """Let CircuitPython run the guard, and the guard the program; a reload, an error and an end keep the name."""
    for path in ("/cota_sys/s/g.py", "/lib/ota/start.py"):
        try:
            with open(path, "rb") as file:
                if file.read(12) != b"import time,":  # a cut has emptied it, or torn its page; a comment would not outlast the stripping
                    continue
        except OSError:
            continue
        supervisor.set_next_code_file(path, sticky_on_success=True, sticky_on_error=True, sticky_on_reload=True)
        return


_name_guard()
_who = _owner()
if _who[:3] != "USB":
    storage.remount("/", False)
print("cOTA: the drive is writable to", _who)
if os.getenv("COTA_GUARD") == "off":  # asked last: a value that cannot be read, a ValueError, costs nobody the guard
    supervisor.set_next_code_file(None)
