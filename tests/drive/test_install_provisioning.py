"""`cota install --provision-key`: the board makes its own device, nobody signs in, and no break on the way loses it."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from drive_memory import NEW, Done, MemoryDrive, files_of

from cota.drive import folder
from cota.drive.identity import Provisioned
from cota.drive.plan import TICKET
from cota.drive.settings_file import read_settings
from cota.drive.target import DriveError
from cota.lab.server import Lab
from cota.thingsboard import Client, Json, ThingsBoardError, id_of
from cota.thingsboard.provisioning import ProvisionError, provision

Cota = Callable[..., Done]
MakeDrive = Callable[..., Path]
SECRET = "provisioning-secret"


@pytest.fixture
def profile(client: Client, number: int) -> Json:
    return client.profiles.create(f"self-{number}", provision_key=f"key-{number}", provision_secret=SECRET)


@pytest.fixture
def bench(lab: Lab, number: int, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What a bench knows on which nobody signed in."""
    monkeypatch.setenv("COTA_WIFI_SSID", "home")
    monkeypatch.setenv("COTA_WIFI_PASSWORD", "secret-of-home")
    monkeypatch.setenv("COTA_PROVISION_SECRET", SECRET)
    return ("--url", lab.url, "--provision-key", f"key-{number}", "--device", f"own-{number}")


def token_of(drive: Path) -> str:
    return read_settings((drive / "settings.toml").read_text()).values["THINGSBOARD_DEVICE_TOKEN"]


def token_at(client: Client, name: str) -> str:
    device = client.devices.find(name)
    assert device is not None
    return client.devices.token(id_of(device))


def only_known_devices(client: Client, profile: Json, **changed: Any) -> None:
    """Switch the profile's strategy, as a person does in its form."""

    def change(whole: Json) -> None:
        kind = changed.get("kind", "CHECK_PRE_PROVISIONED_DEVICES")
        whole["provisionType"] = whole["profileData"]["provisionConfiguration"]["type"] = kind

    client.session.save(f"/api/deviceProfile/{id_of(profile)}", "/api/deviceProfile", change)


def test_a_board_makes_its_device_and_nobody_signs_in(
    cota: Cota, make_drive: MakeDrive, client: Client, profile: Json, bench: tuple[str, ...], number: int, lab: Lab
) -> None:
    drive = make_drive()
    done = cota("install", drive, *bench)
    assert done.code == 0, done.err
    assert f"Provisioned the device own-{number} on {lab.url}." in done.err
    device = client.devices.find(f"own-{number}")
    assert device is not None
    assert device["type"] == profile["name"]
    assert token_of(drive) == client.devices.token(id_of(device))
    assert TICKET not in files_of(drive)
    assert not any(secret in done.out + done.err for secret in (SECRET, token_of(drive)))
    before = files_of(drive)
    again = cota("install", drive, *bench)
    assert (again.code, files_of(drive)) == (0, before), again.err
    assert "by its token already; it stays that device" in again.err


