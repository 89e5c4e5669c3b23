"""`cota install`, `cota doctor` and `cota dashboard` use what `cota login` kept, as all other commands do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from drive_memory import NEW, Done, files_of

from cota.config import Book, Entry, keep
from cota.drive.settings_file import read_settings
from cota.lab.server import Lab
from cota.thingsboard import Client, id_of

Cota = Callable[..., Done]
MakeDrive = Callable[..., Path]
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def signed_in(cota: Cota, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator signed in once, and the environment knows the boards' Wi-Fi only."""
    monkeypatch.setenv("COTA_PASSWORD", lab.password or "")
    done = cota("login", "--server", "here", "--url", lab.url, "--username", lab.username)
    assert done.code == 0, done.err
    monkeypatch.delenv("COTA_PASSWORD")
    monkeypatch.setenv("COTA_WIFI_SSID", "home")
    monkeypatch.setenv("COTA_WIFI_PASSWORD", "secret-of-home")


def keep_another(name: str, url: str = NOBODY) -> None:
    """Have another server in the book, and make it the default."""
    book = Book.read()
    book.servers[name] = Entry(url, "", "api-key", keep(name, "tb_key"))
    book.default = name
    book.write()


def settings_of(drive: Path) -> dict[str, str]:
    return read_settings((drive / "settings.toml").read_text()).values


def test_a_blank_board_is_prepared_with_what_login_kept(
    cota: Cota, make_drive: MakeDrive, signed_in: None, client: Client, lab: Lab, number: int
) -> None:
    drive = make_drive()
    done = cota("install", drive, "--device", f"kept-{number}")
    assert done.code == 0, done.err
    device = client.devices.find(f"kept-{number}")
    assert device is not None
    told = settings_of(drive)
    assert told["THINGSBOARD_DEVICE_TOKEN"] == client.devices.token(id_of(device))
    assert f"{told['THINGSBOARD_URL']}:{told['THINGSBOARD_PORT']}" == lab.url


def test_the_server_is_named_or_found_by_its_address_among_several(
    cota: Cota, make_drive: MakeDrive, signed_in: None, client: Client, lab: Lab, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_another("away")
    done = cota("install", make_drive(), "--device", f"named-{number}")
    assert (done.code, f"{NOBODY} cannot be reached" in done.err) == (2, True), "the default is the last one"
    assert cota("install", make_drive(), "--device", f"named-{number}", "--server", "here").code == 0
    assert cota("install", make_drive(NEW, "two"), "--device", f"found-{number}", "--url", lab.url).code == 0
    monkeypatch.setenv("COTA_SERVER", "here")
    assert cota("install", make_drive(NEW, "three"), "--device", f"third-{number}").code == 0
    assert all(client.devices.find(f"{name}-{number}") is not None for name in ("named", "found", "third"))


def test_a_board_that_has_its_server_stays_there_whoever_is_signed_in_elsewhere(cota: Cota, make_drive: MakeDrive, signed_in: None) -> None:
    drive = make_drive()
    assert cota("install", drive, "--token", "t-own", "--url", "http://10.0.0.2:8080").code == 0
    before = files_of(drive)
    done = cota("install", drive)
    assert (done.code, files_of(drive)) == (0, before), done.err


def test_a_token_takes_the_server_that_one_is_signed_in_to(cota: Cota, make_drive: MakeDrive, signed_in: None, lab: Lab) -> None:
    drive = make_drive()
    done = cota("install", drive, "--token", "t-there")
    assert done.code == 0, done.err
    told = settings_of(drive)
    assert f"{told['THINGSBOARD_URL']}:{told['THINGSBOARD_PORT']}" == lab.url


def test_a_secret_is_never_sent_to_another_address(cota: Cota, make_drive: MakeDrive, signed_in: None) -> None:
    drive = make_drive()
    done = cota("install", drive, "--device", "roof", "--url", NOBODY)
    assert (done.code, files_of(drive)) == (2, NEW)
    assert f"{NOBODY} (from --url) is a server that nobody signed in to here" in done.err
    assert "cota login --url" in done.err
    done = cota("install", drive, "--device", "roof", "--url", NOBODY, "--server", "here")
    assert (done.code, "--url is http://127.0.0.1:9, and the server 'here' is another one" in done.err) == (2, True)


def test_doctor_asks_the_server_of_the_board_among_those_that_are_kept(
    cota: Cota, make_drive: MakeDrive, signed_in: None, lab: Lab, number: int
) -> None:
    drive = make_drive()
    assert cota("install", drive, "--device", f"sick-{number}").code == 0
    keep_another("away")
    told = {step["name"]: step for step in json.loads(cota("doctor", drive, "--device", f"sick-{number}", "--json").out)["steps"]}
    assert told["device"]["state"] == "ok", told["device"]
    assert told["device"]["notes"] == []
    assert "127.0.0.1:9 cannot be reached" in cota("doctor", f"sick-{number}").out, "a device alone is looked for at the default server"
    done = cota("doctor", f"sick-{number}", "--server", "here", "--json")
    assert {step["name"]: step["state"] for step in json.loads(done.out)["steps"]}["device"] == "ok"


def test_doctor_says_where_it_looked_when_the_board_asks_by_another_address(
    cota: Cota, make_drive: MakeDrive, signed_in: None, lab: Lab, number: int
) -> None:
    drive = make_drive()
    board_url = lab.url.replace("127.0.0.1", "127.0.0.2")
    assert cota("install", drive, "--device", f"twice-{number}", "--board-url", board_url).code == 0
    told = {step["name"]: step for step in json.loads(cota("doctor", drive, "--device", f"twice-{number}", "--json").out)["steps"]}
    assert told["device"]["notes"] == [f"It was looked for at {lab.url}, where you are signed in; the board asks {board_url}."]


def test_doctor_goes_on_without_a_sign_in(cota: Cota, make_drive: MakeDrive, lab: Lab) -> None:
    drive = make_drive()
    done = cota("install", drive, "--token", "t-own", "--url", lab.url, "--wifi", "home", "--json")
    assert done.code == 2, "the password lacks"
    told = json.loads(cota("doctor", drive, "--json").out)
    assert {step["name"]: step["state"] for step in told["steps"]}["device"] == "not checked"
    assert cota("doctor", "roof").code == 2


def test_the_dashboard_goes_where_one_is_signed_in(cota: Cota, signed_in: None, number: int) -> None:
    done = cota("dashboard", "install", "--title", f"Fleet {number}", "--json")
    assert (done.code, json.loads(done.out)["done"]) == (0, "created")
    done = cota("dashboard", "install", "--server", "there")
    assert (done.code, "No server is named 'there' here." in done.err) == (2, True)
