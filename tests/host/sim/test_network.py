"""wifi and socketpool: what a board's network does and refuses."""

import asyncio

from cota.sim import BoardOptions
from cota.sim.board import WIFI_PASSWORD, WIFI_SSID

from .conftest import MakeBench
from .servers import greet, hold, server

JOIN = f"""
import wifi, socketpool
def number(act, *args):
    try:
        act(*args)
        return 0
    except OSError as e:
        return e.errno
wifi.radio.connect({WIFI_SSID!r}, {WIFI_PASSWORD!r})
pool = socketpool.SocketPool(wifi.radio)
buf = bytearray(16)
"""


def test_the_radio_checks_its_arguments_and_refuses_what_is_not_there(bench: MakeBench) -> None:
    main = f"""
import wifi
def tell(*args, **named):
    try:
        wifi.radio.connect(*args, **named)
        print("joined", wifi.radio.connected)
    except (ValueError, TypeError, ConnectionError, RuntimeError) as e:
        print(type(e).__name__, e)
print(wifi.radio.connected, wifi.radio.ipv4_address, wifi.radio.ap_info, len(wifi.radio.mac_address))
tell(None, "x" * 8)
tell("", "x" * 8)
tell({WIFI_SSID!r}, "short")
tell({WIFI_SSID!r}, "x" * 65)
tell("elsewhere", {WIFI_PASSWORD!r})
tell({WIFI_SSID!r}, "wrong-password")
wifi.radio.enabled = False
tell({WIFI_SSID!r}, {WIFI_PASSWORD!r})
wifi.radio.enabled = True
tell({WIFI_SSID!r}, {WIFI_PASSWORD!r}, timeout=5)
print(wifi.radio.ipv4_address, wifi.radio.ap_info.rssi, wifi.radio.ap_info.ssid)
"""
    lines = bench({"main.py": main}).run_until().splitlines()
    assert lines[1] == "False None None 6"
    assert [line.split()[0] for line in lines[2:9]] == ["TypeError", *["ValueError"] * 3, *["ConnectionError"] * 2, "RuntimeError"]
    assert lines[9] == "joined True"
    assert lines[10].startswith("192.168.4.") and lines[10].endswith(" -58 cota-sim")


def test_bytes_arrive_and_the_end_of_the_stream_is_zero(bench: MakeBench) -> None:
    with server(greet) as port:
        main = (
            JOIN
            + f"""
info = pool.getaddrinfo("localhost", {port})
print(len(info), len(info[0]), info[0][-1])
with pool.socket(pool.AF_INET, pool.SOCK_STREAM) as s:
    s.settimeout(5)
    s.connect(("localhost", {port}))
    print("sent", s.send(b"hi"))
    got = 0
    while True:
        n = s.recv_into(memoryview(buf)[got:], 3)
        print("read", n)
        if not n: break
        got += n
    print(bytes(buf[:got]))
print("closed", number(s.send, b"x"))
"""
        )
        make = bench({"main.py": main})
        text = make.run_until()
    assert f"1 5 ('127.0.0.1', {port})" in text and "sent 2" in text
    assert "b'hello'" in text and "read 0" in text and "closed 9" in text
    assert make.board.network() == {f"localhost:{port}": [1, 5, 2]}


def test_silence_ends_in_etimedout_and_a_closed_port_in_econnrefused(bench: MakeBench) -> None:
    with server(hold) as port:
        main = (
            JOIN
            + f"""
s = pool.socket()
s.settimeout(0.2)
s.connect(("127.0.0.1", {port}))
print("silent", number(s.recv_into, buf))
s.setblocking(False)
print("nothing yet", number(s.recv_into, buf))
s.close()
s.close()
s = pool.socket()
print("refused", number(s.connect, ("127.0.0.1", 1)))
"""
        )
        text = bench({"main.py": main}).run_until()
    assert "silent 116" in text and "nothing yet 11" in text and "refused 111" in text


def test_a_name_that_does_not_resolve_is_a_gaierror(bench: MakeBench) -> None:
    main = (
        JOIN
        + """
for act in (lambda: pool.getaddrinfo("no-such-host.invalid", 80), lambda: pool.socket().connect(("no-such-host.invalid", 80))):
    try:
        act()
    except pool.gaierror as e:
        print("gaierror", isinstance(e, OSError), e.errno)
"""
    )
    assert bench({"main.py": main}).run_until().count("gaierror True -2") == 2


