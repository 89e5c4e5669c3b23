"""A board that `cota install` has prepared boots, reaches its server and takes a release: real FAT, real device code, a real server."""

import asyncio
import time
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path

import pytest
from drive_memory import NEW, Done, files_of, put
from drive_web_board import web_board

from cota.drive.tree import device_tree
from cota.errors import CotaError
from cota.git.make import commit_tree, create_repository
from cota.lab.server import Lab
from cota.sim.board import WIFI_PASSWORD, WIFI_SSID, Board
from cota.sim.profiles import find_profile
from cota.sim.volume import Volume
from cota.thingsboard import Client, id_of

Cota = Callable[..., Done]
_PATIENCE_SECONDS = 60


class VolumeFiles(MutableMapping[str, bytes]):
    """A FAT image as a mapping of its files, for the web workflow of a board."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume

    def __getitem__(self, path: str) -> bytes:
        try:
            return self._volume.read(path)
        except CotaError:
            raise KeyError(path) from None

    def __setitem__(self, path: str, data: bytes) -> None:
        self._volume.write({path: data})

    def __delitem__(self, path: str) -> None:
        self._volume.remove(path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._volume.files())

    def __len__(self) -> int:
        return len(self._volume.files())


def blank_board(folder: Path, kind: str) -> Board:
    board = Board(folder, folder.name, find_profile(kind), {})
    board.volume.make(NEW)
    board.prepare(device_tree())  # claims the folder; the drive is there already
    return board


def takes_a_release(board: Board, client: Client, name: str, url: str, profile_id: str) -> dict[str, tuple[int, str]]:
    """Assign a release, switch the board on, and wait until it runs it."""
    package = client.packages.create_url(name, "v1.0.0", url, profile_id)
    device = client.devices.find(name)
    assert device is not None
    client.devices.assign(id_of(device), id_of(package))

    async def live() -> None:
        board.start()
        try:
            end = time.monotonic() + _PATIENCE_SECONDS
            while True:
                told = {key: sample.value for key, sample in client.telemetry.latest(id_of(device)).items()}
                if (told.get("fw_state"), told.get("current_fw_version")) == ("UPDATED", "v1.0.0"):
                    return
                assert told.get("fw_state") != "FAILED", told
                assert time.monotonic() < end, (told, (board.folder / "console.log").read_text()[-2000:])
                await asyncio.sleep(0.1)
        finally:
            await board.stop()

    asyncio.run(live())
    return board.volume.files()


@pytest.fixture
def world(
    lab: Lab, client: Client, operator: None, repositories: dict[str, Path], tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str, str, tuple[str, ...]]:
    """A repository with a release, and what the command is told: name, the release's address, profile, options."""
    name = f"installed-{number}"
    repository = create_repository(tmp_path / "repository")
    repositories[f"acme/{name}"] = repository
    commit = commit_tree(repository, {"app.py": b"A = 1\n"})
    profile_id = id_of(client.profiles.create(f"boards-of-{name}"))
    monkeypatch.setenv("COTA_WIFI_SSID", WIFI_SSID)
    monkeypatch.setenv("COTA_WIFI_PASSWORD", WIFI_PASSWORD)
    host = lab.url.partition("://")[2]
    keys = (f"COTA_GIT_HOSTS={host}", "COTA_POLL_SECONDS=1", "COTA_TRIAL_SECONDS=0")
    options = ("--device", name, "--profile", f"boards-of-{name}", *(word for key in keys for word in ("--set", key)))
    return name, f"{lab.url}/acme/{name}/tree/{commit}", profile_id, options


def test_a_board_prepared_over_usb_boots_and_updates_itself(
    cota: Cota, client: Client, tmp_path: Path, world: tuple[str, str, str, tuple[str, ...]]
) -> None:
    name, url, profile_id, options = world
    board = blank_board(tmp_path / name, "pico-w")
    mounted = put(tmp_path / "CIRCUITPY", {path: board.volume.read(path) for path in board.volume.files()})
    done = cota("install", mounted, *options)
    assert done.code == 0, done.err
    board.volume.make(files_of(mounted))  # the folder's files on the FAT image: what the mount would have done
    drive = takes_a_release(board, client, name, url, profile_id)
    assert drive["app.py"][0] == len(b"A = 1\n")


def test_a_board_prepared_over_its_web_workflow_boots_and_updates_itself(
    cota: Cota, client: Client, tmp_path: Path, world: tuple[str, str, str, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, url, profile_id, options = world
    monkeypatch.setenv("COTA_WEB_PASSWORD", "passw0rd")
    board = blank_board(tmp_path / name, "esp32-c6")
    with web_board(VolumeFiles(board.volume)) as web:
        web.free = board.volume.free_bytes()
        done = cota("install", "--host", web.url, *options)
    assert done.code == 0, done.err
    drive = takes_a_release(board, client, name, url, profile_id)
    assert "app.py" in drive
