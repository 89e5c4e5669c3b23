"""Drives are found by what is on them, on every system."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from drive_memory import BOOT_OUT, NEW

from cota.drive import find
from cota.drive.boot_out import parse_boot_out
from cota.drive.find import choose_drive, find_drives, mount_points, places
from cota.errors import CotaError

MOUNTS = """\
proc /proc proc rw 0 0
/dev/sda1 /media/me/CIRCUITPY vfat rw,nosuid 0 0
/dev/sdb1 /media/me/MY\\040BOARD vfat ro 0 0
server:/home /home nfs rw 0 0
"""


def first_line(version: str, name: str, chip: str) -> str:
    return f"Adafruit CircuitPython {version} on 2026-02-01; {name} with {chip}\n"


def test_linux_names_its_fat_drives_with_their_blanks_and_no_network_drive() -> None:
    assert list(mount_points(MOUNTS)) == [Path("/media/me/CIRCUITPY"), Path("/media/me/MY BOARD")]


def test_macos_and_windows_name_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda self: True)
    monkeypatch.setattr(Path, "iterdir", lambda self: iter([self / "CIRCUITPY", self / "Macintosh HD"]))
    assert places("darwin") == [Path("/Volumes/CIRCUITPY"), Path("/Volumes/Macintosh HD")]
    monkeypatch.setattr(os.path, "exists", lambda path: path in ("C:\\", "E:\\"))
    assert [str(place) for place in places("win32")] == ["C:\\", "E:\\"]


def test_a_system_that_tells_no_mounts_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(find, "_MOUNTS", tmp_path / "none")
    assert places("linux") == []


def test_a_drive_is_known_by_its_boot_out_and_not_by_its_name(make_drive: Callable[..., Path], tmp_path: Path) -> None:
    board = make_drive(NEW, "any name")
    stick = make_drive({"boot_out.txt": b"my notes\n"}, "CIRCUITPY")
    found = find_drives([board, stick, tmp_path / "gone"])
    assert [drive.path for drive in found] == [board]
    assert found[0].board.board_id == "raspberry_pi_pico_w"


def test_the_only_drive_is_taken_and_a_named_one_wins(make_drive: Callable[..., Path]) -> None:
    one, two = make_drive(NEW, "one"), make_drive(NEW, "two")
    assert choose_drive(None, [one]).path == one
    assert choose_drive(two, [one, two]).path == two


def test_of_several_drives_one_must_be_named_and_all_are_shown(make_drive: Callable[..., Path]) -> None:
    with pytest.raises(CotaError, match=r"(?s)2 CIRCUITPY drives.*one  Raspberry Pi Pico W.*two.*Name the one"):
        choose_drive(None, [make_drive(NEW, "one"), make_drive(NEW, "two")])


@pytest.mark.parametrize(("files", "message"), [(None, "does not exist"), ({"a.txt": b""}, "not a CIRCUITPY drive")])
def test_a_named_folder_that_is_no_drive_is_told(
    make_drive: Callable[..., Path], tmp_path: Path, files: dict[str, bytes] | None, message: str
) -> None:
    with pytest.raises(CotaError, match=message):
        choose_drive(tmp_path / "none" if files is None else make_drive(files))


def test_without_any_drive_the_cable_and_the_other_way_are_named() -> None:
    with pytest.raises(CotaError, match=r"(?s)no CIRCUITPY drive.*cable.*--host"):
        choose_drive(None, [])


def test_a_board_tells_its_version_name_and_number() -> None:
    board = parse_boot_out(BOOT_OUT.decode() + "boot.py output:\nBoard ID:fake\n")
    assert board is not None
    assert (board.version, board.release, board.name, board.chip) == ("10.1.4", (10, 1), "Raspberry Pi Pico W", "rp2040")
    assert board.device_name == "raspberry_pi_pico_w-73532b"
    assert (board.refusal(), board.notes()) == (None, [])


@pytest.mark.parametrize("text", ["", "\n", "hello\n", "Adafruit CircuitPython\n"])
def test_what_is_not_circuitpythons_is_no_board(text: str) -> None:
    assert parse_boot_out(text) is None


@pytest.mark.parametrize(
    ("version", "note"), [("9.0.0", "no SHA-256"), ("10.0.3", "no SHA-256"), ("10.1.0-beta.1", None), ("11.0.0", "newer than this cOTA")]
)
def test_what_a_version_lacks_is_told(version: str, note: str | None) -> None:
    board = parse_boot_out(first_line(version, "Board", "ESP32S3"))
    assert board is not None
    assert board.refusal() is None
    assert [note in text for text in board.notes()] == ([True] if note else [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (first_line("8.2.10", "Board", "ESP32S3"), "needs 9.0"),
        (first_line("10.1.4", "Feather M4 Express", "samd51j19"), "no Wi-Fi"),
        (first_line("10.1.4", "Raspberry Pi Pico", "rp2040") + "Board ID:raspberry_pi_pico\n", "no Wi-Fi"),
    ],
)
def test_a_board_that_cannot_run_it_is_refused_with_the_reason(text: str, message: str) -> None:
    board = parse_boot_out(text)
    assert board is not None
    refusal = board.refusal()
    assert refusal is not None
    assert message in refusal[0]


def test_a_board_without_a_number_has_no_name_of_its_own() -> None:
    board = parse_boot_out(first_line("10.1.4", "Board", "ESP32S3"))
    assert board is not None
    assert board.device_name == ""