def test_there_is_no_network_before_the_radio_has_joined(bench: MakeBench) -> None:
    main = (
        JOIN.replace("wifi.radio.connect", "(lambda *a: None)")
        + """
print("connect", number(pool.socket().connect, ("127.0.0.1", 1)))
print("name", number(pool.getaddrinfo, "localhost", 80))
"""
    )
    text = bench({"main.py": main}).run_until()
    assert "connect 118" in text and "name -2" in text


def test_the_board_has_few_sockets(bench: MakeBench) -> None:
    main = (
        JOIN
        + """
held = []
try:
    while True: held.append(pool.socket())
except RuntimeError as e:
    print(len(held), e)
held.pop().close()
pool.socket()
print("one more")
try: socketpool.SocketPool(None)
except TypeError: print("no radio")
"""
    )
    text = bench({"main.py": main}).run_until()
    assert "8 Out of sockets" in text and "one more" in text and "no radio" in text


def test_a_board_can_serve_too(bench: MakeBench) -> None:
    main = (
        JOIN
        + """
listener = pool.socket()
listener.setsockopt(pool.SOL_SOCKET, pool.SO_REUSEADDR, 1)
for port in range(18080, 18180):
    if number(listener.bind, ("127.0.0.1", port)) == 0: break
listener.listen(1)
listener.settimeout(5)
client = pool.socket()
client.connect(("127.0.0.1", port))
conn, peer = listener.accept()
client.sendall(b"ping")
n = conn.recv_into(buf)
print("served", bytes(buf[:n]), peer[0])
"""
    )
    assert "served b'ping' 127.0.0.1" in bench({"main.py": main}).run_until()


def test_an_outage_is_seen_by_the_radio_and_by_open_sockets_and_it_ends(bench: MakeBench) -> None:
    with server(greet) as port:
        main = (
            JOIN
            + f"""
import time
s = pool.socket()
s.settimeout(0.2)
s.connect(("127.0.0.1", {port}))
print("up")
while wifi.radio.connected: time.sleep(0.01)
print("stalled", number(s.send, b"x"))
try: wifi.radio.connect({WIFI_SSID!r}, {WIFI_PASSWORD!r})
except ConnectionError as e: print(e)
print("new", number(pool.socket().connect, ("127.0.0.1", {port})))
print("down")
while True:
    try:
        wifi.radio.connect({WIFI_SSID!r}, {WIFI_PASSWORD!r})
        break
    except ConnectionError: time.sleep(0.01)
s = pool.socket()
s.connect(("127.0.0.1", {port}))
s.send(b"x")
print("again", s.recv_into(buf))
"""
        )
        make = bench({"main.py": main})

        async def outage() -> None:
            make.board.start()
            await make.until("up")
            make.board.set_network(up=False)
            await make.until("down")
            make.board.set_network(up=True)
            await make.until("again 5")
            await make.board.stop()

        asyncio.run(outage())
    assert "stalled 116" in make.text and "No network with that ssid" in make.text and "new 118" in make.text


def test_a_name_can_stand_for_a_server_on_this_machine(bench: MakeBench) -> None:
    with server(greet) as port:
        main = (
            JOIN
            + """
where = pool.getaddrinfo("github.com", 443)[0][-1]
print(where)
for address in (where, ("github.com", 443)):
    with pool.socket() as s:
        s.connect(address)
        s.send(b"x")
        print("said", s.recv_into(buf))
"""
        )
        make = bench({"main.py": main}, options=BoardOptions(hosts={"github.com": f"127.0.0.1:{port}"}))
        text = make.run_until()
    assert "('192.0.2.1', 443)" in text and text.count("said 5") == 2
    assert make.board.network() == {"github.com:443": [2, 10, 2]}


def test_network_counts_of_each_run_are_added_and_survive_a_reset_and_a_power_cut(bench: MakeBench) -> None:
    with server(greet) as port:
        main = (
            JOIN
            + f"""
import supervisor, microcontroller
def talk():
    with pool.socket() as s:
        s.connect(("127.0.0.1", {port}))
        s.send(b"ab")
        s.recv_into(buf)
talk()
microcontroller.nvm[0] = (microcontroller.nvm[0] + 1) % 256
if microcontroller.nvm[0] == 0: supervisor.reload()
if microcontroller.nvm[0] == 1: microcontroller.reset()
print("three")
while True: pass
"""
        )
        make = bench({"main.py": main})
        make.run_until("three")
    assert make.board.network() == {f"127.0.0.1:{port}": [3, 15, 6]}
    assert (make.board.folder / "network.jsonl").read_text().count("\n") == 3
