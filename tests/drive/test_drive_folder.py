"""A mounted drive, and what it says when it fails."""

import errno
import os
from pathlib import Path

import pytest

from cota.drive.folder import MountedDrive
from cota.drive.target import DriveError, Entry


def test_files_are_written_read_renamed_listed_and_removed(tmp_path: Path) -> None:
    drive = MountedDrive(tmp_path)
    drive.write("lib/ota/a.py", b"one")
    drive.write("lib/ota/b.py", b"two")
    drive.move("lib/ota/a.py", "lib/ota/b.py")
    assert drive.read("lib/ota/b.py") == b"one"
    assert drive.read("lib/ota/a.py") is None
    assert drive.read("lib/ota/b.py/c") is None
    assert drive.entries("lib/ota") == [Entry("b.py", False, 3)]
    assert drive.entries("lib") == [Entry("ota", True, 0)]
    assert drive.entries("none") == []
    drive.remove("lib/ota/b.py")
    drive.remove("lib/ota/b.py")
    assert drive.entries("lib/ota") == []
    free, cluster = drive.space()
    assert free > 0
    assert cluster % 512 == 0
    drive.check_writable()
    drive.close()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "(?s)no room.*Delete what you do not need"),
        (errno.EROFS, "(?s)may only be read.*cota.usb"),
        (errno.EACCES, "(?s)may not.*Check who mounted"),
        (errno.EIO, "(?s)went away.*Plug the board in again"),
        (errno.EINVAL, "(?s)Cannot write.*Eject"),
    ],
)
def test_what_the_system_says_becomes_a_sentence_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    drive = MountedDrive(tmp_path)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DriveError, match=message):
        drive.write("a.txt", b"1")


def test_a_drive_that_went_away_is_not_made_anew_as_a_folder(tmp_path: Path) -> None:
    drive = MountedDrive(tmp_path / "CIRCUITPY")
    for act in (lambda: drive.write("a", b""), lambda: drive.read("a"), lambda: drive.entries("")):
        with pytest.raises(DriveError, match=r"(?s)is gone.*goes on where it was"):
            act()
    assert not (tmp_path / "CIRCUITPY").exists()


def test_a_drive_that_belongs_to_the_updater_is_told_with_the_way_to_get_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DriveError, match=r"(?s)may only be read.*cota\.usb.*safe mode"):
        MountedDrive(tmp_path).check_writable()
