"""A program as users of the original cOTA wrote it runs unchanged: the same calls, the same errors, the same boot.py."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import trustme
from gateway import Gateway
from tls_front import CLOUD, bundle, front
from world import World, digest

from cota.lab.server import Lab
from cota.sim.board import BoardOptions

# Joins Wi-Fi once, outside any try; loops without sleep; catches two kinds of errors. {set_up} and {update} are what tests vary.
PROGRAM = """
import wifi
import ota

settings = ota.get_thingsboard_settings()
print("settings:", sorted(settings))
wifi.radio.connect(settings["wifi_ssid"], settings["wifi_password"])
print("joined", wifi.radio.ipv4_address)
{set_up}
updater = {updater}(
    tb_url={url},
    tb_port={port},
    tb_device_access_token=settings["thingsboard_device_token"],
)
rounds = 0
while True:
    try:
        if updater.is_new_firmware_available():
            print("new firmware")
            {update}
    except ConnectionError as error:
        print("connection:", type(error).__name__, isinstance(error, ConnectionError))
    except ota.OverTheAirUpdateError as error:
        print("update:", type(error).__name__, isinstance(error, ota.OverTheAirUpdateError))
    rounds += 1
    if rounds % 20000 == 0:
        print("rounds", rounds)
"""
BOOT = b'import storage\n\nstorage.remount("/")\n'
# The original's library, as far as its name goes: the program must get ours.
OLD_LIBRARY = b'print("the original lib/ota.py")\nraise RuntimeError("the package must win")\n'
FILES = {"app/sensor.py": b"def read():\n    return 4\n", "logo.bin": bytes(range(256)) * 5}

MakeWorld = Callable[..., World]


def program(
    *,
    set_up: str = "",
    updater: str = "ota.OverTheAirUpdate",
    url: str = 'settings["thingsboard_url"]',
    port: str = 'settings["thingsboard_port"]',
    update: str = "updater.download_firmware_files()",
) -> bytes:
    """The original's program with something of it varied."""
    return PROGRAM.format(set_up=set_up, updater=updater, url=url, port=port, update=update).encode()


@pytest.fixture
def make_original(make_world: MakeWorld) -> Callable[..., World]:
    """Make worlds whose drive is that of the original's user: its main.py, its boot.py, its library beside ours."""

    def make(main: bytes | None = None, *, extra: Mapping[str, bytes] | None = None, **options: object) -> World:
        own = {"main.py": main or program(), "boot.py": BOOT, "lib/ota.py": OLD_LIBRARY}
        return make_world(extra={**own, **(extra or {})}, **options)

    return make


def test_its_program_and_its_boot_py_update_from_commit_to_commit(make_original: MakeWorld) -> None:
    world = make_original(extra={"old.py": b"x = 1\n"})
    world.deliver(FILES)
    assert world.drive() == world.whole(FILES)
    after = {"app/sensor.py": b"def read():\n    return 5\n", "new.txt": b"new\n"}
    world.deliver(after)
    assert world.drive() == world.whole(after)
    assert world.board.read("boot.py") == BOOT
    assert "the original lib/ota.py" not in world.said()
    assert "Traceback" not in world.said()


def test_the_settings_come_under_the_names_that_it_knows(make_original: MakeWorld) -> None:
    world = make_original()
    world.start()
    names = ["thingsboard_device_token", "thingsboard_port", "thingsboard_url", "wifi_password", "wifi_ssid"]
    world.wait_for_line(f"settings: {names}")


def test_a_release_that_brings_the_new_boot_py_replaces_its_own(make_original: MakeWorld) -> None:
    world = make_original()
    new = Path(__file__).parents[2].joinpath("device/boot.py").read_bytes()
    world.deliver({**FILES, "boot.py": new})
    assert world.drive() == world.whole({**FILES, "boot.py": new})
    world.deliver(FILES)
    assert world.drive() == world.whole({**FILES, "boot.py": new})


def test_its_program_is_replaced_by_the_one_of_the_release(make_original: MakeWorld) -> None:
    world = make_original()
    changed = program(set_up='print("the second program")')
    world.deliver({**FILES, "main.py": changed})
    world.wait_for_line("the second program")
    assert world.drive() == world.whole({**FILES, "main.py": changed})


