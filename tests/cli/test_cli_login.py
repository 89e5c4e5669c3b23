"""Signing in: what is kept, where, and that no secret is ever shown."""

import socket
import stat
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import httpx2
import pytest
from front import front_of, refusal
from operator_shell import PASSWORD, Shell

from cota.config import Book
from cota.lab.server import Lab


@pytest.fixture
def api_key(lab: Lab) -> str:
    with httpx2.Client(base_url=lab.url) as http:
        pair = http.post("/api/auth/login", json={"username": lab.username, "password": PASSWORD}).json()
        http.headers["X-Authorization"] = f"Bearer {pair['token']}"
        user = http.get("/api/auth/user").json()
        body = {"userId": user["id"], "description": "test", "enabled": True, "expirationTime": 0}
        return str(http.post("/api/apiKey", json=body).json()["value"])


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, str], str]]:
    """The three calls of the library keyring that are used, over a dictionary."""
    chest: dict[tuple[str, str], str] = {}
    module = ModuleType("keyring")
    module.__dict__.update(
        set_password=lambda service, name, secret: chest.__setitem__((service, name), secret),
        get_password=lambda service, name: chest.get((service, name)),
        delete_password=lambda service, name: chest.pop((service, name)),
    )
    monkeypatch.setitem(sys.modules, "keyring", module)
    yield chest


def login(shell: Shell, lab: Lab, *more: str) -> None:
    done = shell("login", "--url", lab.url, "--username", lab.username, *more, stdin=PASSWORD + "\n")
    assert done.code == 0, done.err
    assert PASSWORD not in done.out + done.err


def test_after_a_sign_in_with_a_password_the_other_commands_need_none(stranger: Shell, lab: Lab) -> None:
    login(stranger, lab)
    who = stranger("whoami", "--json")
    assert who.json == {
        "server": "default",
        "url": lab.url,
        "user": lab.username,
        "authority": "TENANT_ADMIN",
        "with": "sign-in",
        "from": "a private file",
        "servers": ["default"],
    }
    assert lab.url in stranger("whoami").out


