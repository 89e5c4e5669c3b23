"""`cota doctor` names the first broken link, whichever it is, and how to mend it."""

import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from drive_memory import BOOT_OUT, NEW, Done

from cota.doctor import source_checks
from cota.drive.settings_file import fill_in
from cota.explain import explain
from cota.git.make import commit_tree, create_branch, create_repository
from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client, id_of

Cota = Callable[..., Done]
_HTTP = httpx2.Client(trust_env=False)  # the boards'


@dataclass
class Board:
    """A board that is well: its drive, its device and what is assigned to it."""

    drive: Path
    name: str
    token: str
    device_id: str
    profile_id: str
    repository: Path
    client: Client
    lab: Lab
    cota: Cota

    def set(self, **settings: str) -> None:
        path = self.drive / "settings.toml"
        path.write_text(fill_in(path.read_text(), settings))

    def report(self, **values: Any) -> None:
        for kind in ("telemetry", "attributes"):
            _HTTP.post(f"{self.lab.url}/api/v1/{self.token}/{kind}", json=values).raise_for_status()

    def assign(self, url: str, version: str = "v1.0.0") -> None:
        package = self.client.packages.create_url(self.name, version, url, self.profile_id)
        self.client.devices.assign(self.device_id, id_of(package))
        self.wait_for("fw_url")

    def wait_for(self, key: str) -> None:
        end = time.monotonic() + 20
        while key not in self.client.telemetry.attributes(self.device_id):
            assert time.monotonic() < end
            time.sleep(0.02)

    def url(self, rest: str = "") -> str:
        return f"{self.lab.url}/acme/{self.name}{rest}"

    def doctor(self, *more: str) -> dict[str, Any]:
        done = self.cota("doctor", self.drive, "--device", self.name, "--json", *more)
        assert done.code in (0, 1), done.err
        assert not any(secret in done.out for secret in (self.token, "secret-of-home", self.lab.password or "-")), "no secret is shown"
        told: dict[str, Any] = json.loads(done.out)
        assert (done.code == 0) is told["ok"]
        return told

    def first(self) -> tuple[str, str]:
        """The first step that is wrong, and what is said of it with the hint."""
        first = self.doctor()["first"]
        assert first is not None, "something is wrong"
        assert first["hint"], "the hint says what to do"
        return first["name"], first["text"] + " " + first["hint"]