@pytest.mark.parametrize("call", ['"."', 'directory="."', '"/"', "''"])
def test_the_directory_may_be_given(make_original: MakeWorld, call: str) -> None:
    world = make_original(program(update=f"updater.download_firmware_files({call})"))
    world.deliver(FILES)
    assert world.drive() == world.whole(FILES)


def test_another_directory_is_refused_and_nothing_changes(make_original: MakeWorld) -> None:
    world = make_original(program(update='updater.download_firmware_files("/app")'))
    before = world.drive()
    world.assign(world.publish(FILES))
    world.start()
    world.wait_for_line("RuntimeError")
    assert world.drive() == before


@pytest.mark.parametrize(
    ("set_up", "updater"),
    [
        (
            "ota.OverTheAirUpdate.keep_files.append('calibration.json'); ota.OverTheAirUpdate.keep_folders.append('logs')",
            "ota.OverTheAirUpdate",
        ),
        (
            "class Mine(ota.OverTheAirUpdate):\n"
            "    keep_files = ota.OverTheAirUpdate.keep_files + ['calibration.json']\n"
            "    keep_folders = ['logs']\n",
            "Mine",
        ),
        ("ota.OverTheAirUpdate.keep_files = ['calibration.json']; ota.OverTheAirUpdate.keep_folders = ('logs/',)", "ota.OverTheAirUpdate"),
    ],
    ids=["extended", "subclass", "replaced"],
)
def test_what_it_adds_to_the_kept_names_stays(make_original: MakeWorld, set_up: str, updater: str) -> None:
    kept = {"calibration.json": b"{}\n", "logs/deep/today.txt": b"1\n"}
    lost = {"other.json": b"{}\n", "data/x.txt": b"1\n"}
    world = make_original(program(set_up=set_up, updater=updater), extra={**kept, **lost})
    world.deliver(FILES)
    assert world.drive() == world.whole({**FILES, **kept})


# The server's address, in all the ways that users wrote it.


@pytest.mark.parametrize("port", ['int(settings["thingsboard_port"])', 'str(settings["thingsboard_port"])'], ids=["int", "text"])
def test_the_port_may_be_a_number_or_text(make_original: MakeWorld, port: str) -> None:
    world = make_original(program(port=port))
    world.deliver(FILES)
    assert world.drive() == world.whole(FILES)


def test_the_port_may_stand_in_settings_toml_without_quotes(make_original: MakeWorld) -> None:
    world = make_original()
    text = world.board.read("settings.toml").decode()
    port = world.board.settings["THINGSBOARD_PORT"]
    assert f'THINGSBOARD_PORT = "{port}"' in text
    world.board.volume.write({"settings.toml": text.replace(f'"{port}"', port).encode()})
    world.deliver(FILES)
    assert world.telemetry()["fw_state"] == "UPDATED"


@pytest.mark.parametrize(
    ("url", "port"),
    [(CLOUD, ""), (CLOUD, "443"), (f"https://{CLOUD}/", "443"), (f"https://{CLOUD}", ""), (CLOUD, "8080"), (f"http://{CLOUD}", "80")],
)
def test_the_url_may_have_a_scheme_or_none(
    lab: Lab, make_original: MakeWorld, authority: trustme.CA, tmp_path: Path, url: str, port: str
) -> None:
    own = lab.url.partition("://")[2]
    with front(own, authority) as public:
        plain = port in ("80", "8080")
        options = BoardOptions(ca_bundle=bundle(tmp_path, authority), hosts={CLOUD: own if plain else public.hosts[CLOUD]})
        world = make_original(settings={"THINGSBOARD_URL": url, "THINGSBOARD_PORT": port}, options=options)
        world.deliver(FILES)
        world.stop()
        assert (public.tally.count(CLOUD) == 0) == plain


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


# The loop without sleep.


def test_a_tight_loop_asks_the_server_once_a_poll_interval(make_original: MakeWorld, gateway: Gateway) -> None:
    world = make_original(settings={"COTA_POLL_SECONDS": ""}, cloud=gateway.address)  # the default: 60 s
    world.start()
    world.wait_for_line("rounds 100000")
    assert gateway.count("attributes?sharedKeys=") == 1
    assert gateway.count("telemetry") == 0


