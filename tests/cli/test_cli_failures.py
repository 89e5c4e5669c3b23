"""Every command against every failure that a server has: each ends with one message that says what was wrong and what to do."""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from front import Front, refusal
from operator_shell import PASSWORD, Done, Shell
from test_cli_publish import FILES

from cota.cli import COMMANDS
from cota.git.make import commit_tree, create_repository
from cota.lab.server import Lab
from cota.thingsboard import Client, Json, id_of

MakeDevice = Callable[..., Any]
CONFLICT = refusal(409, "Data was changed by another user", 35)
FORBIDDEN = refusal(403, "You don't have permission to perform this operation!", 20)

# What each command is called with; {names} are the world's.
CALLS = {
    "assign": "{title} v2 --device {device}",
    "dashboard": "install --title {title}",
    "delete": "{title} v2 --yes",
    "devices": "",
    "doctor": "{device}",
    "history": "{device}",
    "install": "{drive} --device {device}",
    "packages": "",
    "publish": "--repo {repo} --version v3 --device {device}",
    "retry": "{device}",
    "rollout": "--repo {repo} --version v3 --canary {device} --look-seconds 0.1 --canary-minutes 0.01",
    "status": "--device {device}",
    "unassign": "--device {device}",
    "watch": "--device {device} --until-done --timeout 1",
    "whoami": "",
}
# Those that ask no server, or (login, web) have tests of their own for it.
OTHERS = {"completion", "demo", "lab", "login", "logout", "manifest", "sim", "web"}
BOOT_OUT = (
    b"Adafruit CircuitPython 10.1.4 on 2026-01-01; Raspberry Pi Pico W with rp2040\r\nBoard ID:raspberry_pi_pico_w\r\nUID:DE6185A0E3\r\n"
)


@dataclass
class World:
    """A shell, a front before the lab, and what the calls name."""

    shell: Shell
    front: Front
    names: dict[str, str]
    device: Any
    tb: Client
    profile: Json

    def __call__(self, command: str) -> Done:
        done = self.shell(command, *CALLS[command].format(**self.names).split())
        for secret in (PASSWORD, self.device.token, "eyJ"):
            assert secret not in done.out + done.err
        return done


@pytest.fixture
def world(
    cota: Shell,
    front: Front,
    lab: Lab,
    tb: Client,
    profile: Json,
    make_device: MakeDevice,
    unique: Callable[[str], str],
    repositories: dict[str, Path],
    tmp_path: Path,
) -> World:
    title, device = unique("app"), make_device()
    repositories[f"acme/{title}"] = create_repository(tmp_path / "checkout")
    commit_tree(repositories[f"acme/{title}"], FILES)
    first = tb.packages.create_url(title, "v1", f"{lab.url}/acme/{title}", id_of(profile))
    tb.packages.create_url(title, "v2", f"{lab.url}/acme/{title}", id_of(profile))
    tb.devices.assign(device.id, id_of(first))
    drive = tmp_path / "CIRCUITPY"
    drive.mkdir()
    (drive / "boot_out.txt").write_bytes(BOOT_OUT)
    cota.set(COTA_WIFI_SSID="home", COTA_WIFI_PASSWORD="secret-of-home")
    names = {"title": title, "device": device.name, "repo": f"{lab.url}/acme/{title}", "drive": str(drive)}
    return World(cota, front, names, device, tb, profile)


def judged(command: str, done: Done, *words: str, code: int = 2) -> None:
    """Hold a command's end against what a person needs: one message with the words, the next step in it, and no half result."""
    if command == "doctor":  # it ran, and its answer names the broken link
        assert done.code == 1, done
        said = done.out[done.out.index("\nFirst: ") :]
    else:
        assert (done.code, done.out) == (code, ""), done
        said = done.err
        assert said.count("cota: ") == 1
    for word in words:
        assert word in said, (word, said)
    assert len(said.strip().splitlines()) >= 2, "what was wrong, then what to do"
    assert said.strip().splitlines()[-1].endswith("."), said


def test_no_command_is_forgotten() -> None:
    assert set(CALLS) | OTHERS == set(COMMANDS)
    assert not set(CALLS) & OTHERS


every_command = pytest.mark.parametrize("command", list(CALLS))


