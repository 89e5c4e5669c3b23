"""`storage` with CircuitPython's rules for who may write the drive.

A board with a USB drive keeps it for the host: Python may write in safemode.py and boot.py, which run before USB starts, and afterwards
only if boot.py (or code, while no host is attached) remounted it or switched the USB drive off. The flags live in `ram`, because they
hold until the next hard reset.
"""

import simboard as _board

_BEFORE_USB = ("safemode", "boot")
_disk = {"device": None, "fs": None}


class VfsFat:
    """A FAT volume on a block device, with the names of CircuitPython's own class."""

    def __init__(self, device, _native=None):
        self._native = native_fat()(device) if _native is None else _native
        self._readonly = False
        for name in ("open", "ilistdir", "mkdir", "rmdir", "stat", "statvfs", "remove", "rename"):
            if hasattr(self._native, name):
                setattr(self, name, getattr(self._native, name))

    @staticmethod
    def mkfs(device):
        native_fat().mkfs(device)

    @property
    def readonly(self):
        return not python_writes() if self is _disk["fs"] else self._readonly

    @property
    def label(self):
        return "CIRCUITPY"


def native_fat():
    """The VM's own FAT class, wherever this VM keeps it."""
    return _board.files["VfsFat"]


def python_writes():
    """May Python write the drive in this phase?"""
    return _board.config["phase"] in _BEFORE_USB or not _board.ram["usb_writes"]


def attach(device):
    """Mount the board's own drive at `/` (called by the runner)."""
    _disk["device"] = device
    _disk["fs"] = VfsFat(device)
    _board.files["mount"](_disk["fs"]._native, "/", readonly=not python_writes())


def _again():
    """Mount the drive anew after the right to write it has changed."""
    if _disk["device"] is None:
        return
    _board.files["umount"]("/")
    attach(_disk["device"])


def remount(mount_path, readonly=False, disable_concurrent_write_protection=False):
    if mount_path != "/":
        raise _board.os_error(22)
    ram = _board.ram
    # A host that has the drive holds its lock from the moment USB starts, which is after boot.py.
    if _board.config["phase"] not in _BEFORE_USB and _board.config["usb"] and ram["usb_drive"]:
        raise RuntimeError("Cannot remount path when visible via USB.")
    before = python_writes()
    ram["usb_writes"] = bool(readonly) and not disable_concurrent_write_protection
    if python_writes() != before:
        _again()


def getmount(mount_path):
    if mount_path != "/" or _disk["fs"] is None:
        raise _board.os_error(22)
    return _disk["fs"]


def mount(filesystem, mount_path, *, readonly=False):
    _board.files["mount"](getattr(filesystem, "_native", filesystem), mount_path, readonly=readonly)


def umount(mount):
    _board.files["umount"](getattr(mount, "_native", mount))


def _boot_only():
    if _board.config["phase"] != "boot" or not _board.profile["msc"]:
        raise RuntimeError("Cannot change USB devices now")


def disable_usb_drive():
    _boot_only()
    _board.ram["usb_drive"] = False
    _board.ram["usb_writes"] = False


def enable_usb_drive():
    _boot_only()
    _board.ram["usb_drive"] = True
    _board.ram["usb_writes"] = True


def erase_filesystem(extended=None):
    device = _disk["device"]
    if device is None:
        # On CPython there is no FAT volume to format. To delete the folder's files would show another drive than a format leaves.
        raise NotImplementedError("without the MicroPython VM a simulated drive is a folder, which cannot be formatted")
    native_fat().mkfs(device)
    _board.report("reset")
    _board.halt()