def test_a_tight_loop_with_a_short_interval_asks_no_more_often_than_that(make_original: MakeWorld, gateway: Gateway) -> None:
    world = make_original(settings={"COTA_POLL_SECONDS": "1"}, cloud=gateway.address)
    started = time.monotonic()
    world.start()
    world.wait_until(lambda: gateway.count("attributes?sharedKeys=") >= 3, "three polls")
    # The first poll comes at once, and the board's clock has whole seconds.
    assert gateway.count("attributes?sharedKeys=") <= time.monotonic() - started + 2


# The errors that it catches.


def test_an_empty_repository_is_an_error_of_its_own(make_original: MakeWorld) -> None:
    world = make_original()
    before = world.drive()
    world.assign(world.package(world.url()))
    world.start()
    world.wait_for("FAILED", "v1")
    world.wait_for_line("update: EmptyGithubRepoError True")
    assert world.drive() == before


@pytest.mark.parametrize("url", ["https://example.com/acme/app", "https://github.com/acme", "nonsense"])
def test_a_url_of_no_repository_is_an_error_of_its_own(make_original: MakeWorld, url: str) -> None:
    world = make_original()
    before = world.drive()
    world.assign(world.package(url))
    world.start()
    world.wait_for("FAILED", "v1")
    world.wait_for_line("update: InvalidGithubRepoUrlError True")
    assert world.drive() == before


def test_a_dead_server_is_a_connection_error_and_the_loop_goes_on(make_original: MakeWorld, gateway: Gateway) -> None:
    world = make_original(cloud=gateway.address)
    package = world.publish(FILES)
    world.assign(package)
    gateway.shut()
    world.start()
    world.wait_for_line("connection: NetworkError True", times=2)
    gateway.open()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(FILES)


def test_a_lost_wifi_is_a_connection_error_and_the_loop_goes_on(make_original: MakeWorld) -> None:
    world = make_original()
    world.start()
    world.wait_for_line("joined")
    world.board.set_network(up=False)
    world.wait_for_line("connection: NetworkError True")
    package = world.publish(FILES)
    world.assign(package)
    world.board.set_network(up=True)
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(FILES)


def test_an_unknown_token_is_an_update_error(make_original: MakeWorld) -> None:
    world = make_original(settings={"THINGSBOARD_DEVICE_TOKEN": "nobody-has-this"})
    world.start()
    world.wait_for_line("update: OverTheAirUpdateError True")
    assert "nobody-has-this" not in world.said()


# Under the original's boot.py the library itself applies the release, in the program's run.


def test_an_apply_that_fails_once_under_its_boot_py_is_finished_by_its_second_try(make_original: MakeWorld) -> None:
    # The drive fails at the first removal.
    broken = (
        "import os\n"
        "real = os.remove\n"
        "def remove(path):\n"
        "    os.remove = real\n"
        "    raise OSError(5)\n"
        "if 'old.py' in os.listdir('/'):\n"
        "    os.remove = remove\n"
    )
    world = make_original(program(set_up=broken), extra={"old.py": b"x = 1\n"})
    package = world.publish(FILES)
    world.assign(package)
    world.start()
    world.wait_for("UPDATED", package["version"])
    assert "Traceback" not in world.said()
    assert "old.py" not in world.drive()


def test_the_power_may_fail_between_the_commit_and_the_apply(make_original: MakeWorld) -> None:
    # With the original's boot.py nothing recovers at the next start but the first look at the server.
    stop = "import ota.store\nif 'old.py' in __import__('os').listdir('/'):\n    ota.store.Store.redo = lambda self: stuck()\n"
    stuck = "def stuck():\n    print('committed')\n    while True:\n        pass\n"
    world = make_original(program(set_up=stuck + stop), extra={"old.py": b"x = 1\n"})
    package = world.publish(FILES)
    world.assign(package)
    world.start()
    world.wait_for_line("committed")
    world.stop()
    assert world.drive()["old.py"] == digest(b"x = 1\n")
    world.board.volume.write({"main.py": program()})
    world.start()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole({**FILES, "main.py": program()})