@pytest.fixture
def board(
    cota: Cota,
    make_drive: Callable[..., Path],
    operator: None,
    client: Client,
    lab: Lab,
    number: int,
    repositories: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Board:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a busy disk makes it slow, and no drive is pulled out here
    name = f"patient-{number}"
    drive = make_drive()
    hosts = f"COTA_GIT_HOSTS={lab.url.partition('://')[2]}"
    done = cota("install", drive, "--device", name, "--profile", f"of-{name}", "--create-profile", "--set", hosts)
    assert done.code == 0, done.err
    device = client.devices.find(name)
    assert device is not None
    repository = create_repository(tmp_path / "repository")
    create_branch(repository, "feature/two", commit_tree(repository, {"app/a.py": b"A = 1\n"}))
    repositories[f"acme/{name}"] = repository
    found = Board(
        drive,
        name,
        client.devices.token(id_of(device)),
        id_of(device),
        device["deviceProfileId"]["id"],
        repository,
        client,
        lab,
        cota,
    )
    found.assign(found.url())
    found.report(current_fw_title=name, current_fw_version="v1.0.0", fw_state="UPDATED", fw_error="", cota_version="0.1.0")
    return found


def sign_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COTA_USERNAME", "COTA_PASSWORD"):
        monkeypatch.delenv(name)


def states(told: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in told["steps"]}


def test_of_a_board_that_is_well_nothing_is_wrong(board: Board) -> None:
    told = board.doctor()
    assert told["ok"], told["first"]
    assert told["first"] is None
    assert {name for name, state in states(told).items() if state == "not checked"} <= {"rate limit"}
    assert any("main may move" in note for step in told["steps"] for note in step["notes"])


def test_people_get_all_steps_and_one_last_sentence(board: Board, cota: Cota) -> None:
    done = cota("doctor", board.drive, "--device", board.name)
    assert done.code == 0
    assert [line[3:].split()[0] for line in done.out.splitlines() if line.startswith(("ok ", "NO ", " ? "))] == [
        "board", "files", "settings", "Wi-Fi", "address", "server", "device", "token", "package", "repository", "rate", "report",
    ]  # fmt: skip
    assert done.out.splitlines()[-1].startswith("Nothing is wrong")
    (board.drive / "boot.py").unlink()
    done = cota("doctor", board.drive, "--device", board.name)
    assert done.code == 1
    assert "First: files. There is no boot.py" in done.out
    assert "`cota install` puts it right" in done.out


def test_a_device_is_looked_at_without_its_drive(board: Board, cota: Cota) -> None:
    done = cota("doctor", board.name, "--json")
    assert done.code == 0, done.out
    found = states(json.loads(done.out))
    assert [name for name, state in found.items() if state == "not checked"][:4] == ["board", "files", "settings", "Wi-Fi"]
    assert found["token"] == found["package"] == found["repository"] == found["report"] == "ok"
    assert board.token not in done.out
    shown = cota("doctor", board.name).out
    assert shown.count("Plug the board in and name its drive.") == 1, "four steps want it"


def test_a_device_of_any_name_is_found_by_the_token_of_its_board(board: Board, cota: Cota) -> None:
    told = json.loads(cota("doctor", board.drive, "--json").out)
    steps = {step["name"]: step for step in told["steps"]}
    assert steps["device"]["text"] == f"{board.name}, profile of-{board.name}"
    assert told["ok"], told["first"]
    board.set(THINGSBOARD_DEVICE_TOKEN="of-nobody-here")
    done = cota("doctor", board.drive)
    assert "it is not known which device the board is (not checked)" in done.out
    assert "Give its name: `cota doctor --device NAME`." in done.out
    assert "First: token. The server knows no device with this token." in done.out


def test_looking_makes_no_board_seem_alive(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen() -> Any:
        return board.client.telemetry.attributes(board.device_id, "SERVER_SCOPE", ["lastActivityTime"])["lastActivityTime"]

    before = seen()
    assert board.doctor()["ok"]
    assert seen() == before
    sign_out(monkeypatch)
    assert board.doctor()["ok"]
    assert seen() > before, "without a sign-in there is no other way than the board's"


def test_without_the_operators_credentials_the_boards_own_token_tells_most(
    board: Board, cota: Cota, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_out(monkeypatch)
    told = board.doctor()
    assert told["ok"], told["first"]
    found = states(told)
    assert found["device"] == "not checked"
    assert found["token"] == found["package"] == found["repository"] == found["report"] == "ok"


def remove_board(board: Board) -> None:
    (board.drive / "boot_out.txt").write_bytes(BOOT_OUT.replace(b"10.1.4", b"8.2.0"))


def remove_library(board: Board) -> None:
    (board.drive / "lib/ota/http.py").unlink()


def tear_library(board: Board) -> None:
    path = board.drive / "lib/ota/http.py"
    path.write_bytes(path.read_bytes()[:-100])


def use_originals_boot(board: Board) -> None:
    (board.drive / "boot.py").write_text('import storage\nstorage.remount("/")\n')


def use_own_program(board: Board) -> None:
    (board.drive / "code.py").write_text("print(1)\n")


def use_greeting(board: Board) -> None:
    (board.drive / "code.py").write_bytes(NEW["code.py"])


def remove_program(board: Board) -> None:
    (board.drive / "main.py").unlink()


def curl_quotes(board: Board) -> None:
    with (board.drive / "settings.toml").open("a", encoding="utf-8") as file:
        file.write("COTA_KEEP = \u201cdata/\u201d\n")


def remove_settings(board: Board) -> None:
    (board.drive / "settings.toml").unlink()


def refuse_mqtt_port(board: Board) -> None:
    board.set(THINGSBOARD_PORT="1883")


def forget_wifi(board: Board) -> None:
    board.set(CIRCUITPY_WIFI_SSID="")


def shorten_password(board: Board) -> None:
    board.set(CIRCUITPY_WIFI_PASSWORD="short")


def forget_address(board: Board) -> None:
    board.set(THINGSBOARD_URL="")


def name_nobody(board: Board) -> None:
    board.set(THINGSBOARD_PORT="9")


def forget_token(board: Board) -> None:
    board.set(THINGSBOARD_DEVICE_TOKEN="")


def mistype_token(board: Board) -> None:
    board.set(THINGSBOARD_DEVICE_TOKEN="mistyped")


def delete_device(board: Board) -> None:
    board.client.devices.delete(board.device_id)


def unassign(board: Board) -> None:
    board.client.devices.assign(board.device_id, None)


def assign_bytes(board: Board) -> None:
    package = board.client.packages.create(board.name, "v2.0.0", board.profile_id)
    board.client.packages.upload(id_of(package), "fw.bin", b"bytes")
    board.client.telemetry.delete_shared(board.device_id, ["fw_url"])
    board.client.devices.assign(board.device_id, id_of(package))
    board.wait_for("fw_size")


def assign_silently(board: Board) -> None:
    """What ThingsBoard before 4.2.1.1 leaves: the package is assigned, the attributes never come."""
    board.client.telemetry.delete_shared(board.device_id, ["fw_title", "fw_version", "fw_url"])


def forbid_host(board: Board) -> None:
    board.set(COTA_GIT_HOSTS="")


def assign_no_repository(board: Board) -> None:
    board.assign(f"{board.lab.url}/acme/{board.name}-gone", "v3.0.0")


def assign_no_ref(board: Board) -> None:
    board.assign(board.url("/tree/v9"), "v3.0.0")


def assign_no_folder(board: Board) -> None:
    board.assign(board.url("/tree/main/firmware"), "v3.0.0")


def assign_nonsense(board: Board) -> None:
    board.assign("https://github.com/acme", "v3.0.0")


def assign_secret(board: Board) -> None:
    board.assign("https://me:ghp_secret@github.com/acme/x", "v3.0.0")


def fail(board: Board) -> None:
    board.report(fw_state="FAILED", fw_error="space no room for the release")


def fail_for_now(board: Board) -> None:
    board.report(fw_error="later: connect no connection, next try in 30 s")


def complain_of_settings(board: Board) -> None:
    board.report(cota_settings='COTA_UPDATE_SETTINGS must be "1" or "0"')


def explained(code: str) -> str:
    found = explain(code)
    assert found is not None
    return " ".join(found.advice.split())


@pytest.mark.parametrize(
    ("break_it", "step", "part"),
    [
        (remove_board, "board", "needs 9.0 or newer"),
        (remove_library, "files", "lib/ota/http.py is missing"),
        (tear_library, "files", "Other than in this version of cOTA: lib/ota/http.py"),
        (use_originals_boot, "files", "boot.py is the original cOTA's"),
        (use_own_program, "files", "code.py does not import ota"),
        (use_greeting, "files", "CircuitPython's greeting"),
        (remove_program, "files", "no program"),
        (remove_settings, "settings", "no settings.toml"),
        (curl_quotes, "settings", "curled quotes around COTA_KEEP"),
        (forget_wifi, "Wi-Fi", "No Wi-Fi network is set"),
        (shorten_password, "Wi-Fi", "5 characters"),
        (forget_address, "address", "THINGSBOARD_URL is not set"),
        (refuse_mqtt_port, "address", "MQTT's port"),
        (name_nobody, "server", "cannot be reached"),
        (forget_token, "token", "is not set in settings.toml"),
        (mistype_token, "device", "has another token than the board"),
        (delete_device, "device", "no device named"),
        (unassign, "package", "No package is assigned"),
        (assign_bytes, "package", "has no URL"),
        (assign_silently, "package", "ThingsBoard before 4.2.1.1"),
        (forbid_host, "repository", "does not allow the Git host"),
        (assign_no_repository, "repository", "does not exist, or is private"),
        (assign_no_ref, "repository", "no branch, tag or commit"),
        (assign_no_folder, "repository", "no such folder"),
        (assign_nonsense, "repository", "not the address of a repository"),
        (assign_secret, "repository", "holds a user name or a token"),
        (fail, "report", "gave v1.0.0 up: space no room"),
        (fail, "report", "let it try the same release again: `cota retry`"),
        (fail, "report", explained("space")),
        (fail_for_now, "report", "`connect`"),
        (complain_of_settings, "report", "COTA_UPDATE_SETTINGS"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_broken_link_is_the_first_thing_named(board: Board, break_it: Callable[[Board], None], step: str, part: str) -> None:
    break_it(board)
    name, said = board.first()
    assert (name, part in said) == (step, True), (name, said)
    assert "ghp_secret" not in said


def test_a_token_that_the_server_does_not_know_is_told_without_credentials_too(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_out(monkeypatch)
    mistype_token(board)
    assert board.first()[0] == "token"


def test_a_drive_without_cota_is_told(board: Board, make_drive: Callable[..., Path]) -> None:
    board.drive = make_drive(NEW, "BLANK")
    assert board.first()[1].startswith("cOTA is not on this drive")


def test_a_branch_with_a_slash_and_a_folder_are_found(board: Board) -> None:
    board.assign(board.url("/tree/feature/two/app"), "v4.0.0")
    told = board.doctor()
    assert told["ok"], told["first"]
    assert "feature/two in app" in next(step["text"] for step in told["steps"] if step["name"] == "repository")


def test_a_version_that_thingsboard_takes_for_a_number_is_noted(board: Board) -> None:
    board.assign(board.url(), "1.10")
    told = board.doctor()
    assert any("for a number" in note for step in told["steps"] for note in step["notes"])


def test_what_waits_and_what_is_on_trial_is_noted(board: Board) -> None:
    (board.drive / "cota.usb").touch()
    (board.drive / "cota_s.new").touch()
    notes = " ".join(note for step in board.doctor()["steps"] for note in step["notes"])
    assert "cota.usb is on the drive" in notes
    assert "cota_s.new waits" in notes


def test_a_board_that_never_reported_is_told(cota: Cota, board: Board, client: Client, number: int) -> None:
    token = f"silent-{number}"
    silent = client.devices.create(f"silent-{number}", profile_id=board.profile_id, token=token)
    board.name, board.token, board.device_id = f"silent-{number}", token, id_of(silent)
    board.set(THINGSBOARD_DEVICE_TOKEN=token)
    package = client.packages.find(f"patient-{number}", "v1.0.0")
    assert package is not None
    client.devices.assign(board.device_id, id_of(package))
    board.wait_for("fw_url")
    assert board.first() == (
        "report",
        "The board has never reported. See its serial console: main.py prints what keeps it. Was it reset after the installation?",
    )


def test_github_is_asked_at_its_own_api_and_its_limit_is_told(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_lab(LabConfig(repositories={"acme/weather": board.repository}, rate_limit=3)) as github:
        monkeypatch.setattr(source_checks, "GITHUB_API", f"{github.url}/api/v3")
        board.assign("https://github.com/acme/weather/tree/main", "v5.0.0")
        told = board.doctor()
        assert states(told)["repository"] == "ok"
        assert told["first"]["name"] == "rate limit"
        assert "1 more calls" in told["first"]["text"]
        board.doctor()
        assert "limit of calls an hour is spent" in board.first()[1]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA, tmp_path: Path) -> Iterator[Lab]:
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    with running_lab(LabConfig(certfile=chain, keyfile=key)) as running:
        yield running


def test_a_certificate_is_good_only_where_its_authority_is_trusted(
    board: Board, secure: Lab, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = secure.url.rpartition(":")
    board.set(THINGSBOARD_URL=host, THINGSBOARD_PORT=port)
    sign_out(monkeypatch)
    name, said = board.first()
    assert name == "server"
    assert "no certificate that this computer trusts" in said
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    told = board.doctor()
    assert "good until" in next(step["text"] for step in told["steps"] if step["name"] == "server")
    assert told["first"]["name"] == "token", "that lab does not know the board"


def test_a_server_without_tls_behind_https_is_told(board: Board) -> None:
    host, _, port = board.lab.url.partition("://")[2].rpartition(":")
    board.set(THINGSBOARD_URL=f"https://{host}", THINGSBOARD_PORT=port)
    name, said = board.first()
    assert name == "server"
    assert "does not speak TLS 1.2" in said


def test_a_server_that_speaks_only_tls_1_3_is_one_that_a_pico_cannot_reach(
    board: Board, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            listener.close()  # so that whoever asks next is refused at once
            with plain, pytest.raises(ssl.SSLError):
                context.wrap_socket(plain, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        board.set(THINGSBOARD_URL="https://127.0.0.1", THINGSBOARD_PORT=str(listener.getsockname()[1]))
        sign_out(monkeypatch)
        name, said = board.first()
        thread.join()
    assert name == "server"
    assert "Pico W knows no other TLS" in said


def test_a_wrong_password_of_the_operator_is_the_first_thing_named(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTA_PASSWORD", "wrong-word")
    name, said = board.first()
    assert (name, "401" in said, "wrong-word" in said) == ("device", True, False)


def test_an_api_key_that_is_refused_may_mean_an_old_server(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTA_API_KEY", "tb_wrong_key")
    name, said = board.first()
    assert (name, "since 4.3" in said, "tb_wrong_key" in said) == ("device", True, False)


def test_a_page_that_is_not_thingsboard_is_told(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    from drive_web_board import web_board

    sign_out(monkeypatch)
    with web_board({}) as other:
        board.set(THINGSBOARD_PORT=other.url.rpartition(":")[2])
        other.password = None
        name, said = board.first()
    assert name == "token"
    assert "not as ThingsBoard does" in said


def test_without_a_drive_or_a_device_the_use_is_told(cota: Cota, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cota.drive.find.places", list)
    done = cota("doctor")
    assert (done.code, "no CIRCUITPY drive" in done.err) == (2, True)
    done = cota("doctor", "roof")
    assert (done.code, "COTA_API_KEY" in done.err) == (2, True)
    done = cota("doctor", f"{os.sep}none")
    assert (done.code, "does not exist" in done.err) == (2, True)
    done = cota("doctor", "roof", "--device", "x")
    assert (done.code, "Usage:" in done.err) == (2, True)
