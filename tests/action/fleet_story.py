"""Two boards, a repository with tags, and runs of the action on them."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from composite import Ran, run_action

from cota.drive.tree import device_tree
from cota.lab.server import Lab
from cota.sim import Rack
from cota.thingsboard import Client, Json, id_of

PASSWORD = "correct horse"
MAIN = (device_tree() / "main.py").read_bytes()
GOOD = {"main.py": MAIN, "app.py": b"RELEASE = 'good'\n"}
BAD = {"main.py": b"raise ValueError('on a Sunday')\n" + MAIN, "app.py": b"RELEASE = 'bad'\n"}
REFUSED = {"main.py": b"def broken(:\n"}
CANARY, FIELD = "bench 1", "field-1"
PACE_SECONDS = 0.02
# The boards' clock: a poll each 20 s is one each second here, and three failed runs take seconds.
SPEED = 20.0
_SETTINGS = {"COTA_POLL_SECONDS": "20", "COTA_TRIAL_SECONDS": "40"}


@dataclass
class Story:
    """A fleet of two, and what the action did.

    Attributes:
        lab, client, profile: The server, an administrator, the boards' profile.
        checkout: The repository as the runner has it.
        commits: Tag -> its commit.
        runs: Runs of the action by what they were.
        profile_after: After each of them, the release that the profile has.
        rack: The boards.
    """

    lab: Lab
    client: Client
    profile: Json
    checkout: Path
    folder: Path
    rack: Rack
    commits: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Ran] = field(default_factory=dict)
    profile_after: dict[str, str | None] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The runner's environment; the `cota` under test is on its path."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COTA_", "XDG_", "GIT", "PYTHON"))}
        return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.folder)}

    def act(self, what: str, ref: str, **more: str) -> Ran:
        """Run the action for a tag."""
        inputs = {
            "url": self.lab.url,
            "username": self.lab.username,
            "password": PASSWORD,
            "canary": f"  {CANARY} \n\n",
            "ref": ref,
            "title": "weather",
            "look-seconds": "0.3",
            "canary-minutes": "1.2",
            "fleet-minutes": "1.2",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        self.runs[what] = run_action(self.checkout, self.folder / what.replace(" ", "-"), inputs, self.environment())
        self.profile_after[what] = self.version_of_profile()
        return self.runs[what]

    def version_of_profile(self) -> str | None:
        """The version that the profile has."""
        reference = self.client.profiles.get(id_of(self.profile)).get("firmwareId")
        packages = {id_of(one): str(one["version"]) for one in self.client.packages.list()}
        return packages[reference["id"]] if reference else None

    def telemetry(self, name: str) -> dict[str, object]:
        """A board's latest telemetry."""
        device = self.client.devices.need(name)
        return {key: sample.value for key, sample in self.client.telemetry.latest(id_of(device)).items()}


def put_boards(told: Story) -> None:
    host, _, port = told.lab.url.rpartition(":")
    for name in (CANARY, FIELD):
        told.client.devices.create(name, profile_id=id_of(told.profile), token=f"token-{name[:5]}")
        own = {"THINGSBOARD_URL": host, "THINGSBOARD_PORT": port, "THINGSBOARD_DEVICE_TOKEN": f"token-{name[:5]}"}
        board = told.rack.add(name, {**own, **_SETTINGS, "COTA_GIT_HOSTS": told.lab.url.partition("://")[2]})
        board.prepare(device_tree())


@contextlib.contextmanager
def powered(rack: Rack) -> Iterator[None]:
    """Power the boards in a loop of their own."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(rack.run(stop),), name="boards")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
