"""Watching: over the WebSocket, by polling, and until an update is done."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from front import Front
from operator_shell import PASSWORD, Shell
from waiting import until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from cota.lab.server import Lab, LabConfig, running_lab
from cota.thingsboard import Client, Json, id_of
from cota.thingsboard.boards import LIVE_KEYS, Board, boards_query
from cota.thingsboard.live import Watch

URL = "https://github.com/acme/app/tree/0123456789012345678901234567890123456789"
Unique = Callable[[str], str]
MakeDevice = Callable[..., Any]


def assign(tb: Client, profile: Json, title: str, version: str = "v1") -> None:
    tb.profiles.assign(id_of(profile), id_of(tb.packages.create_url(title, version, URL, id_of(profile))))


class Watcher:
    """A watch that runs on a thread, and what it said."""

    def __init__(self, client: Client, query: Json) -> None:
        self.watch = Watch(client, query, interval=0.2, tick=0.05)
        self.said: list[Board] = []
        self._stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for changed in self.watch.changes():
                self.said += changed
                if self._stop.is_set():
                    return
        except BaseException as error:
            self.error = error

    def states(self, name: str) -> list[str]:
        """The states that a board was seen in, without repetitions."""
        seen = [board.state for board in self.said if board.name == name]
        return [state for at, state in enumerate(seen) if at == 0 or seen[at - 1] != state]

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def watching() -> Iterator[Callable[..., Watcher]]:
    """Make watchers; at the end they are stopped."""
    made: list[Watcher] = []

    def make(client: Client, query: Json) -> Watcher:
        made.append(Watcher(client, query))
        return made[-1]

    yield make
    for watcher in made:
        watcher.stop()


@pytest.fixture
def operator(lab: Lab) -> Iterator[Client]:
    with Client(lab.url, username=lab.username, password=PASSWORD) as client:
        yield client


@pytest.fixture
def api_key(lab: Lab, operator: Client) -> str:
    body = {"userId": operator.user()["id"], "description": "test", "enabled": True, "expirationTime": 0}
    headers = {"X-Authorization": f"Bearer {operator.token}"}
    return str(httpx2.post(f"{lab.url}/api/apiKey", json=body, headers=headers).json()["value"])


def walk(device: Any, title: str, watcher: Watcher) -> None:
    """Let a board update, each state once the one before was seen."""
    until(lambda: watcher.states(device.name)[-1:] == ["INITIATED"])
    for state in ("DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING"):
        device.tell(fw_state=state)
        until(lambda state=state: watcher.states(device.name)[-1] == state)  # type: ignore[misc]
    device.tell(fw_state="UPDATED", fw_error="", current_fw_title=title, current_fw_version="v1")
    until(lambda: watcher.states(device.name)[-1] == "UPDATED")


ALL = ["INITIATED", "DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "UPDATED"]


def test_the_server_tells_each_state_by_itself(
    operator: Client, tb: Client, profile: Json, device: Any, unique: Unique, watching: Callable[..., Watcher], lab: Lab
) -> None:
    watcher = watching(operator, boards_query([profile["name"]]))
    until(lambda: watcher.states(device.name) == ["NONE"])
    assert watcher.watch.is_live
    before = lab.counters()["thingsboard"]["requests"]
    title = unique("app")
    assign(tb, profile, title)
    walk(device, title, watcher)
    assert [state for state in watcher.states(device.name) if state in ALL] == ALL
    # The assignment's three and a post for each state; the watcher itself asked for nothing.
    assert lab.counters()["thingsboard"]["requests"] - before <= 10
    assert watcher.error is None


def test_with_an_api_key_it_is_polled(
    lab: Lab, api_key: str, tb: Client, profile: Json, device: Any, unique: Unique, watching: Callable[..., Watcher]
) -> None:
    with Client(lab.url, api_key=api_key) as client:
        watcher = watching(client, boards_query([profile["name"]]))
        until(lambda: watcher.states(device.name) == ["NONE"])
        assert not watcher.watch.is_live
        assert "API key" in watcher.watch.why_not
        title = unique("app")
        assign(tb, profile, title)
        walk(device, title, watcher)
        watcher.stop()


def test_behind_a_front_that_passes_no_websocket_it_is_polled(
    front: Front, tb: Client, profile: Json, device: Any, unique: Unique, watching: Callable[..., Watcher], lab: Lab
) -> None:
    with Client(front.url, username=lab.username, password=PASSWORD) as client:
        watcher = watching(client, boards_query([profile["name"]]))
        title = unique("app")
        assign(tb, profile, title)
        walk(device, title, watcher)
        assert "WebSocket" in watcher.watch.why_not
        assert str(client.token) not in watcher.watch.why_not
        watcher.stop()


def test_a_server_that_restarts_is_waited_for(lab: Lab, tmp_path: Any, watching: Callable[..., Watcher]) -> None:
    path = tmp_path / "lab.db"
    with running_lab(LabConfig(db=path, password=PASSWORD)) as first:
        client = Client(first.url, username=first.username, password=PASSWORD)
        client.devices.create("one", token="token-one")
        watcher = watching(client, boards_query())
        until(lambda: watcher.states("one") == ["NONE"])
        port = first.port
    until(lambda: watcher.watch.why_not)
    assert watcher.error is None
    with running_lab(LabConfig(db=path, password=PASSWORD, port=port)) as second:
        with Client(second.url, username=second.username, password=PASSWORD) as other:
            other.devices.create("two", token="token-two")
        until(lambda: watcher.states("two") == ["NONE"], 40)
        watcher.stop()
    client.close()


def test_watching_until_done_ends_well_when_all_are_updated(
    cota: Shell, tb: Client, profile: Json, make_device: MakeDevice, unique: Unique
) -> None:
    devices, title = [make_device(), make_device()], unique("app")
    assign(tb, profile, title)

    def update() -> None:
        for device in devices:
            until(lambda device=device: device.shared().get("fw_title") == title)  # type: ignore[misc]
            device.tell(fw_state="DOWNLOADING")
            time.sleep(0.2)
            device.tell(fw_state="UPDATED", current_fw_title=title, current_fw_version="v1")

    thread = threading.Thread(target=update)
    thread.start()
    done = cota("watch", "--profile", profile["name"], "--until-done", "--timeout", "60", "--json")
    thread.join()
    assert done.code == 0, done.err
    ends = {line["device"]: line["state"] for line in done.lines}
    assert ends == {device.name: "UPDATED" for device in devices}
    assert "2 devices updated, 0 failed, 0 not done" in done.err


def test_what_a_line_would_repeat_is_told_once(cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique) -> None:
    title = unique("app")
    assign(tb, profile, title)
    until(lambda: device.shared().get("fw_title"))
    device.tell(fw_state="UPDATING")

    def live() -> None:
        for _ in range(5):
            time.sleep(0.3)
            device.tell(current_fw_title="before", current_fw_version="v0")  # seen just now, the same otherwise
        device.tell(fw_state="UPDATED", current_fw_title=title, current_fw_version="v1")

    thread = threading.Thread(target=live)
    thread.start()
    done = cota("watch", "--device", device.name, "--until-done", "--timeout", "60")
    thread.join()
    assert done.code == 0, done.err
    assert [line.split("  ")[2] for line in done.out.splitlines()] == ["UPDATING", "UPDATED"]


def test_watching_until_done_fails_with_the_reason(cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique) -> None:
    assign(tb, profile, unique("app"))
    until(lambda: device.shared().get("fw_title"))
    device.tell(fw_state="FAILED", fw_error="space the release does not fit on the drive: 900,000 bytes")
    done = cota("watch", "--device", device.name, "--until-done", "--timeout", "60")
    assert done.code == 1
    assert f"{device.name}: FAILED: space the release does not fit" in done.err
    assert "space: The message says how much is needed." in done.out
    line = done.out.splitlines()[0].split("  ")
    assert (line[1], line[2], line[3]) == (device.name, "FAILED", "100 %")


def test_time_that_is_up_is_a_failure_that_names_who_was_not_done(
    cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique
) -> None:
    title = unique("app")
    assign(tb, profile, title)
    start = time.monotonic()
    done = cota("watch", "--profile", profile["name"], "--until-done", "--timeout", "0.5")
    assert time.monotonic() - start < 20
    assert done.code == 1
    assert f"{device.name}: not done" in done.err
    assert f"of {title} v1" in done.err


def test_the_end_of_another_release_is_not_waited_for(cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique) -> None:
    title = unique("app")
    assign(tb, profile, title)
    until(lambda: device.shared().get("fw_title"))
    device.tell(fw_state="UPDATED", current_fw_title=title, current_fw_version="v1")
    name = profile["name"]
    assert cota("watch", "--profile", name, "--until-done", "--release", title, "v1", "--timeout", "20").code == 0
    done = cota("watch", "--profile", name, "--until-done", "--release", title, "v2", "--timeout", "0.5")
    assert done.code == 1
    assert f"{device.name}: not done, UPDATED of {title} v1" in done.err


def test_where_nothing_is_assigned_there_is_nothing_to_wait_for(cota: Shell, profile: Json, device: Any) -> None:
    done = cota("watch", "--profile", profile["name"], "--until-done")
    assert done.code == 1
    assert "nothing to wait for" in done.err


def test_a_terminal_gets_a_table(cota: Shell, tb: Client, profile: Json, device: Any, unique: Unique) -> None:
    title = unique("app")
    assign(tb, profile, title)
    until(lambda: device.shared().get("fw_title"))
    device.tell(fw_state="DOWNLOADING")
    cota.set(COLUMNS="200")
    done = cota("watch", "--profile", profile["name"], "--timeout", "0.5", terminal=True)
    assert done.code == 0
    assert "LAST SEEN" in done.out
    assert "DOWNLOADING" in done.out


def test_wrong_use_of_watch_is_said(cota: Shell, device: Any) -> None:
    assert cota("watch", "--profile", "a", "--device", "b").code == 2
    assert cota("watch", "--release", "a", "b").code == 2
    assert cota("watch", "--timeout", "0").code == 2
    assert cota("watch", "--device", "nobody").code == 1
    assert cota("watch", "--profile", "nobody").code == 1
    cota.set(COTA_PASSWORD="wrong")
    done = cota("watch")
    assert done.code == 2
    assert "Invalid username or password" in done.err


def test_ctrl_c_ends_watching_without_a_traceback(cota: Shell, device: Any) -> None:
    command = [sys.executable, "-c", "from cota.cli import main; main()", "watch", "--device", device.name, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["device"] == device.name
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (130, "cota: stopped.")


@pytest.fixture
def open_socket(lab: Lab) -> Iterator[Callable[..., ClientConnection]]:
    """Raw WebSockets of the lab."""
    with contextlib.ExitStack() as stack:

        def make(first: object = None, query: str = "") -> ClientConnection:
            socket = stack.enter_context(connect(f"ws{lab.url.removeprefix('http')}/api/ws{query}", proxy=None))
            if first is not None:
                socket.send(first if isinstance(first, bytes) else json.dumps(first))
            return socket

        yield make


def command(number: int, query: Json) -> Json:
    return {"type": "ENTITY_DATA", "cmdId": number, "query": query, "latestCmd": {"keys": LIVE_KEYS}}


def test_the_labs_websocket_answers_in_thingsboards_shape(
    open_socket: Callable[..., ClientConnection], operator: Client, profile: Json, device: Any
) -> None:
    sign_in = {"authCmd": {"cmdId": 0, "token": operator.token}, "cmds": [command(7, boards_query([profile["name"]]))]}
    by_address = open_socket({"cmds": sign_in["cmds"]}, f"?token={operator.token}")
    assert json.loads(by_address.recv(timeout=20))["cmdId"] == 7
    first = open_socket(sign_in)
    message = json.loads(first.recv(timeout=20))
    assert {name: message[name] for name in ("cmdId", "update", "errorCode", "errorMsg", "allowedEntities", "cmdUpdateType")} == {
        "cmdId": 7,
        "update": None,
        "errorCode": 0,
        "errorMsg": None,
        "allowedEntities": 10000,
        "cmdUpdateType": "ENTITY_DATA",
    }
    assert [line["entityId"]["id"] for line in message["data"]["data"]] == [device.id]
    device.tell(fw_state="DOWNLOADING")
    while True:
        message = json.loads(first.recv(timeout=20))
        (line,) = message["update"]
        if "TIME_SERIES" in line["latest"]:
            break
    assert message["data"] is None
    assert line["entityId"] == {"entityType": "DEVICE", "id": device.id}
    assert line["latest"]["TIME_SERIES"]["fw_state"]["value"] == "DOWNLOADING"
    assert list(line["latest"]["TIME_SERIES"]) == ["fw_state"]
    first.send(json.dumps({"cmds": [{"type": "ENTITY_DATA_UNSUBSCRIBE", "cmdId": 7}]}))
    first.send(json.dumps({"cmds": [command(8, boards_query(["nothing"]))]}))
    assert json.loads(first.recv(timeout=20))["cmdId"] == 8
    device.tell(fw_state="DOWNLOADED")
    with pytest.raises(TimeoutError):
        first.recv(timeout=0.3)


@pytest.mark.parametrize("first", [{}, {"authCmd": {"token": "nonsense"}}, {"authCmd": 3}, [], b"\x00\xff"])
def test_the_labs_websocket_closes_on_who_does_not_sign_in(open_socket: Callable[..., ClientConnection], first: object) -> None:
    with pytest.raises(ConnectionClosed) as caught:
        open_socket(first).recv(timeout=20)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_the_labs_websocket_survives_nonsense(open_socket: Callable[..., ClientConnection], operator: Client) -> None:
    socket = open_socket({}, f"?token={operator.token}")
    for text in ("", "[]", "{", '{"cmds": 3}', '{"cmds": [1, {}, {"cmdId": "x"}]}'):
        socket.send(text)
    socket.send(b"\x00")
    bad = [{"type": "NOPE", "cmdId": 1}, {"type": "ENTITY_DATA", "cmdId": 2, "query": {"entityFilter": {"type": "nope"}}}]
    socket.send(json.dumps({"cmds": bad}))
    for number in (1, 2):
        message = json.loads(socket.recv(timeout=20))
        assert (message["cmdId"], message["errorCode"]) == (number, 2)
        assert message["errorMsg"]
    socket.send("x" * 40000)
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=20)
