"""A lab with boards in it, as far as a server sees boards; and an operator's page as plain HTTP."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from browser import until

from cota.lab.core import Core, Timing
from cota.lab.data.store import Store
from cota.lab.data.values import Sample, encode
from cota.lab.server import Lab
from cota.page.server import PageServer
from cota.thingsboard import Client, id_of

PASSWORD = "correct horse"
NOBODY = "00000000-0000-0000-0000-000000000000"  # the id of no device
URL = "https://github.com/acme/weather/tree/"


class Board:
    """What a server sees of a board."""

    def __init__(self, http: httpx2.Client, name: str, token: str, device_id: str) -> None:
        self.name, self.id = name, device_id
        self._http, self._path = http, f"/api/v1/{token}"

    def say(self, **telemetry: str) -> None:
        """Send telemetry."""
        assert self._http.post(f"{self._path}/telemetry", json=telemetry).status_code == 200

    def tell(self, **attributes: Any) -> None:
        """Send client attributes."""
        assert self._http.post(f"{self._path}/attributes", json=attributes).status_code == 200

    def hears(self, *keys: str) -> dict[str, Any]:
        """Return shared attributes as the board gets them."""
        found: dict[str, Any] = self._http.get(f"{self._path}/attributes", params={"sharedKeys": ",".join(keys)}).json()
        return dict(found.get("shared", {}))

    def runs(self, title: str, version: str) -> None:
        """Report a release as running."""
        self.say(current_fw_title=title, current_fw_version=version, fw_state="UPDATED", fw_error="")


class Farm:
    """The lab's administrator, and what he made."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.client = Client(lab.url, username=lab.username, password=PASSWORD)
        self.http = httpx2.Client(base_url=lab.url, timeout=30)
        self.profile = ""

    def plant(self) -> None:
        """Make what every test finds: a profile with a package."""
        self.profile = id_of(self.client.profiles.create("greenhouse"))
        # What every board is assigned from the start: where nothing is, a state means nothing.
        self.client.profiles.assign(self.profile, self.package("v1.0.0"))

    def clear(self) -> None:
        """Take out all that a test made."""
        for device in list(self.client.devices.infos()):
            self.client.devices.delete(id_of(device))
        for profile in self.client.profiles.list():
            if not profile.get("default"):
                self.client.profiles.delete(id_of(profile))  # and with it its packages
        for package in list(self.client.packages.list()):
            self.client.packages.delete(id_of(package))

    def close(self) -> None:
        self.client.close()
        self.http.close()

    def board(self, name: str, **more: Any) -> Board:
        """Make a device."""
        profile, token = more.pop("profile", self.profile), f"token-{name.encode().hex()}"[:60]
        made = self.client.devices.create(name, profile_id=profile, token=token, **more)
        board = Board(self.http, name, token, id_of(made))
        if profile == self.profile:
            # What the server writes while it announces the release would come after what a test lets the board say.
            until(lambda: "fw_url" in board.hears("fw_url"), "the board is told")
        return board

    def seen(self, board: Board) -> int:
        """Return when a board was assigned, as an operator's page knows it."""
        return int(str(self.client.telemetry.latest(board.id, ["target_fw_ts"])["target_fw_ts"].value))

    def boards(self, count: int) -> list[Board]:
        """Make devices board-1, board-2, …"""
        return [self.board(f"board-{number}") for number in range(1, count + 1)]

    def package(self, version: str, title: str = "weather") -> str:
        """Make a URL package and return its id."""
        return id_of(self.client.packages.create_url(title, version, URL + version, self.profile))

    def assigned(self, board: Board) -> str | None:
        """Return the package that a device has of its own."""
        found = self.client.devices.get(board.id)["firmwareId"]
        return None if found is None else str(found["id"])


class Page:
    """The page without a browser: its cookie, its token, its routes."""

    def __init__(self, url: str, local_address: str | None = None) -> None:
        self.http = httpx2.Client(base_url=url, timeout=30, transport=httpx2.HTTPTransport(local_address=local_address))
        self.token = self.http.get("/page/api/session").json()["csrf"]

    def close(self) -> None:
        self.http.close()

    def post(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        """POST with the token."""
        return self.http.post(f"/page/api/{path}", json=body, headers={"X-CSRF-Token": self.token, **headers})

    def get(self, path: str, **params: str) -> httpx2.Response:
        return self.http.get(f"/page/api/{path}", params=params)

    def log_in(self, username: str, password: str = PASSWORD) -> httpx2.Response:
        """Log in, and take the new token."""
        answer = self.post("login", {"username": username, "password": password})
        if answer.status_code == 200:
            self.token = answer.json()["csrf"]
        return answer

    def events(self, last: str = "") -> Iterator[tuple[str, dict[str, Any], str]]:
        """Yield the stream's events: name, data, id."""
        with self.http.stream("GET", "/page/api/stream", headers={"Last-Event-ID": last} if last else {}) as answer:
            assert answer.status_code == 200, answer.read()
            name, number = "", ""
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name, number = value, ""
                elif field == "id":
                    number = value
                elif field == "data":
                    yield name, json.loads(value), number


@contextlib.contextmanager
def serving(server: PageServer) -> Iterator[PageServer]:
    """Run a page of its own for a block."""
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        until(lambda: server.started, "the page answers")
        yield server
    finally:
        server.stop()
        thread.join(20)
    assert not thread.is_alive()


def crowd(path: Path, count: int, *, wave: bool = False) -> None:
    """Write a lab's database with so many devices, in the course of one wave or not; far faster than asking the lab for each."""
    store = Store(path)
    core = Core(store, Timing())
    assigned = 1_700_000_000_000
    with store.unit():
        for number in range(count):
            device = core.devices.save({"name": f"board-{number + 1}"})
            shared = {"fw_title": "weather", "fw_version": "v2.0.0"}
            core.attributes.save(device, "SHARED_SCOPE", [(key, encode(value)) for key, value in shared.items()], assigned)
            said = {"fw_state": "UPDATED", "current_fw_title": "weather", "current_fw_version": f"v1.{number % 7}.0"}
            told = {"target_fw_title": "weather", "target_fw_version": "v2.0.0", "target_fw_ts": assigned} if wave else {}
            samples = [Sample(assigned, key, encode(value)) for key, value in told.items()]
            samples += [Sample(assigned + 1000 + number, key, encode(value)) for key, value in said.items()]
            core.timeseries.save(device, samples)
    store.commit()
    store.close()
