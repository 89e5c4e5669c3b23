"""The shipped main.py joins Wi-Fi: by which keys of settings.toml, and again after the network was away."""

from collections.abc import Callable

import pytest
from world import World, digest

_OLD = {"old.py": b"1\n"}
_FILES = {"app.py": b"v = 1\n"}
_NEXT = {"app.py": b"v = 2\n"}
_BY_FIRMWARE = ("CIRCUITPY_WIFI_SSID", "CIRCUITPY_WIFI_PASSWORD")
_BY_PROGRAM = ("WIFI_SSID", "WIFI_PASSWORD")


def set_wifi(world: World, right: tuple[str, str], wrong: dict[str, str]) -> None:
    """Let these keys of settings.toml name the network, and those something else."""
    settings = world.board.settings
    values = dict(zip(right, (settings["WIFI_SSID"], settings["WIFI_PASSWORD"]), strict=True)) | wrong
    lines = world.board.read("settings.toml").decode().splitlines()
    kept = [line for line in lines if line.partition(" =")[0] not in _BY_FIRMWARE + _BY_PROGRAM]
    text = "\n".join([*kept, *(f'{key} = "{value}"' for key, value in values.items()), ""])
    world.board.volume.write({"settings.toml": text.encode()})


def update_before_and_after_an_outage(world: World) -> None:
    """Install a release, take the network away between two polls until the board says so, give it back, and install another one."""
    world.start()
    world.wait_polls(1)
    package = world.publish(_FILES)
    world.install(package)
    world.board.set_network(up=False)
    world.wait_for_line("Wi-Fi is not joined")
    world.board.set_network(up=True)
    world.install(world.publish(_NEXT))
    assert world.drive()["app.py"] == digest(_NEXT["app.py"])


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(extra=_OLD)


def test_the_example_joins_and_rejoins_by_circuitpythons_own_keys(world: World) -> None:
    set_wifi(world, _BY_FIRMWARE, {})
    update_before_and_after_an_outage(world)


def test_circuitpythons_own_keys_win_where_the_originals_name_another_network(world: World) -> None:
    set_wifi(world, _BY_FIRMWARE, {"WIFI_SSID": "sold-with-the-house", "WIFI_PASSWORD": "not-this-one"})
    update_before_and_after_an_outage(world)


def test_the_example_joins_and_rejoins_by_the_originals_keys_where_circuitpythons_are_empty(world: World) -> None:
    set_wifi(world, _BY_PROGRAM, dict.fromkeys(_BY_FIRMWARE, ""))
    update_before_and_after_an_outage(world)


def test_the_example_joins_a_network_that_comes_up_after_the_board(world: World) -> None:
    set_wifi(world, _BY_FIRMWARE, {})
    world.start()
    world.board.set_network(up=False)  # before boot.py has run; the board's start gave it the network
    world.wait_for_line("Wi-Fi is not joined")
    world.board.set_network(up=True)
    world.install(world.publish(_FILES))
