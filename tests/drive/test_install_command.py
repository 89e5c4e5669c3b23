"""`cota install` over USB: a person's way with it, and each way that it can fail."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from drive_memory import BOOT_OUT, GREETING, NEW, OLDER, ORIGINAL, TREE, Done, files_of

from cota.cli import install_answers
from cota.drive import find, folder
from cota.drive.settings_file import read_settings
from cota.lab.server import Lab
from cota.thingsboard import Client, id_of

Cota = Callable[..., Done]
MakeDrive = Callable[..., Path]
GIVEN = ("--token", "t-given", "--url", "http://10.0.0.2:8080", "--wifi", "home")


def settings_of(drive: Path) -> dict[str, str]:
    return read_settings((drive / "settings.toml").read_text()).values


@pytest.fixture
def wifi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTA_WIFI_PASSWORD", "secret-of-home")


def test_a_blank_board_is_prepared_and_has_its_device(
    cota: Cota, make_drive: MakeDrive, operator: None, client: Client, lab: Lab, number: int
) -> None:
    drive = make_drive()
    name, profile = f"roof-{number}", f"weather-{number}"
    done = cota("install", drive, "--device", name, "--profile", profile, "--create-profile")
    assert done.code == 0, done.err
    assert "all read back and right" in done.out
    assert f"Made the device {name}" in done.err
    assert "unplug the board and plug it in again" in done.err
    device = client.devices.find(name)
    assert device is not None
    assert device["type"] == profile
    told = settings_of(drive)
    assert told["THINGSBOARD_DEVICE_TOKEN"] == client.devices.token(id_of(device))
    assert (told["CIRCUITPY_WIFI_SSID"], told["CIRCUITPY_WIFI_PASSWORD"]) == ("home", "secret-of-home")
    assert f"{told['THINGSBOARD_URL']}:{told['THINGSBOARD_PORT']}" == lab.url
    secrets = (told["THINGSBOARD_DEVICE_TOKEN"], "secret-of-home", lab.password)
    assert not any(secret and secret in done.out + done.err for secret in secrets), "no secret is shown"
    assert files_of(drive).keys() >= TREE.keys()
    again = cota("install", drive)
    assert (again.code, again.out) == (0, f"{drive} is prepared already; nothing was written.\n")


def test_the_only_drive_is_found_and_its_device_is_named_by_its_chip(
    cota: Cota, make_drive: MakeDrive, operator: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = make_drive()
    monkeypatch.setattr(find, "places", lambda: [drive])
    done = cota("install", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["device"] == {"name": "raspberry_pi_pico_w-73532b", "profile": "default", "created": True}
    assert told["board"]["circuitpython"] == "10.1.4"
    assert {file["path"]: file["action"] for file in told["files"]}["code.py"] == "remove"
    assert client.devices.find("raspberry_pi_pico_w-73532b") is not None
    assert done.err == ""


def test_a_device_that_is_there_already_is_used_and_one_of_another_profile_refused(
    cota: Cota, make_drive: MakeDrive, operator: None, client: Client, number: int
) -> None:
    client.devices.create(f"there-{number}", token=f"token-there-{number}")
    drive = make_drive()
    assert cota("install", drive, "--device", f"there-{number}").code == 0
    assert settings_of(drive)["THINGSBOARD_DEVICE_TOKEN"] == f"token-there-{number}"
    client.profiles.create(f"other-{number}")
    done = cota("install", drive, "--device", f"there-{number}", "--profile", f"other-{number}")
    assert done.code == 1
    assert f"is of the profile default, not of other-{number}" in done.err


def test_a_profile_that_is_not_there_is_refused_before_anything_is_written(cota: Cota, make_drive: MakeDrive, operator: None) -> None:
    drive = make_drive()
    done = cota("install", drive, "--profile", "wether")
    assert done.code == 1
    assert "no device profile 'wether'" in done.err
    assert "--create-profile" in done.err
    assert files_of(drive) == NEW


def test_with_a_token_no_server_is_asked(cota: Cota, make_drive: MakeDrive, wifi: None) -> None:
    drive = make_drive()
    done = cota("install", drive, *GIVEN, "--set", "COTA_GIT_HOSTS=10.0.0.2:8080", "--set", "COTA_POLL_SECONDS=5")
    assert done.code == 0, done.err
    told = settings_of(drive)
    assert told["THINGSBOARD_DEVICE_TOKEN"] == "t-given"
    assert (told["THINGSBOARD_URL"], told["THINGSBOARD_PORT"]) == ("http://10.0.0.2", "8080")
    assert (told["COTA_GIT_HOSTS"], told["COTA_POLL_SECONDS"]) == ("10.0.0.2:8080", "5")


def test_the_originals_board_is_taken_over_with_its_own_settings_and_nothing_asked(cota: Cota, make_drive: MakeDrive) -> None:
    own = ORIGINAL["settings.toml"].replace(
        b"[table]", b'THINGSBOARD_URL = "https://tb.example"\nTHINGSBOARD_DEVICE_TOKEN = "mine"\n[table]'
    )
    drive = make_drive({**ORIGINAL, "settings.toml": own})
    done = cota("install", drive)
    assert done.code == 0, done.err
    files = files_of(drive)
    assert files["settings.toml"] == own
    assert files["boot.py"] == TREE["boot.py"]
    assert "lib/ota.py" not in files


def test_a_dry_run_says_everything_and_does_nothing(cota: Cota, make_drive: MakeDrive, operator: None, client: Client, number: int) -> None:
    drive = make_drive()
    done = cota("install", drive, "--device", f"dry-{number}", "--dry-run")
    assert done.code == 0, done.err
    assert "would write boot.py" in done.err
    assert "would remove code.py" in done.err
    assert "nothing was done" in done.out
    assert files_of(drive) == NEW
    assert client.devices.find(f"dry-{number}") is None


def test_what_is_not_known_is_asked_for_on_a_terminal(cota: Cota, make_drive: MakeDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["home", "secret-of-home", "t-typed", "https://tb.example"])
    asked = []

    def prompt(text: str, **options: object) -> str:
        asked.append((text, options["hide_input"]))
        return next(answers)

    monkeypatch.setattr(install_answers.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "prompt", prompt)
    drive = make_drive()
    done = cota("install", drive)
    assert done.code == 0, done.err
    assert [hidden for _, hidden in asked] == [False, True, True, False]
    told = settings_of(drive)
    assert told["THINGSBOARD_DEVICE_TOKEN"] == "t-typed"
    assert told["THINGSBOARD_URL"] == "https://tb.example"
    assert told["CIRCUITPY_WIFI_PASSWORD"] == "secret-of-home"


@pytest.mark.parametrize(
    ("left_out", "message"),
    [("--wifi", "--wifi or COTA_WIFI_SSID"), ("--token", "--token, or `cota login`"), ("--url", "--url or COTA_URL")],
)
def test_without_a_terminal_what_is_not_known_is_named_with_its_option(
    cota: Cota, make_drive: MakeDrive, wifi: None, left_out: str, message: str
) -> None:
    drive = make_drive()
    pairs = [pair for pair in zip(GIVEN[::2], GIVEN[1::2], strict=True) if pair[0] != left_out]
    done = cota("install", drive, *(word for pair in pairs for word in pair))
    assert done.code == 2
    assert message in done.err
    assert files_of(drive) == NEW


def test_a_wifi_password_that_no_network_has_is_refused(cota: Cota, make_drive: MakeDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTA_WIFI_PASSWORD", "short")
    done = cota("install", make_drive(), *GIVEN)
    assert done.code == 2
    assert "5 characters; WPA has 8 to 64" in done.err


def test_another_server_needs_another_token(cota: Cota, make_drive: MakeDrive, wifi: None) -> None:
    drive = make_drive()
    assert cota("install", drive, *GIVEN).code == 0
    done = cota("install", drive, "--url", "http://10.0.0.3")
    assert done.code == 2
    assert "Access token" in done.err
    assert cota("install", drive, "--url", "http://10.0.0.3", "--token", "t-other").code == 0
    told = settings_of(drive)
    assert (told["THINGSBOARD_URL"], told["THINGSBOARD_PORT"], told["THINGSBOARD_DEVICE_TOKEN"]) == ("http://10.0.0.3", "80", "t-other")


def test_an_address_that_means_this_machine_is_told(cota: Cota, make_drive: MakeDrive, operator: None, number: int) -> None:
    done = cota("install", make_drive(), "--device", f"here-{number}")
    assert "means the machine that asks" in done.err
    drive = make_drive(NEW, "other")
    done = cota("install", drive, "--device", f"there-{number}", "--board-url", "http://192.168.1.20:8080")
    assert "means the machine" not in done.err
    assert settings_of(drive)["THINGSBOARD_URL"] == "http://192.168.1.20"


def test_no_room_is_known_before_the_first_byte(cota: Cota, make_drive: MakeDrive, wifi: None, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = make_drive()
    monkeypatch.setattr(folder.MountedDrive, "space", lambda self: (40_000, 512))
    done = cota("install", drive, *GIVEN)
    assert done.code == 1
    assert "40,000 are free" in done.err
    assert files_of(drive) == NEW
    monkeypatch.setattr(folder.MountedDrive, "space", lambda self: (110_000, 512))
    done = cota("install", drive, *GIVEN)
    assert done.code == 0
    assert "may be refused with `space`" in done.err


def test_a_boot_file_of_the_users_own_is_refused_then_replaced_with_a_copy(cota: Cota, make_drive: MakeDrive, wifi: None) -> None:
    drive = make_drive({**NEW, "boot.py": b"import usb_midi\nusb_midi.disable()\n"})
    done = cota("install", drive, *GIVEN)
    assert done.code == 1
    assert "--replace-boot" in done.err
    assert (drive / "code.py").read_bytes() == GREETING
    assert cota("install", drive, *GIVEN, "--replace-boot").code == 0
    assert (drive / "lib/boot_own.py").read_bytes().startswith(b"import usb_midi")


def test_a_board_that_cannot_run_it_is_refused(cota: Cota, make_drive: MakeDrive, wifi: None) -> None:
    done = cota("install", make_drive({**NEW, "boot_out.txt": BOOT_OUT.replace(b"10.1.4", b"8.2.0")}), *GIVEN)
    assert done.code == 1
    assert "needs 9.0 or newer" in done.err


def test_a_read_only_drive_is_told_before_anything_else_is_asked(
    cota: Cota, make_drive: MakeDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    done = cota("install", make_drive(OLDER))
    assert done.code == 2
    assert "may only be read" in done.err


def test_a_drive_that_goes_away_in_the_middle_is_told_and_mended_by_the_same_command(
    cota: Cota, make_drive: MakeDrive, wifi: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = make_drive()
    write = folder.MountedDrive.write
    left = iter(range(12))

    def unplugged(self: folder.MountedDrive, path: str, data: bytes) -> None:
        if next(left, None) is None and drive.exists():
            drive.rename(tmp_path / "away")
        write(self, path, data)

    monkeypatch.setattr(folder.MountedDrive, "write", unplugged)
    done = cota("install", drive, *GIVEN)
    assert done.code == 2
    assert "is gone" in done.err
    assert "goes on where it was" in done.err
    assert not drive.exists()
    monkeypatch.setattr(folder.MountedDrive, "write", write)
    (tmp_path / "away").rename(drive)
    assert cota("install", drive, *GIVEN).code == 0
    assert (drive / "boot.py").read_bytes() == TREE["boot.py"]


def test_a_wrong_password_of_the_operator_is_told_and_nothing_written(
    cota: Cota, make_drive: MakeDrive, operator: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTA_PASSWORD", "wrong-word")
    drive = make_drive()
    done = cota("install", drive, "--profile", "default")
    assert done.code == 2
    assert "401" in done.err
    assert "wrong-word" not in done.err
    assert files_of(drive) == NEW


def test_a_server_that_is_not_there_is_told_and_nothing_written(cota: Cota, make_drive: MakeDrive, operator: None) -> None:
    drive = make_drive()
    done = cota("install", drive, "--url", "http://127.0.0.1:9")
    assert done.code == 2
    assert "cannot be reached" in done.err
    assert files_of(drive) == NEW


@pytest.mark.parametrize(
    "arguments",
    [
        ("drive", "--host", "board.local"),
        ("--token", "t", "--device", "d"),
        ("--create-profile",),
        ("--set", "no-value"),
        ("--set", "a key=1"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_use(cota: Cota, arguments: tuple[str, ...]) -> None:
    done = cota("install", *arguments)
    assert done.code == 2
    assert "Usage:" in done.err


def test_a_device_needs_credentials_or_a_token(cota: Cota, make_drive: MakeDrive, wifi: None) -> None:
    done = cota("install", make_drive(), "--wifi", "home", "--device", "roof")
    assert done.code == 2
    assert "COTA_API_KEY" in done.err


@pytest.mark.parametrize("token", ["bad token", "t/../../api", "t?x", "t#", "%74", "täg"])
def test_a_token_that_no_address_can_hold_is_refused_before_anything_is_written(
    cota: Cota, make_drive: MakeDrive, wifi: None, token: str
) -> None:
    drive = make_drive()
    done = cota("install", drive, "--token", token, *GIVEN[2:])
    assert (done.code, "a character that no token has" in done.err) == (2, True)
    assert files_of(drive) == NEW


def test_a_setting_that_is_mistyped_is_told_with_the_right_one_and_a_programs_own_is_not(
    cota: Cota, make_drive: MakeDrive, wifi: None
) -> None:
    extra = ("COTA_POLL_SECOND=5", "COTA_XYZZY=1", "GREENHOUSE_PIN=GP2", "COTA_KEEP=logs/")
    done = cota("install", make_drive(), *GIVEN, *(word for pair in extra for word in ("--set", pair)))
    assert done.code == 0, done.err
    assert "cOTA has no setting COTA_POLL_SECOND; is it COTA_POLL_SECONDS?" in done.err
    assert "cOTA has no setting COTA_XYZZY; boards pass over it." in done.err
    assert "GREENHOUSE_PIN;" not in done.err
    assert "COTA_KEEP;" not in done.err


def test_one_file_is_one_file(cota: Cota, make_drive: MakeDrive, wifi: None) -> None:
    drive = make_drive()
    assert cota("install", drive, *GIVEN).code == 0
    more = (drive, *GIVEN, "--set", "COTA_KEEP=logs/")
    assert cota("install", *more, "--dry-run").out.startswith("1 file would change")
    assert "is prepared: 1 file, " in cota("install", *more).out