def test_json_says_what_was_made(cota: Cota, make_drive: MakeDrive, profile: Json, bench: tuple[str, ...], number: int) -> None:
    done = cota("install", make_drive(), *bench, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["device"] == {"name": f"own-{number}", "profile": None, "created": True}


def test_key_and_secret_may_stand_in_the_environment(
    cota: Cota, make_drive: MakeDrive, client: Client, profile: Json, bench: tuple[str, ...], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTA_PROVISION_KEY", f"key-{number}")
    monkeypatch.setenv("COTA_URL", bench[1])
    drive = make_drive()
    assert cota("install", drive, "--device", f"own-{number}").code == 0
    assert token_of(drive) == token_at(client, f"own-{number}")


def test_a_dry_run_makes_nothing(
    cota: Cota, make_drive: MakeDrive, client: Client, profile: Json, bench: tuple[str, ...], number: int
) -> None:
    drive = make_drive()
    assert cota("install", drive, *bench, "--dry-run").code == 0
    assert (files_of(drive), client.devices.find(f"own-{number}")) == (NEW, None)


def test_a_device_that_was_made_for_it_is_provisioned_once(
    cota: Cota, make_drive: MakeDrive, client: Client, profile: Json, bench: tuple[str, ...], number: int
) -> None:
    only_known_devices(client, profile)
    drive = make_drive()
    done = cota("install", drive, *bench)
    assert (done.code, files_of(drive)) == (1, NEW)
    assert f"does not provision a device of this name: own-{number}" in done.err
    assert "a device of this name and of the key's profile has to be there" in done.err
    client.devices.create(f"own-{number}", profile_id=id_of(profile), token=f"made-before-{number}")
    assert cota("install", drive, *bench).code == 0
    assert token_of(drive) == f"made-before-{number}"
    other = make_drive(NEW, "other")
    done = cota("install", other, *bench)
    assert (done.code, files_of(other)) == (1, NEW)
    assert "delete its server attribute provisionState" in done.err


def test_a_name_that_another_board_has_is_refused_and_nothing_is_written(
    cota: Cota, make_drive: MakeDrive, client: Client, profile: Json, bench: tuple[str, ...], number: int
) -> None:
    client.devices.create(f"own-{number}")
    drive = make_drive()
    done = cota("install", drive, *bench)
    assert (done.code, files_of(drive)) == (1, NEW)
    assert "the name is taken: delete that device, or give another name" in done.err


@pytest.mark.parametrize("wrong", ["key", "secret", "disabled"])
def test_a_key_that_the_server_does_not_know_is_refused_and_not_shown(
    wrong: str,
    cota: Cota,
    make_drive: MakeDrive,
    client: Client,
    profile: Json,
    bench: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if wrong == "disabled":
        only_known_devices(client, profile, kind="DISABLED")
    more = ("--provision-key", "key-of-nobody") if wrong == "key" else ()
    if wrong == "secret":
        monkeypatch.setenv("COTA_PROVISION_SECRET", "wrong-secret")
    drive = make_drive()
    done = cota("install", drive, *bench, *more)
    assert (done.code, files_of(drive)) == (1, NEW)
    assert "does not know this provisioning key and secret" in done.err
    assert "must not be Disabled" in done.err
    assert "secret-" not in done.err and "-secret" not in done.err


def test_no_server_is_told_and_the_same_command_goes_on(
    cota: Cota, make_drive: MakeDrive, profile: Json, bench: tuple[str, ...], client: Client, number: int
) -> None:
    drive = make_drive()
    done = cota("install", drive, "--url", "http://127.0.0.1:9", *bench[2:])
    assert (done.code, "http://127.0.0.1:9 cannot be reached" in done.err) == (2, True)
    assert files_of(drive).keys() - NEW.keys() == {TICKET}
    assert cota("install", drive, *bench).code == 0
    assert TICKET not in files_of(drive)
    assert token_of(drive) == token_at(client, f"own-{number}")


def test_what_lacks_is_named(cota: Cota, make_drive: MakeDrive, bench: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTA_PROVISION_SECRET")
    done = cota("install", make_drive(), *bench)
    assert (done.code, "--provision-secret or COTA_PROVISION_SECRET" in done.err) == (2, True)
    for wrong in (("--token", "t"), ("--profile", "p")):
        done = cota("install", make_drive(), *bench[2:4], *wrong)
        assert (done.code, "Usage:" in done.err) == (2, True)
    assert "goes with --provision-key" in cota("install", make_drive(), "--provision-secret", "s").err


@pytest.fixture
def deaf(lab: Lab) -> Iterator[str]:
    """A way to the lab on which the answer to a provisioning is lost, once."""
    listener = socket.create_server(("127.0.0.1", 0))
    lost = []

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with near, socket.create_connection(("127.0.0.1", int(lab.url.rpartition(":")[2]))) as far:
                near.settimeout(5)
                request = near.recv(65536)
                head, _, body = request.partition(b"\r\n\r\n")
                length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
                while len(body) < length:
                    body += near.recv(65536)
                far.sendall(head.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n") + b"\r\n\r\n" + body)
                answer = b"".join(iter(lambda: far.recv(65536), b""))
                if b"/api/v1/provision" in head and not lost:
                    lost.append(head)
                    continue
                near.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_an_answer_that_is_lost_loses_no_device(
    cota: Cota, make_drive: MakeDrive, client: Client, profile: Json, bench: tuple[str, ...], number: int, deaf: str
) -> None:
    drive = make_drive()
    way = ("--url", deaf, *bench[2:])
    done = cota("install", drive, *way)
    assert (done.code, "broke during POST /api/v1/provision" in done.err) == (2, True), done.err
    token = token_at(client, f"own-{number}")
    assert cota("install", drive, *way).code == 0
    assert token_of(drive) == token
    assert TICKET not in files_of(drive)


def test_a_cable_that_comes_out_after_it_loses_no_device(
    cota: Cota, make_drive: MakeDrive, client: Client, profile: Json, bench: tuple[str, ...], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = make_drive()
    write = folder.MountedDrive.write

    def pulled(self: folder.MountedDrive, path: str, data: bytes) -> None:
        if path != TICKET:
            raise DriveError("The drive is gone.", "Plug it in.")
        write(self, path, data)

    monkeypatch.setattr(folder.MountedDrive, "write", pulled)
    assert cota("install", drive, *bench).code == 2
    token = token_at(client, f"own-{number}")
    monkeypatch.setattr(folder.MountedDrive, "write", write)
    assert cota("install", drive, *bench).code == 0
    assert token_of(drive) == token


@pytest.mark.parametrize("torn", [b"", b"half-a-tok", b"\xff" * 20, b"../../etc/passwd/aaa", b"a" * 500])
def test_a_torn_token_on_the_drive_is_not_used(torn: bytes, client: Client, profile: Json, number: int, lab: Lab) -> None:
    drive = MemoryDrive({**NEW, TICKET: torn})
    device = Provisioned(lab.url, f"key-{number}", SECRET, f"own-{number}").make(drive)
    assert len(device.token) == 20
    assert drive.files[TICKET] == device.token.encode()
    assert device.token == token_at(client, f"own-{number}")


def test_a_device_that_signs_in_otherwise_is_of_no_use_to_a_board(client: Client, profile: Json, number: int, lab: Lab) -> None:
    only_known_devices(client, profile)
    device = client.devices.create(f"own-{number}", profile_id=id_of(profile))

    def change(credentials: Json) -> None:
        credentials.update(credentialsType="MQTT_BASIC", credentialsValue=json.dumps({"userName": f"u-{number}", "password": "p"}))

    client.session.save(f"/api/device/{id_of(device)}/credentials", "/api/device/credentials", change)
    with pytest.raises(ProvisionError, match="signs in with MQTT_BASIC"):
        provision(lab.url, f"key-{number}", SECRET, f"own-{number}")


def test_a_server_that_only_the_environment_names_does_not_see_the_token_of_another(
    cota: Cota, make_drive: MakeDrive, profile: Json, bench: tuple[str, ...], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = make_drive()
    assert cota("install", drive, *bench).code == 0
    seen: list[str] = []

    class Curious(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.requestline)
            self.send_error(404)

        def do_POST(self) -> None:
            seen.append(self.requestline + self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_error(404)

        def log_message(self, *unused: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Curious) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("COTA_URL", f"http://127.0.0.1:{server.server_port}")
        done = cota("install", drive, *bench[2:])
        server.shutdown()
    assert done.code == 2, done.err
    assert len(seen) == 1
    assert token_of(drive) not in seen[0]


def test_what_is_not_thingsboard_is_told_by_its_status(lab: Lab) -> None:
    with pytest.raises(ThingsBoardError, match="answered 404"):
        provision(f"{lab.url}/elsewhere", "k", SECRET, "n")
