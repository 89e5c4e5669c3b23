"""A drive that is mounted on this machine."""

import errno
import os
import shutil
import sys
from pathlib import Path

from cota.drive.target import DriveError, Entry

_READ_ONLY = (
    "From the first reset with cOTA's boot.py the drive belongs to the updater. In the board's serial console make a file cota.usb and "
    "reset (docs: Get the drive back), or start the board in safe mode; then run this again."
)
_GONE = (errno.ENODEV, errno.ENXIO, errno.EIO, errno.ENOENT, errno.ENOTCONN)
_READ_ONLY_NUMBERS = (errno.EROFS, errno.EACCES, errno.EPERM)
_WRITE_PROTECTED = 19  # Windows: ERROR_WRITE_PROTECT
_FALLBACK_CLUSTER = 4096


class MountedDrive:
    """A mounted drive, or a folder that stands for one.

    Args:
        path: Its root.
    """

    is_usb = True

    def __init__(self, path: Path) -> None:
        self._root = path

    @property
    def name(self) -> str:
        return str(self._root)

    def entries(self, folder: str) -> list[Entry]:
        try:
            with os.scandir(self._root / folder) as found:
                return [Entry(one.name, one.is_dir(), 0 if one.is_dir() else one.stat().st_size) for one in found]
        except (FileNotFoundError, NotADirectoryError):
            self._check_there()
            return []
        except OSError as error:
            raise self._trouble("list", folder or "/", error) from error

    def read(self, path: str) -> bytes | None:
        try:
            with (self._root / path).open("rb") as file:
                if hasattr(os, "posix_fadvise"):  # so that what was just written comes from the drive and not from memory
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._check_there()
            return None
        except OSError as error:
            raise self._trouble("read", path, error) from error

    def write(self, path: str, data: bytes) -> None:
        target = self._root / path
        try:
            self._check_there()
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._sync_folder(target.parent)
        except OSError as error:
            raise self._trouble("write", path, error) from error

    def move(self, source: str, target: str) -> None:
        try:
            (self._root / source).replace(self._root / target)
            self._sync_folder((self._root / target).parent)
        except OSError as error:
            raise self._trouble("rename", source, error) from error

    def remove(self, path: str) -> None:
        try:
            (self._root / path).unlink(missing_ok=True)
            self._sync_folder((self._root / path).parent)
        except OSError as error:
            raise self._trouble("remove", path, error) from error

    def space(self) -> tuple[int, int]:
        try:
            return shutil.disk_usage(self._root).free, _cluster(self._root)
        except OSError as error:
            raise self._trouble("measure", "/", error) from error

    def check_writable(self) -> None:
        if hasattr(os, "statvfs"):
            try:
                read_only = bool(os.statvfs(self._root).f_flag & os.ST_RDONLY)
            except OSError as error:
                raise self._trouble("look at", "/", error) from error
        else:
            read_only = False
        if read_only or not os.access(self._root, os.W_OK):
            raise DriveError(f"{self._root} may only be read.", _READ_ONLY)

    def close(self) -> None:
        """Nothing is left to do: every call waits until what it changed is on the drive."""

    def _check_there(self) -> None:
        if not self._root.is_dir():
            raise DriveError(f"The drive {self._root} is gone.", "Plug the board in again and run this again: it goes on where it was.")

    def _sync_folder(self, folder: Path) -> None:
        if sys.platform == "win32":
            return
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a file system that does not sync folders
                raise
        finally:
            os.close(number)

    def _trouble(self, verb: str, path: str, error: OSError) -> DriveError:
        what = f"{path} on {self._root}"
        if error.errno == errno.ENOSPC:
            return DriveError(f"There is no room to {verb} {what}.", "Delete what you do not need from the drive, and run this again.")
        if error.errno == errno.EROFS or getattr(error, "winerror", None) == _WRITE_PROTECTED:
            return DriveError(f"{self._root} may only be read.", _READ_ONLY)
        if error.errno in _READ_ONLY_NUMBERS:
            return DriveError(f"This user may not {verb} {what}.", "Check who mounted the drive, and that it is not read-only.")
        if error.errno in _GONE:
            hint = "Plug the board in again and run this again: it goes on where it was."
            return DriveError(f"The drive went away, or fails: {verb} {what}: {error.strerror}.", hint)
        return DriveError(f"Cannot {verb} {what}: {error.strerror}.", "Eject the drive, reset the board, and run this again.")


def _cluster(root: Path) -> int:
    """Bytes of a cluster: Linux's and macOS's statvfs have it as the block size, Windows tells it in a call of its own."""
    if hasattr(os, "statvfs"):
        return os.statvfs(root).f_bsize if sys.platform != "darwin" else os.statvfs(root).f_frsize
    import ctypes

    sectors, sector, free, total = (ctypes.c_ulong() for _ in range(4))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  (only Windows has it)
    done = kernel.GetDiskFreeSpaceW(str(root.anchor), ctypes.byref(sectors), ctypes.byref(sector), ctypes.byref(free), ctypes.byref(total))
    return sectors.value * sector.value if done else _FALLBACK_CLUSTER
