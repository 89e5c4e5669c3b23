"""The path of a board that nobody configured: github.com and ThingsBoard over TLS, each under its public name."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import trustme
from tls_front import CLOUD, GITHUB, Front, Tally, bundle, front
from world import World

from cota.lab.server import Lab
from cota.sim.board import BoardOptions
from cota.thingsboard import Json

API, RAW = "api.github.com", "raw.githubusercontent.com"
OLD = {"old.py": b"print('old')\n"}
# On GitHub itself nothing is asked but the API and the files.
NO_GIT_HOSTS = {"COTA_GIT_HOSTS": ""}
CLOUD_SETTINGS = {"THINGSBOARD_URL": f"https://{CLOUD}", "THINGSBOARD_PORT": ""}
FILES = {
    "app/__init__.py": b"",
    "app/weather.py": b"def read():\n    return 21.5\n" * 40,
    "assets/icon one.bmp": bytes(range(256)) * 30,
    "data/größe.csv": "Länge;Größe\n".encode() * 9,
    "README.md": b"# Weather\n",
    ".cotaignore": b"*.md\n",
}

MakeWorld = Callable[..., World]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def public(lab: Lab, authority: trustme.CA) -> Iterator[Front]:
    with front(lab.url.partition("://")[2], authority) as running:
        yield running


@pytest.fixture
def make_board(make_world: MakeWorld, tmp_path: Path) -> Callable[..., World]:
    """Make worlds whose board reaches a front, and trusts these authorities."""

    def make(served: Front, *trusted: trustme.CA, settings: Mapping[str, str] | None = None) -> World:
        options = BoardOptions(ca_bundle=bundle(tmp_path, *trusted), hosts=served.hosts)
        return make_world(settings={**NO_GIT_HOSTS, **(settings or {})}, options=options, extra=OLD)

    return make


def on_github(world: World, behind: str = "") -> Json:
    """A package whose URL is the repository's public address."""
    return world.package(f"https://github.com/acme/{world.name}{behind}")


def on_drive(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if not path.endswith(".md")}


def unchanged(world: World, error: str) -> None:
    """Start the board, wait for the error, and see that nothing of the drive has changed."""
    before = world.drive()
    world.start()
    told = world.wait_for_error("later: ")
    assert told.startswith(error)
    assert "next try in" in told
    assert world.drive() == before
    assert world.states()[-1] != "FAILED"


def test_a_board_that_nobody_configured_updates_from_github(public: Front, make_board: MakeWorld, authority: trustme.CA) -> None:
    world = make_board(public, trustme.CA(), authority)
    commit = world.commit(FILES)
    world.install(on_github(world, f"/tree/{commit}"))
    assert world.drive() == world.whole(on_drive(FILES))
    assert world.attributes()["cota_commit"] == commit
    assert public.tally.most_open == 1


def test_one_handshake_a_host_serves_all_files(public: Front, make_board: MakeWorld, authority: trustme.CA) -> None:
    world = make_board(public, authority)
    files = {f"package{number // 20}/module{number}.py": b"# %d\n" % number * 50 for number in range(60)}
    world.commit(files)
    world.install(on_github(world))
    assert world.drive() == world.whole(files)
    assert public.tally.handshakes == {API: 1, RAW: 1}
    assert (public.tally.count("github.com"), public.tally.count(API), public.tally.count(RAW)) == (0, 2, 60)


def test_only_the_changed_file_of_the_next_commit_is_asked_for(public: Front, make_board: MakeWorld, authority: trustme.CA) -> None:
    world = make_board(public, authority)
    world.commit(FILES)
    world.install(on_github(world))
    before = public.tally.count(RAW)
    world.commit({**FILES, "app/weather.py": b"new\n"})
    world.install(on_github(world))
    assert world.drive() == world.whole({**on_drive(FILES), "app/weather.py": b"new\n"})
    assert public.tally.count(RAW) - before == 1
    assert public.tally.asked[-1][2].endswith("/app/weather.py")


def test_a_branch_with_a_slash_and_a_folder_are_found_on_github(public: Front, make_board: MakeWorld, authority: trustme.CA) -> None:
    world = make_board(public, authority)
    world.commit({"other.py": b"not this\n"})
    commit = world.commit({f"firmware/pico/{path}": data for path, data in FILES.items()}, branch="release/2026")
    world.install(on_github(world, "/tree/release/2026/firmware/pico"))
    assert world.drive() == world.whole(on_drive(FILES))
    assert world.attributes()["cota_commit"] == commit


