"""Ours, the original's and the user's files are told apart."""

import pytest
from drive_memory import ORIGINAL_BOOT, ORIGINAL_LIBRARY, TREE

from cota.drive import known


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (None, "none"),
        (b"", "none"),
        (b"\0" * 512, "none"),
        (TREE["boot.py"], "ours"),
        (b"# cOTA hook 1.\n", "ours"),
        (ORIGINAL_BOOT, "original"),
        (b'"""Boot."""\nimport storage\n# let the program write\nstorage.remount("/", readonly=False)\n', "original"),
        (b'import storage\nstorage.remount("/", False)\n', "original"),
        (b'import storage\nstorage.remount("/", True)\n', "foreign"),
        (b'import storage\nstorage.remount("/sd")\n', "foreign"),
        (b'import storage, usb_cdc\nusb_cdc.enable(data=True)\nstorage.remount("/")\n', "foreign"),
        (b"import storage\nstorage.disable_usb_drive()\n", "foreign"),
        (b"import board, digitalio, storage\nstorage.remount('/', button.value)\n", "foreign"),
        (b"this is no program", "foreign"),
        (b"\xff\xfe", "foreign"),
    ],
)
def test_whose_boot_file_it_is(data: bytes | None, kind: str) -> None:
    assert known.boot_kind(data) == kind


def test_the_shipped_files_are_known_as_ours() -> None:
    assert known.is_our_safemode(TREE["safemode.py"])
    assert not known.is_our_safemode(b"import microcontroller\nmicrocontroller.reset()\n")
    assert known.imports_ota(TREE["main.py"])


def test_the_originals_library_is_known_and_another_is_not() -> None:
    assert known.is_originals_library(ORIGINAL_LIBRARY)
    assert not known.is_originals_library(b"class Ota: pass\n")
    assert not known.is_originals_library(None)


@pytest.mark.parametrize(
    ("program", "imports"),
    [
        (b"import ota\n", True),
        (b"from ota import x\n", True),
        (b"import os, ota\n", True),
        (b"total = quota\n", False),
        (b"# import ota\n", False),
    ],
)
def test_a_program_that_imports_the_library_is_known(program: bytes, imports: bool) -> None:
    assert known.imports_ota(program) is imports
