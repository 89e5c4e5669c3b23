"""Drives for tests: one in memory whose cable can be pulled out at any operation, and what new and used drives hold."""

from pathlib import Path
from typing import NamedTuple

from cota.drive.plan import MARKER
from cota.drive.target import DriveError, Entry
from cota.drive.tree import device_tree, drive_files

TREE = drive_files(device_tree())
BOOT_OUT = (
    b"Adafruit CircuitPython 10.1.4 on 2026-02-01; Raspberry Pi Pico W with rp2040\nBoard ID:raspberry_pi_pico_w\nUID:E66164084373532B\n"
)
GREETING = b'print("Hello World!")\n'
ORIGINAL_BOOT = b'import storage\n\nstorage.remount("/")\n'
ORIGINAL_LIBRARY = b"import os\n\nclass HashMismatchError(Exception):\n    pass\n\nclass OverTheAirUpdate:\n    pass\n"
OWN_SETTINGS = b'# my board\nWIFI_SSID = "home"  # upstairs\nWIFI_PASSWORD = "secret-of-home"\nMY_KEY = "mine"\n\n[table]\nother = 1\n'
OWN_PROGRAM = b"import ota\n\nwhile True:\n    pass\n"
NEW = {"boot_out.txt": BOOT_OUT, "code.py": GREETING, "settings.toml": b"", ".Trashes": b""}
ORIGINAL = {
    "boot_out.txt": BOOT_OUT,
    "boot.py": ORIGINAL_BOOT,
    "main.py": OWN_PROGRAM,
    "lib/ota.py": ORIGINAL_LIBRARY,
    "lib/adafruit_requests.mpy": b"\0\1",
    "settings.toml": OWN_SETTINGS,
}
OLDER = {
    **{path: data for path, data in TREE.items() if path != "lib/ota/trial.py"},
    "boot_out.txt": BOOT_OUT,
    "boot.py": b"# cOTA hook 1. an older one\n",
    "lib/ota/client.py": b"older = 1\n",
    "lib/ota/drive.py": b"older = 2\n",
    "lib/ota/gone.py": b"was in an older version\n",
    "main.py": OWN_PROGRAM,
    "settings.toml": OWN_SETTINGS,
    "data/log.csv": b"1,2\n",
}


class CableError(DriveError):
    """The cable was pulled out."""


class MemoryDrive:
    """A drive in memory.

    Args:
        files: What it holds.
        cut: The operation that changes the drive and in which the cable is pulled out, counted from 0; None: never.
        torn: How much of a file a write leaves that the cable ended: 0 to 1.
    """

    name = "the drive"

    def __init__(
        self, files: dict[str, bytes], *, is_usb: bool = True, cut: int | None = None, torn: float = 0.5, free: int = 400_000
    ) -> None:
        self.files = dict(files)
        self.is_usb = is_usb
        self.operations = 0
        self.order: list[str] = []
        self.free = free
        self._cut, self._torn = cut, torn

    def _operate(self, what: str) -> bool:
        """Count an operation; True if the cable is pulled out in it."""
        self.operations += 1
        self.order.append(what)
        return self._cut is not None and self.operations > self._cut

    def entries(self, folder: str) -> list[Entry]:
        start = f"{folder}/" if folder else ""
        found: dict[str, Entry] = {}
        for path, data in self.files.items():
            if path.startswith(start):
                name, mark, _ = path[len(start) :].partition("/")
                found[name] = Entry(name, bool(mark), 0 if mark else len(data))
        return list(found.values())

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def write(self, path: str, data: bytes) -> None:
        if self._operate(f"write {path}"):
            self.files[path] = data[: int(len(data) * self._torn)]
            raise CableError("cable")
        self.files[path] = data

    def move(self, source: str, target: str) -> None:
        if self._operate(f"move {target}"):
            if self._torn:  # what FAT does on the way: the old name goes first
                self.files.pop(target, None)
            raise CableError("cable")
        self.files[target] = self.files.pop(source)

    def remove(self, path: str) -> None:
        if self._operate(f"remove {path}"):
            raise CableError("cable")
        self.files.pop(path, None)

    def space(self) -> tuple[int, int]:
        return self.free, 512

    def check_writable(self) -> None:
        pass

    def close(self) -> None:
        pass

    @property
    def belongs_to_updater(self) -> bool:
        """Whether the next boot gives the drive to the updater, so that the computer could not mend it."""
        return self.files.get("boot.py", b"").startswith(b"# cOTA hook") and MARKER not in self.files


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