def test_with_thingsboard_over_tls_too_one_connection_is_open_at_a_time(
    public: Front, make_board: MakeWorld, authority: trustme.CA
) -> None:
    world = make_board(public, authority, settings=CLOUD_SETTINGS)
    world.commit({**FILES, "big.bin": bytes(range(256)) * 400})
    world.install(on_github(world))
    assert world.drive() == world.whole({**on_drive(FILES), "big.bin": bytes(range(256)) * 400})
    assert public.tally.most_open == 1
    assert public.tally.handshakes[API] == public.tally.handshakes[RAW] == 1
    assert public.tally.handshakes[CLOUD] > 0


def test_the_port_of_https_may_be_written_out(public: Front, make_board: MakeWorld, authority: trustme.CA) -> None:
    world = make_board(public, authority, settings={**CLOUD_SETTINGS, "THINGSBOARD_PORT": "443"})
    world.commit(FILES)
    world.install(world.package(f"https://github.com:443/acme/{world.name}"))
    assert world.drive() == world.whole(on_drive(FILES))


def test_a_git_host_whose_authority_is_unknown_is_not_believed(public: Front, make_board: MakeWorld) -> None:
    world = make_board(public, trustme.CA())
    world.commit(FILES)
    world.assign(on_github(world))
    unchanged(world, "later: tls ")
    assert public.tally.refused[API] == 1
    assert not public.tally.asked


@pytest.mark.parametrize("name", [API, RAW])
def test_a_certificate_for_another_name_is_not_believed(lab: Lab, make_board: MakeWorld, authority: trustme.CA, name: str) -> None:
    with front(lab.url.partition("://")[2], authority, {name: "github.example"}) as impostor:
        world = make_board(impostor, authority)
        world.commit(FILES)
        world.assign(on_github(world))
        unchanged(world, "later: tls ")
        assert name in world.errors()[0]
        assert impostor.tally.count(name) == 0
        world.stop()


def test_a_thingsboard_whose_authority_is_unknown_never_learns_the_token(public: Front, make_board: MakeWorld) -> None:
    world = make_board(public, trustme.CA(), settings=CLOUD_SETTINGS)
    world.commit(FILES)
    world.assign(on_github(world))
    before = world.drive()
    world.start()
    world.wait_for_line(f": {CLOUD}")  # the error names the host
    world.stop()
    assert world.drive() == before
    assert not public.tally.asked
    assert world.token not in world.said()


def test_a_board_that_learns_the_authority_goes_on_to_the_release(public: Front, make_board: MakeWorld, authority: trustme.CA) -> None:
    world = make_board(public, trustme.CA())
    world.commit(FILES)
    package = on_github(world)
    world.assign(package)
    unchanged(world, "later: tls ")
    world.stop()
    world.board.options = BoardOptions(ca_bundle=bundle(world.board.folder, authority), hosts=public.hosts)
    world.start()
    world.wait_for("UPDATED", package["version"])
    assert world.drive() == world.whole(on_drive(FILES))


@pytest.mark.parametrize("answer", [b"", b"\x15\x03\x03\x00\x02\x02\x28", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"])
def test_a_handshake_that_the_server_breaks_off_is_an_error_of_the_network(
    make_board: MakeWorld, authority: trustme.CA, answer: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def break_off() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(answer)

        thread = threading.Thread(target=break_off, daemon=True)
        thread.start()
        port = f"127.0.0.1:{listener.getsockname()[1]}"
        world = make_board(Front({API: port, RAW: port}, Tally()), authority)
        world.commit(FILES)
        world.assign(on_github(world))
        unchanged(world, "later: ")
        assert world.errors()[0].split()[1] in ("tls", "connect")
        world.stop()
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        thread.join()


def test_the_front_counts_connections_that_are_open_at_once(public: Front, authority: trustme.CA) -> None:
    """Else `most_open == 1` above would say nothing."""
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    held = []
    for name in (*GITHUB, API):
        host, _, port = public.hosts[name].rpartition(":")
        held.append(context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=name))
    # With TLS 1.3 a client is done before its server: close nothing until the front has counted all.
    end = time.monotonic() + 30
    while sum(public.tally.handshakes.values()) < len(held) and time.monotonic() < end:
        time.sleep(0.01)
    for secure in held:
        secure.close()
    assert public.tally.most_open == 4
    assert public.tally.handshakes == {"github.com": 1, API: 2, RAW: 1}