@every_command
def test_no_server(command: str, world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    world.shell.set(COTA_URL=url)
    judged(command, world(command), "cannot be reached", url.removeprefix("http://"), "Check")


@every_command
def test_a_wrong_password(command: str, world: World) -> None:
    world.shell.set(COTA_PASSWORD="wr0ng-password")
    # The front says it in the lab's place, which would soon answer this address no more.
    world.front.always("POST", "/api/auth/login", refusal(401, "Invalid username or password", 10))
    done = world(command)
    judged(command, done, "401", "Check the user name and password")
    assert "wr0ng-password" not in done.out + done.err


@every_command
def test_a_sign_in_that_ran_out(command: str, world: World, lab: Lab) -> None:
    assert world.shell("login", "--url", world.front.url, "--username", lab.username or "", stdin=PASSWORD).code == 0
    world.shell.unset("COTA_URL", "COTA_USERNAME", "COTA_PASSWORD")
    world.front.always("POST", "/api/auth/token", refusal(401, "Token has expired", 11))
    judged(command, world(command), "has run out", "`cota login` signs in again")


@every_command
def test_an_access_token_that_runs_out_on_the_way_is_renewed_unseen(command: str, world: World) -> None:
    before = world(command)
    expired: list[str] = []

    def expire(method: str, path: str) -> Any:
        if not expired and path.startswith("/api/") and not path.startswith(("/api/auth/login", "/api/auth/token", "/api/v1/", "/api/ws")):
            expired.append(path)
            return refusal(401, "Token has expired", 11)
        return None

    world.front.hook = expire
    after = world(command)
    assert expired
    assert "expired" not in after.out + after.err
    # What was deleted is gone, which is a no; everything else can be done twice.
    assert after.code == (1 if command == "delete" else before.code), after


@every_command
def test_an_account_that_may_not(command: str, world: World) -> None:
    world.front.hook = lambda method, path: (
        FORBIDDEN if path.startswith("/api/") and not path.startswith(("/api/auth/lo", "/api/v1/")) else None
    )
    judged(command, world(command), "403", "permission", "tenant administrator")


SAVES = {"assign": "/api/device", "unassign": "/api/device", "publish": "/api/device", "rollout": "/api/device"}


@pytest.mark.parametrize("command", SAVES)
def test_a_save_that_somebody_else_won_is_done_again(command: str, world: World) -> None:
    world.front.once("POST", SAVES[command], lambda: CONFLICT)
    done = world(command)
    assert "another user" not in done.err
    assert "somebody else" not in done.err.lower()
    assert world.front.seen.count(f"POST {SAVES[command]}") >= 2
    assert done.code == (1 if command == "rollout" else 0), done  # no board takes it here, so a rollout's time is up


@pytest.mark.parametrize("command", SAVES)
def test_a_device_that_never_stays_still_is_named_with_what_to_do(command: str, world: World) -> None:
    world.front.hook = lambda method, path: CONFLICT if (method, path) == ("POST", SAVES[command]) else None
    done = world(command)
    assert done.code == 1
    assert world.device.name in done.err
    assert "somebody else" in done.err.lower()


@pytest.mark.parametrize("command", ["publish", "rollout"])
def test_a_package_that_is_too_large_for_the_server(command: str, world: World) -> None:
    world.front.always("POST", "/api/otaPackage", refusal(413, "Payload size exceeds the limit", 2))
    done = world(command)
    assert done.code == 1
    assert "413" in done.err
    assert "HTTP_MAX_PAYLOAD_SIZE_LIMIT_CONFIGURATION" in done.err


# Where each command that names a device has found it, and goes on to use it.
USES = {
    "assign": ("GET", "/api/device/{id}"),
    "doctor": ("GET", "/api/device/{id}/credentials"),
    "history": ("GET", "/api/plugins/telemetry/DEVICE/{id}/values/timeseries"),
    "install": ("GET", "/api/device/{id}/credentials"),
    "publish": ("GET", "/api/device/{id}"),
    "retry": ("POST", "/api/plugins/telemetry/DEVICE/{id}/SHARED_SCOPE"),
    "rollout": ("GET", "/api/device/{id}"),
    "status": ("POST", "/api/entitiesQuery/find"),
    "unassign": ("GET", "/api/device/{id}"),
    "watch": ("POST", "/api/entitiesQuery/find"),
}


@pytest.mark.parametrize("command", USES)
def test_a_device_that_is_deleted_meanwhile(command: str, world: World) -> None:
    method, path = USES[command]
    gone: list[str] = []

    def delete() -> None:
        gone.append(world.device.name)
        world.tb.devices.delete(world.device.id)

    world.front.once(method, path.format(id=world.device.id), delete)
    done = world(command)
    assert gone, world.front.seen
    assert done.code == 1, done
    assert re.search(r"[Dd]eleted meanwhile|has no device|was deleted", done.out + done.err), done


def test_a_device_that_is_deleted_while_it_is_watched_ends_the_watch(world: World, make_device: MakeDevice) -> None:
    other = make_device()
    asked: list[str] = []

    def hook(method: str, path: str) -> None:
        asked.append(path)
        if asked.count("/api/entitiesQuery/find") == 2 and path == "/api/entitiesQuery/find":
            world.tb.devices.delete(world.device.id)

    world.front.hook = hook
    done = world.shell("watch", "--device", world.device.name, "--interval", "0.2")
    assert (done.code, f"Deleted meanwhile: {world.device.name}." in done.err) == (1, True)
    done = world.shell("watch", "--device", other.name, "--until-done", "--timeout", "5")
    assert "so there is nothing to wait for" in done.err


# Two operators who do the same at the same time: what the other one does just before, and how it then ends.
def test_two_operators_give_a_device_two_releases_and_the_last_one_counts(world: World) -> None:
    (first,) = [one for one in world.tb.packages.list(world.names["title"]) if one["version"] == "v1"]

    def other() -> None:
        world.tb.devices.assign(world.device.id, None)
        world.tb.devices.assign(world.device.id, id_of(first))

    world.front.once("POST", "/api/device", other)
    assert world("assign").code == 0
    wanted = world.tb.packages.find(world.names["title"], "v2")
    assert wanted is not None
    assert world.tb.devices.get(world.device.id)["firmwareId"]["id"] == id_of(wanted)


def test_two_operators_make_the_same_device(world: World, unique: Callable[[str], str]) -> None:
    name = world.names["device"] = unique("made-twice")
    world.front.once("POST", "/api/device", lambda: (world.tb.devices.create(name), None)[1])
    done = world("install")
    assert done.code == 0, done
    assert f"Found the device {name}" in done.err


def test_a_dashboard_that_is_there_already_is_left_alone(world: World) -> None:
    assert world("dashboard").code == 0
    before = len(world.front.seen)
    assert world("dashboard").code == 0
    assert "POST /api/dashboard" not in world.front.seen[before:]


def test_two_operators_delete_the_same_package(world: World) -> None:
    package = world.tb.packages.find(world.names["title"], "v2")
    assert package is not None
    world.front.once("DELETE", f"/api/otaPackage/{id_of(package)}", lambda: world.tb.packages.delete(id_of(package)))
    done = world("delete")
    assert (done.code, "Somebody else deleted it at the same time." in done.err) == (0, True)


def test_a_package_that_is_deleted_before_it_is_assigned(world: World) -> None:
    package = world.tb.packages.find(world.names["title"], "v2")
    assert package is not None
    world.front.once("POST", "/api/device", lambda: world.tb.packages.delete(id_of(package)))
    done = world("assign")
    assert (done.code, f"{world.device.name}: not changed, the package was deleted meanwhile" in done.err) == (1, True), done


def test_a_package_that_is_deleted_before_its_profile_gets_it(world: World) -> None:
    package = world.tb.packages.find(world.names["title"], "v2")
    assert package is not None
    world.front.once("POST", "/api/deviceProfile", lambda: world.tb.packages.delete(id_of(package)))
    done = world.shell("assign", world.names["title"], "v2", "--profile", world.profile["name"])
    assert (done.code, "was deleted meanwhile" in done.err) == (1, True), done


def test_a_package_that_is_given_to_somebody_before_it_is_deleted(world: World) -> None:
    package = world.tb.packages.find(world.names["title"], "v2")
    assert package is not None
    world.front.once(
        "DELETE", f"/api/otaPackage/{id_of(package)}", lambda: (world.tb.devices.assign(world.device.id, id_of(package)), None)[1]
    )
    done = world("delete")
    assert (done.code, "is in use and was not deleted: 1 device" in done.err) == (1, True), done
