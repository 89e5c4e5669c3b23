"""A lab that all tests of a process share, and worlds in it: a board, its server and its Git host."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from gateway import Gateway
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from world import World

from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client

# Between two devices of the lab's queue; ThingsBoard's own is 0.6.
_PACE_SECONDS = 0.02
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def lab(repositories: dict[str, Path]) -> Iterator[Lab]:
    with running_lab(LabConfig(repositories=repositories, ota_pace=_PACE_SECONDS)) as running:
        yield running


@pytest.fixture(scope="session")
def client(lab: Lab) -> Iterator[Client]:
    with Client(lab.url, username=lab.username, password=lab.password) as signed_in:
        yield signed_in


@pytest.fixture
def make_world(lab: Lab, client: Client, repositories: dict[str, Path], tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make worlds, with World's options by keyword. At the end their boards go off and their drives must be whole."""
    worlds: list[World] = []

    def make(**options: object) -> World:
        name = f"app-{next(_numbers)}"
        world = World(lab, client, repositories, tmp_path / name, name, **options)  # type: ignore[arg-type]
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.close()
    for world in worlds:
        if not world.damaged:
            world.check_volume()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world with nothing special about it; its board is off."""
    return make_world()


@pytest.fixture
def gateway(lab: Lab) -> Iterator[Gateway]:
    """A gateway in front of the lab."""
    made = Gateway(lab.url.partition("://")[2])
    yield made
    made.shut()


@pytest.fixture
def serve_git() -> Iterator[Callable[[list[BaseRoute]], str]]:
    """Serve routes on a port of their own; gives `host:port`."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(routes: list[BaseRoute]) -> str:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        running.append((server, thread))
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join()
