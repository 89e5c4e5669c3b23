"""A board's drive as the host sees it: a FAT image, worked on by a helper in the VM, or a folder where there is no VM.

The image has CircuitPython's own geometry, because the same FatFs makes it: one FAT, 512 root entries, clusters by size.
"""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from cota.errors import CotaError
from cota.sim.profiles import Profile
from cota.sim.vm import SHIMS, Vm

# The helper lists a drive of any size with this; it is not a board's heap.
_TOOL_HEAP = 2 * 1024 * 1024
# CircuitPython's volume label, the first entry of the root folder (attribute 8: volume label).
_LABEL_ENTRY = b"CIRCUITPY  \x08" + bytes(20)
_BOOT_LABEL_AT = 43  # BS_VolLab of a FAT12 or FAT16 boot sector
# What CircuitPython puts on a fresh drive besides a greeting program, so that a host writes less litter there.
FRESH_FILES: Mapping[str, bytes] = {".fseventsd/no_log": b"", ".metadata_never_index": b"", ".Trashes": b""}
_ENOSPC = 28
_ENOENT = 2


class Volume(Protocol):
    """The drive of one board. Use it while the board is off, or to read while it runs."""

    path: Path

    def exists(self) -> bool:
        """Tell whether the drive has been made."""
        ...

    def make(self, files: Mapping[str, bytes]) -> None:
        """Make the drive anew with these files.

        Raises:
            CotaError: they do not fit.
        """
        ...

    def files(self) -> dict[str, tuple[int, str]]:
        """List every file: path from the root without a leading slash -> (length in bytes, SHA-256 in hex)."""
        ...

    def read(self, path: str) -> bytes:
        """Read one file.

        Raises:
            CotaError: there is no such file.
        """
        ...

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files, making the folders that they need.

        Raises:
            CotaError: they do not fit.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove one file or one empty folder.

        Raises:
            CotaError: there is none of that name, or the folder is not empty.
        """
        ...

    def free_bytes(self) -> int:
        """Count the free bytes, in whole clusters."""
        ...


def run_script(vm: Vm, module: str, argument: str, heap: int | None, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `module.main(argument)` of the shims folder in the VM and wait for it."""
    with tempfile.TemporaryDirectory(prefix="cota-", dir=folder) as scratch:
        script = Path(scratch) / "start.py"
        script.write_text(start_script(module, argument), encoding="utf-8")
        return subprocess.run(vm.argv(script, heap), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def start_script(module: str, argument: str) -> str:
    """The program that enters the shims folder; it carries its argument, because not every VM passes arguments on."""
    return f"import sys\nsys.path.insert(0, {str(SHIMS)!r})\nimport {module}\n{module}.main({argument!r})\n"


class ImageVolume:
    """A FAT image."""

    def __init__(self, path: Path, profile: Profile, vm: Vm) -> None:
        self.path = path
        self._profile = profile
        self._vm = vm

    def exists(self) -> bool:
        return self.path.exists()

    def make(self, files: Mapping[str, bytes]) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(b"")
        os.truncate(fresh, self._profile.drive_bytes)
        self._steps([["mkfs"]], image=fresh)
        _write_label(fresh)
        try:
            self._put({**FRESH_FILES, **files}, fresh)
        except CotaError:
            fresh.unlink()
            raise
        fresh.replace(self.path)

    def files(self) -> dict[str, tuple[int, str]]:
        return {row[1].lstrip("/"): (row[2], row[3]) for row in self._steps([["list"]]) if row[0] == "file"}

    def read(self, path: str) -> bytes:
        return b"".join(bytes.fromhex(row[1]) for row in self._steps([["read", _absolute(path)]]))

    def write(self, files: Mapping[str, bytes]) -> None:
        self._put(files, self.path)

    def remove(self, path: str) -> None:
        self._steps([["remove", _absolute(path)]])

    def free_bytes(self) -> int:
        row = next(row for row in self._steps([["statvfs"]]) if row[0] == "statvfs")
        return int(row[1][0]) * int(row[1][3])

    def _put(self, files: Mapping[str, bytes], image: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="cota-") as scratch:
            steps: list[list[str]] = []
            for number, (path, content) in enumerate(files.items()):
                source = Path(scratch) / str(number)
                source.write_bytes(content)
                steps.append(["put", _absolute(path), str(source)])
            self._steps(steps, image)

    def _steps(self, steps: list[list[str]], image: Path | None = None) -> list[Any]:
        request = json.dumps({"image": str(image or self.path), "steps": steps})
        done = run_script(self._vm, "volume_tool", request, _TOOL_HEAP)
        rows = list(_rows(done.stdout))
        if rows and rows[-1][0] == "error":
            raise self._trouble(rows[-1])
        if not rows or rows[-1][0] != "done":
            raise CotaError(f"The VM could not work on {self.path}: {done.stderr.strip()[-400:] or 'it ended without an answer'}")
        return rows[:-1]

    def _trouble(self, row: Any) -> CotaError:
        _, verb, path, number = row
        if number == _ENOSPC:
            return CotaError(
                f"{path} does not fit on the {self._profile.drive_bytes // 1024} KiB drive of a {self._profile.name}.",
                "Choose a board with a larger drive (--board), or fewer files.",
            )
        if number == _ENOENT:
            return CotaError(f"There is no {path} on the drive {self.path}.")
        return CotaError(f"{verb} {path or ''} failed on the drive {self.path}: errno {number}.")


def _rows(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        if line.startswith("["):
            yield json.loads(line)


def _absolute(path: str) -> str:
    return "/" + path.lstrip("/")


def _write_label(image: Path) -> None:
    """Write the volume label as the root's first entry, where CircuitPython's own f_setlabel puts it.

    And into the boot sector, where FatFs leaves NO NAME: fsck.fat calls a difference of the two an error.
    """
    with image.open("r+b") as f:
        sector_size, _, reserved, fats = struct.unpack("<HBHB", f.read(17)[11:17])
        f.seek(22)
        (fat_sectors,) = struct.unpack("<H", f.read(2))
        f.seek((reserved + fats * fat_sectors) * sector_size)
        f.write(_LABEL_ENTRY)
        f.seek(_BOOT_LABEL_AT)
        f.write(_LABEL_ENTRY[:11])


class FolderVolume:
    """A folder that stands for a drive, for boards on CPython."""

    def __init__(self, path: Path, profile: Profile) -> None:
        self.path = path
        self._profile = profile

    def exists(self) -> bool:
        return self.path.exists()

    def make(self, files: Mapping[str, bytes]) -> None:
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        self.write({**FRESH_FILES, **files})

    def files(self) -> dict[str, tuple[int, str]]:
        found = {}
        for path in sorted(self.path.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                found[path.relative_to(self.path).as_posix()] = (len(content), hashlib.sha256(content).hexdigest())
        return found

    def read(self, path: str) -> bytes:
        try:
            return (self.path / path.lstrip("/")).read_bytes()
        except OSError:
            raise CotaError(f"There is no /{path.lstrip('/')} on the drive {self.path}.") from None

    def write(self, files: Mapping[str, bytes]) -> None:
        for path, content in files.items():
            target = self.path / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        if self._used() > self._profile.drive_bytes:
            raise CotaError(
                f"The files do not fit on the {self._profile.drive_bytes // 1024} KiB drive of a {self._profile.name}.",
                "Choose a board with a larger drive (--board), or fewer files.",
            )

    def remove(self, path: str) -> None:
        target = self.path / path.lstrip("/")
        try:
            if target.is_dir():
                target.rmdir()
            else:
                target.unlink()
        except OSError as error:
            raise CotaError(f"/{path.lstrip('/')} cannot be removed from the drive {self.path}: {error.strerror}.") from None

    def free_bytes(self) -> int:
        return max(0, self._profile.drive_bytes - self._used())

    def _used(self) -> int:
        cluster = self._profile.cluster
        return sum(-(-path.stat().st_size // cluster) * cluster for path in self.path.rglob("*") if path.is_file())


def open_volume(folder: Path, profile: Profile, vm: Vm) -> Volume:
    """The drive that belongs to a board's folder: `drive.img`, or the folder `drive` for a VM without FAT."""
    return ImageVolume(folder / "drive.img", profile, vm) if vm.has_fat else FolderVolume(folder / "drive", profile)
