"""`cota install --host`: over the board's web workflow, and each answer that it may give."""

from collections.abc import Callable, Iterator

import pytest
from drive_memory import NEW, OLDER, TREE, Done
from drive_web_board import WebBoard, web_board

from cota.drive.plan import WAITING
from cota.drive.settings_file import read_settings
from cota.drive.web import WebDrive

Cota = Callable[..., Done]
GIVEN = ("--token", "t-given", "--url", "http://10.0.0.2:8080", "--wifi", "home")


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebBoard]:
    monkeypatch.setenv("COTA_WEB_PASSWORD", "passw0rd")
    monkeypatch.setenv("COTA_WIFI_PASSWORD", "secret-of-home")
    monkeypatch.setattr("cota.drive.web._PAUSE_SECONDS", 0)
    with web_board(dict(NEW)) as running:
        yield running


@pytest.mark.parametrize("api", [2, 3, 4])
def test_a_blank_board_is_prepared_over_the_network(cota: Cota, board: WebBoard, api: int) -> None:
    board.api = api
    done = cota("install", "--host", board.url, *GIVEN)
    assert done.code == 0, done.err
    assert "Raspberry Pi Pico W" in done.err, "boot_out.txt tells more than version.json"
    assert "reset button" in done.err
    for path in ("boot.py", "main.py", "safemode.py", *(path for path in TREE if path.startswith("lib/"))):
        assert board.files[path] == TREE[path]
    assert read_settings(board.files["settings.toml"].decode()).values["THINGSBOARD_DEVICE_TOKEN"] == "t-given"
    assert "code.py" not in board.files
    assert not board.files.keys() & set(WAITING.values())
    again = cota("install", "--host", board.url, *GIVEN)
    assert "nothing was written" in again.out


def test_a_board_without_a_boot_out_is_known_by_its_version(cota: Cota, board: WebBoard) -> None:
    del board.files["boot_out.txt"]
    done = cota("install", "--host", board.url, *GIVEN)
    assert done.code == 0, done.err
    assert "ESP32-C3-DevKitM-1" in done.err


def test_an_upgrade_leaves_the_users_files_and_makes_no_marker(cota: Cota, board: WebBoard) -> None:
    board.files.clear()
    board.files.update(OLDER)
    board.folders |= {"lib", "lib/ota", "data"}
    done = cota("install", "--host", board.url, *GIVEN)
    assert done.code == 0, done.err
    assert board.files["data/log.csv"] == b"1,2\n"
    assert not any("cota.usb" in request for request in board.requests if not request.startswith("GET"))


def test_the_name_of_all_boards_leads_to_the_one_that_answers(board: WebBoard) -> None:
    board.elsewhere = board.url
    with WebDrive(board.url.replace("127.0.0.1", "localhost"), "passw0rd") as drive:
        assert drive.name == board.url
        assert drive.read("boot_out.txt") == NEW["boot_out.txt"]


def set_password(board: WebBoard) -> None:
    board.password = "another"


def unset_password(board: WebBoard) -> None:
    board.password = None


def plug_in(board: WebBoard) -> None:
    board.usb = True


def fill(board: WebBoard) -> None:
    board.free = 3000


def damage(board: WebBoard) -> None:
    board.garbles.add("lib/ota/http.py")


def age(board: WebBoard) -> None:
    board.api = 1


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (set_password, 2, "password is wrong (HTTP 401)"),
        (unset_password, 2, "has no password for its web workflow (HTTP 403)"),
        (plug_in, 2, "offers its drive over USB, so nothing else may write it (HTTP 409)"),
        (fill, 1, "3,000 are free"),
        (damage, 2, "lib/ota/http.py"),
        (age, 2, "does not tell how much room"),
    ],
)
def test_each_refusal_of_the_board_is_a_sentence_and_what_to_do(
    cota: Cota, board: WebBoard, change: Callable[[WebBoard], None], code: int, message: str
) -> None:
    change(board)
    done = cota("install", "--host", board.url, *GIVEN)
    assert done.code == code, done.err
    assert message in done.err
    assert len(done.err.strip().splitlines()) >= 2
    assert "passw0rd" not in done.err
    assert "boot.py" not in board.files


def test_a_file_that_the_board_finds_too_large_is_told(board: WebBoard) -> None:
    board.free = 10
    with WebDrive(board.url, "passw0rd") as drive, pytest.raises(Exception, match=r"(?s)no room for the file \(HTTP 413\).*Delete"):
        drive.write("big.bin", bytes(11))


def test_connections_that_the_board_drops_are_tried_again(cota: Cota, board: WebBoard) -> None:
    board.drops = {0, 1, 5, 9, 40}
    done = cota("install", "--host", board.url, *GIVEN)
    assert done.code == 0, done.err


def test_a_board_that_goes_away_in_the_middle_is_mended_by_the_same_command(cota: Cota, board: WebBoard) -> None:
    whole = dict(NEW)
    with web_board(whole) as other:
        assert cota("install", "--host", other.url, *GIVEN).code == 0
        count = len(other.requests)
    for cut in range(12, count, 41):
        with web_board(dict(NEW)) as hurt:
            hurt.drops = set(range(cut, 10_000))
            done = cota("install", "--host", hurt.url, *GIVEN)
            assert done.code == 2
            hurt.drops = set()
            done = cota("install", "--host", hurt.url, *GIVEN)
            assert done.code == 0, done.err
            assert hurt.files == whole


def test_settings_that_were_on_their_way_when_the_board_went_away_are_not_lost(cota: Cota, board: WebBoard) -> None:
    board.files["settings.toml"] = b'MY_KEY = "mine"\n'
    move = next(number for number, request in enumerate(_requests_of_a_run(cota, dict(board.files))) if request == "MOVE /fs/cota_s.new")
    board.drops = set(range(move, move + 10_000))
    assert cota("install", "--host", board.url, *GIVEN).code == 2
    assert "settings.toml" not in board.files
    board.drops = set()
    assert cota("install", "--host", board.url, *GIVEN).code == 0
    assert b'MY_KEY = "mine"' in board.files["settings.toml"]


def _requests_of_a_run(cota: Cota, files: dict[str, bytes]) -> list[str]:
    with web_board(files) as other:
        assert cota("install", "--host", other.url, *GIVEN).code == 0
        return other.requests


def test_nobody_at_the_address_is_told(cota: Cota, board: WebBoard) -> None:
    done = cota("install", "--host", "127.0.0.1:9", *GIVEN)
    assert done.code == 2
    assert "cannot be reached" in done.err


def test_another_server_at_the_address_is_told(cota: Cota, board: WebBoard, lab: object) -> None:
    done = cota("install", "--host", getattr(lab, "url"), *GIVEN)  # noqa: B009
    assert done.code == 2
    assert "not as CircuitPython's web workflow does" in done.err


def test_without_the_password_and_a_terminal_its_variable_is_named(cota: Cota, board: WebBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTA_WEB_PASSWORD")
    done = cota("install", "--host", board.url, *GIVEN)
    assert done.code == 2
    assert "COTA_WEB_PASSWORD" in done.err