def test_neither_password_nor_token_is_shown_or_kept_where_others_can_read(stranger: Shell, lab: Lab) -> None:
    login(stranger, lab, "--json")
    files = [path for path in stranger.folder.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["default.json", "servers.json"]
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert PASSWORD not in path.read_text()
    assert stat.S_IMODE(stranger.folder.stat().st_mode) == 0o700
    assert "eyJ" not in stranger("whoami", "--json").out


def test_a_secret_that_others_may_read_is_not_used(stranger: Shell, lab: Lab) -> None:
    login(stranger, lab)
    secret = stranger.folder / "secrets" / "default.json"
    secret.chmod(0o644)
    done = stranger("whoami")
    assert (done.code, done.out) == (2, "")
    assert f"chmod 600 {secret}" in done.err


def test_an_api_key_is_taken_from_stdin_or_the_environment_and_signs_in(stranger: Shell, lab: Lab, api_key: str) -> None:
    done = stranger("login", "--url", lab.url, "--api-key", "--json", stdin=api_key + "\n")
    assert done.json["user"] == lab.username
    assert stranger("whoami", "--json").json["with"] == "API key"
    stranger.set(COTA_API_KEY=api_key)
    done = stranger("login", "--server", "other", "--url", lab.url, "--api-key")
    assert done.code == 0
    assert api_key not in done.out + done.err


def test_several_servers_are_kept_by_name_and_the_last_one_is_the_default(stranger: Shell, lab: Lab) -> None:
    with front_of(lab.url) as front:
        login(stranger, lab, "--server", "here")
        stranger("login", "--server", "front", "--url", front.url, "--username", lab.username, stdin=PASSWORD)
        assert stranger("whoami", "--json").json["url"] == front.url
        assert stranger("whoami", "--server", "here", "--json").json["url"] == lab.url
        stranger.set(COTA_SERVER="here")
        assert stranger("whoami", "--json").json["server"] == "here"


def test_an_unknown_server_is_named_with_those_that_are_known(stranger: Shell, lab: Lab) -> None:
    login(stranger, lab, "--server", "here")
    done = stranger("whoami", "--server", "there")
    assert (done.code, done.out) == (2, "")
    assert "'there'" in done.err
    assert "here" in done.err


@pytest.mark.parametrize("name", ["", "../etc", ".hidden", "a/b", "x" * 65, "a b"])
def test_a_server_cannot_have_a_name_that_is_no_file_name(stranger: Shell, name: str) -> None:
    done = stranger("login", "--server", name, "--url", "http://127.0.0.1:9", "--api-key", stdin="key")
    assert done.code == 2
    assert not (stranger.folder / "servers.json").exists()


def test_the_environment_wins_over_what_was_kept(stranger: Shell, lab: Lab) -> None:
    login(stranger, lab)
    stranger.set(COTA_URL="http://127.0.0.1:9", COTA_API_KEY="tb_nothing")
    done = stranger("whoami")
    assert done.code == 2
    assert "http://127.0.0.1:9 cannot be reached" in done.err


def test_a_secret_is_never_sent_to_an_address_that_it_was_not_given_for(stranger: Shell, lab: Lab) -> None:
    login(stranger, lab)
    with front_of(lab.url) as front:
        stranger.set(COTA_URL=front.url)
        done = stranger("whoami")
        assert (done.code, front.seen) == (2, [])
        assert "nobody signed in to here" in done.err
        assert stranger("whoami", "--server", "default").code == 2
        assert front.seen == []


@pytest.mark.parametrize(("set_", "missing"), [("COTA_USERNAME", "COTA_PASSWORD"), ("COTA_PASSWORD", "COTA_USERNAME")])
def test_half_of_a_sign_in_in_the_environment_says_which_half_lacks(stranger: Shell, lab: Lab, set_: str, missing: str) -> None:
    stranger.set(COTA_URL=lab.url, **{set_: "something"})
    done = stranger("whoami")
    assert done.code == 2
    assert f"{set_} is set and {missing} is not" in done.err
    assert "something" not in done.err


def test_without_any_sign_in_the_message_says_how_to_do_it(stranger: Shell) -> None:
    done = stranger("whoami")
    assert (done.code, done.out) == (2, "")
    assert "cota login --url" in done.err
    assert "COTA_API_KEY" in done.err


def test_a_wrong_password_is_said_and_nothing_is_kept(stranger: Shell, lab: Lab) -> None:
    done = stranger("login", "--url", lab.url, "--username", lab.username, stdin="wr0ng-password\n")
    assert (done.code, done.out) == (2, "")
    assert "Invalid username or password" in done.err
    assert "wr0ng-password" not in done.err
    assert not stranger.folder.exists()


def test_no_server_is_said_with_its_address(stranger: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = stranger("login", "--url", f"http://127.0.0.1:{port}", "--username", "a@b", stdin="x\n")
    assert done.code == 2
    assert f"http://127.0.0.1:{port} cannot be reached" in done.err


def test_a_sign_in_that_has_run_out_says_to_sign_in_again(stranger: Shell, lab: Lab) -> None:
    with front_of(lab.url) as front:
        stranger("login", "--url", front.url, "--username", lab.username, stdin=PASSWORD)
        front.always("POST", "/api/auth/token", refusal(401, "Token has expired", 11))
        done = stranger("whoami")
    assert (done.code, done.out) == (2, "")
    assert "has run out: Token has expired" in done.err
    assert "cota login" in done.err


def test_an_access_token_that_runs_out_on_the_way_is_renewed(stranger: Shell, lab: Lab) -> None:
    with front_of(lab.url) as front:
        stranger("login", "--url", front.url, "--username", lab.username, stdin=PASSWORD)
        front.seen.clear()
        front.once("GET", "/api/auth/user", lambda: refusal(401, "Token has expired", 11))
        assert stranger("whoami").code == 0
        assert front.seen == ["POST /api/auth/token", "GET /api/auth/user"] * 2


def test_an_account_that_may_not_is_told_which_it_needs(stranger: Shell, lab: Lab) -> None:
    with front_of(lab.url) as front:
        front.always("GET", "/api/auth/user", refusal(403, "You don't have permission to perform this operation!", 20))
        done = stranger("login", "--url", front.url, "--username", lab.username, stdin=PASSWORD)
    assert done.code == 2
    assert "permission" in done.err
    assert "tenant administrator" in done.err


def test_logout_forgets_the_server_and_its_secret(stranger: Shell, lab: Lab) -> None:
    login(stranger, lab)
    done = stranger("logout")
    assert (done.code, done.out) == (0, "")
    assert not list((stranger.folder / "secrets").iterdir())
    assert stranger("whoami").code == 2
    assert stranger("logout").code == 2


def test_of_three_servers_none_is_guessed_after_the_default_is_forgotten(stranger: Shell, lab: Lab) -> None:
    for name in ("a", "b", "c"):
        login(stranger, lab, "--server", name)
    assert stranger("logout", "--json").json == {"server": "c", "url": lab.url, "default": None}
    done = stranger("whoami")
    assert done.code == 2
    assert "--server a or b" in done.err
    assert stranger("logout", "--server", "a", "--json").json["default"] == "b"
    assert stranger("whoami").code == 0


def test_a_password_is_asked_for_on_a_terminal_without_echo(stranger: Shell, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _prompt: PASSWORD)
    done = stranger("login", "--url", lab.url, "--username", lab.username, terminal=True)
    assert done.code == 0, done.err
    assert PASSWORD not in done.out + done.err


def test_what_cannot_be_asked_for_is_wrong_use(stranger: Shell, lab: Lab) -> None:
    assert "--url" in stranger("login").err
    done = stranger("login", "--url", lab.url)
    assert done.code == 2
    assert "--username or --api-key" in done.err
    done = stranger("login", "--url", lab.url, "--username", "a@b")
    assert done.code == 2
    assert "COTA_PASSWORD" in done.err
    assert stranger("login", "--url", lab.url, "--username", "a@b", "--api-key").code == 2


def test_a_system_keyring_is_used_where_there_is_one(stranger: Shell, lab: Lab, keyring: dict[tuple[str, str], str]) -> None:
    login(stranger, lab)
    assert list(keyring) == [("cota", "default")]
    assert not (stranger.folder / "secrets").exists()
    assert stranger("whoami", "--json").json["from"] == "the system's keyring"
    stranger("logout")
    assert keyring == {}


def test_a_keyring_that_fails_leaves_a_private_file(stranger: Shell, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: str) -> None:
        raise RuntimeError("No recommended backend was available")

    broken = SimpleNamespace(set_password=fail, get_password=fail, delete_password=fail)
    monkeypatch.setitem(sys.modules, "keyring", broken)
    login(stranger, lab)
    assert stranger("whoami", "--json").json["from"] == "a private file"
    assert stranger("logout").code == 0


def test_a_secret_that_went_from_the_keyring_says_to_sign_in_again(stranger: Shell, lab: Lab, keyring: dict[tuple[str, str], str]) -> None:
    login(stranger, lab)
    keyring.clear()
    done = stranger("whoami")
    assert done.code == 2
    assert "gone from the system's keyring" in done.err
    assert "cota login --server default" in done.err


@pytest.mark.parametrize("text", ["{", "[]", '{"servers": {"a": {"url": 1}}, "default": null}', '{"servers": 3, "default": null}'])
def test_a_damaged_list_of_servers_is_an_error_with_a_way_out(stranger: Shell, text: str) -> None:
    stranger.folder.mkdir(parents=True)
    (stranger.folder / "servers.json").write_text(text)
    done = stranger("whoami")
    assert done.code == 2
    assert "servers.json" in done.err
    assert "cota login" in done.err


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(stranger: Shell, lab: Lab) -> None:
    stranger.home.mkdir()
    stranger.folder.write_text("in the way")
    done = stranger("login", "--url", lab.url, "--username", lab.username, stdin=PASSWORD)
    assert done.code == 2
    assert "cannot be" in done.err


def test_the_book_survives_what_it_wrote(stranger: Shell, lab: Lab) -> None:
    login(stranger, lab, "--server", "a")
    book = Book.read()
    book.write()
    assert Book.read() == book
