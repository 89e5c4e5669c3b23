"""Each board in the page about boards takes a release and the next one, simulated with its drive and its heap."""

import asyncio
import time
from pathlib import Path

from docs_markdown import DOCS

from cota.git.make import commit_tree, create_repository
from cota.lab.server import LabConfig, running_lab
from cota.sim import PROFILES, Board, BoardOptions, device_tree
from cota.thingsboard import Client, id_of
from cota.thingsboard.boards import board_of, boards_query

_MAIN = (device_tree() / "main.py").read_bytes()
_PATIENCE_SECONDS = 100
_SPEED = 20.0


async def updated(client: Client, profile_id: str, version: str) -> None:
    """Wait until all boards of the profile run this version."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        boards = [board_of(member) for member in await asyncio.to_thread(lambda: list(client.fleet.find(boards_query(["known boards"]))))]
        late = [board for board in boards if board.state != "UPDATED" or board.running is None or board.running.version != version]
        if not late:
            return
        assert time.monotonic() < end, late
        await asyncio.sleep(0.3)


def test_every_board_of_the_page_takes_a_release_and_the_next(tmp_path: Path) -> None:
    page = (DOCS / "boards.md").read_text()
    assert [name for name in PROFILES if f"| `{name}` |" not in page] == []
    repository = create_repository(tmp_path / "repository")
    with running_lab(LabConfig(repositories={"acme/app": repository}, ota_pace=0.02)) as lab:
        asyncio.run(_all(lab.url, Client(lab.url, username=lab.username, password=lab.password), repository, tmp_path))


async def _all(url: str, client: Client, repository: Path, folder: Path) -> None:
    host, _, port = url.rpartition(":")
    profile_id = id_of(client.profiles.create("known boards"))
    boards = []
    for name, kind in PROFILES.items():
        client.devices.create(name, profile_id=profile_id, token=f"token-{name}")
        own = {"THINGSBOARD_URL": host, "THINGSBOARD_PORT": port, "THINGSBOARD_DEVICE_TOKEN": f"token-{name}"}
        pace = {"COTA_POLL_SECONDS": "20", "COTA_TRIAL_SECONDS": "40", "COTA_GIT_HOSTS": url.partition("://")[2]}
        board = Board(folder / name, name, kind, own | pace, options=BoardOptions(speed=_SPEED))
        board.prepare(device_tree())
        boards.append(board)
    stop = asyncio.Event()
    power = [asyncio.create_task(board.run(stop)) for board in boards]
    try:
        for version, size in (("v1", 3000), ("v2", 30_000)):
            release = {"main.py": _MAIN, "app/data.bin": bytes(range(256)) * (size // 256)}
            commit = commit_tree(repository, release)
            package = client.packages.create_url("app", version, f"{url}/acme/app/tree/{commit}", profile_id)
            await asyncio.to_thread(client.profiles.assign, profile_id, id_of(package))
            await updated(client, profile_id, version)
    finally:
        stop.set()
        await asyncio.gather(*power, return_exceptions=True)
        client.close()
    for board in boards:
        assert board.read("app/data.bin") == release["app/data.bin"]
