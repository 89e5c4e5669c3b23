"""The fault proxy does what it says, and a board behind a bad network reaches the release."""

import socket
import time
from collections.abc import Callable, Iterator

import board_side
import pytest
from origin import Origin
from proxy import Fault, Proxy
from scripted import ScriptedServer
from test_matrix import SOCKETPOOL

BODY = b"0123456789" * 50


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with ScriptedServer(lambda request: [BODY]) as server, Proxy(f"127.0.0.1:{server.port}") as made:
        yield made


def ask(proxy: Proxy, size: int = len(BODY)) -> tuple[bytes, float, list[int]]:
    """What comes back of the body, how long it took, and the sizes of the reads."""
    host, _, port = proxy.address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as client:
        client.settimeout(0.5)
        began = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        got, sizes = b"", []
        while len(got) < size and (data := client.recv(4096)):
            got += data
            sizes.append(len(data))
        return got, time.monotonic() - began, sizes


def test_without_a_fault_everything_passes(proxy: Proxy) -> None:
    assert ask(proxy)[0] == BODY


def test_latency_delays_either_way(proxy: Proxy) -> None:
    proxy.next(Fault(latency=0.1))
    assert ask(proxy)[1] >= 0.2


def test_a_rate_takes_its_time(proxy: Proxy) -> None:
    proxy.next(Fault(rate=1000, split=100))
    assert ask(proxy)[1] >= 0.45


def test_one_byte_a_packet(proxy: Proxy) -> None:
    proxy.next(Fault(split=1, latency=0.001))
    body, _, sizes = ask(proxy)
    assert body == BODY and len(sizes) > 20


def test_an_abort_after_some_bytes(proxy: Proxy) -> None:
    proxy.next(Fault(after=120))
    with pytest.raises(ConnectionResetError):
        ask(proxy)
    assert ask(proxy)[0] == BODY  # the next connection is whole again


@pytest.mark.parametrize("end", ["fin", "half"])
def test_a_truncation_after_some_bytes(proxy: Proxy, end: str) -> None:
    proxy.next(Fault(after=120, end=end))
    assert ask(proxy)[0] == BODY[:120]


def test_silence_after_some_bytes(proxy: Proxy) -> None:
    proxy.next(Fault(after=120, end="stall"))
    with pytest.raises(TimeoutError):
        ask(proxy)
    assert proxy.passed == [120]


def test_an_upstream_that_is_away_ends_the_connection(origin: Origin) -> None:
    with Proxy(origin.refused) as proxy:
        assert ask(proxy)[0] == b""


# Each is what every connection to the Git host meets.
NETWORKS = {
    "slow and in single bytes": Fault(split=1, rate=40_000),
    "with a latency of 100 ms": Fault(latency=0.1),
    "in packets of 7 bytes": Fault(split=7),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_an_update_through_a_bad_network_needs_no_second_try(network: str, origin: Origin, ota: Callable) -> None:
    with Proxy(origin.git) as proxy:
        proxy.always(NETWORKS[network])
        slug = "proxy-" + network.replace(" ", "-")
        origin.play(slug, "none", [], proxy.address)
        done = board_side.run(ota, {"slug": slug, "heals": True, "waits": False}, SOCKETPOOL, f"http://{origin.cloud}", proxy.address)
    assert (done["end"], done["errors"]) == ("done", [])


@pytest.mark.parametrize("end", ["rst", "fin", "half", "stall"])
def test_a_file_that_is_cut_at_any_place_goes_on_from_the_last_whole_block(end: str, origin: Origin, ota: Callable) -> None:
    with Proxy(origin.git) as proxy:
        # The first connection carries commit and listing, the second one two files; it ends at 3,000 bytes, amid the second file.
        proxy.next(Fault(), Fault(after=3000, end=end))
        slug = f"proxy-cut-{end}"
        record = origin.play(slug, "none", [], proxy.address)
        done = board_side.run(
            ota, {"slug": slug, "heals": True, "waits": end == "stall"}, SOCKETPOOL, f"http://{origin.cloud}", proxy.address
        )
    assert done["end"] == "done"
    assert [error[1] for error in done["errors"]] == ["timeout" if end == "stall" else "closed"]
    assert record.ranges() == ["", "bytes=2048-"]
    assert (record.count("commit"), record.count("tree"), record.count("other")) == (1, 1, 2)
