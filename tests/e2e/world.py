"""One board, its server and its Git host as a test sees them: real parts, and calls that wait."""

import asyncio
import contextlib
import hashlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from cota.drive.tree import device_tree
from cota.errors import CotaError
from cota.git.make import Files, commit_tree, create_repository
from cota.lab.server import Lab
from cota.sim.board import Board, BoardOptions
from cota.sim.profiles import find_profile
from cota.sim.volume import FRESH_FILES, run_script
from cota.thingsboard import Client, Json, id_of

# The end of a wait that only a defect reaches; a board's first retry comes after 15 to 30 seconds.
PATIENCE_SECONDS = 45
_LOOK_SECONDS = 0.03
_CONSOLE_LINES = 25
# Not the release's, and not what an update may be judged by: the updater's own folder, and the file that CircuitPython writes.
_NOT_JUDGED = ("cota_sys/", "boot_out.txt")
# A day in milliseconds: the end of a question for history.
_DAY_MS = 86_400_000

Digests = dict[str, tuple[int, str]]


def digest(data: bytes) -> tuple[int, str]:
    """What `World.drive` says of a file with these bytes."""
    return len(data), hashlib.sha256(data).hexdigest()


def digests(files: Mapping[str, bytes]) -> Digests:
    """What `World.drive` says of these files."""
    return {path: digest(data) for path, data in files.items()}


def judged(files: Digests) -> Digests:
    """Those files of a drive that an update is judged by."""
    return {path: found for path, found in files.items() if not path.startswith(_NOT_JUDGED)}


def standing(files: Digests) -> Digests:
    """Those files of a drive that an update leaves alone."""
    stays = {*FRESH_FILES, "main.py", "boot.py", "safemode.py", "settings.toml"}
    return {path: found for path, found in files.items() if path in stays or path.startswith("lib/")}


class World:
    """A board with the real device tree in a lab, and a Git repository that the lab shows.

    The board is off until `start`. Releases are assigned to the device itself; `assign(package, to="profile")` goes through its profile.

    Args:
        lab: A lab that runs; many worlds may share it.
        client: Signed in to it.
        repositories: The lab's own mapping of repositories, to which the world adds one.
        folder: Where board and repository go.
        name: The device's name, one of its kind in the lab; also the releases' title.
        settings: Keys of settings.toml besides or in place of the world's own.
        options: What surrounds the board.
        profile: What kind of board it is.
        extra: Files of the drive besides the device tree, or in place of its own.
        cloud: `host:port` that the board asks for ThingsBoard; None is the lab itself.
        git: `host:port` that fw_url names and COTA_GIT_HOSTS allows; None is the lab itself.

    Attributes:
        lab, client, board, name, device_id, profile_id: What the names say.
        token: The device's access token.
        repository: Path of the Git repository, empty at first.
        lines: The board's console.
        damaged: True where a test cut the power in the midst of writes, so that lost clusters are no defect.
    """

    def __init__(
        self,
        lab: Lab,
        client: Client,
        repositories: dict[str, Path],
        folder: Path,
        name: str,
        *,
        settings: Mapping[str, str] | None = None,
        options: BoardOptions | None = None,
        profile: str = "pico-w",
        extra: Mapping[str, bytes] | None = None,
        cloud: str | None = None,
        git: str | None = None,
    ) -> None:
        self.lab, self.client, self.name = lab, client, name
        self.repository = create_repository(folder / "repository")
        repositories[f"acme/{name}"] = self.repository
        own = lab.url.partition("://")[2]
        self.token = f"token-of-{name}"
        self.git = git or own
        self.profile_id = id_of(client.profiles.create(f"boards-of-{name}"))
        self.device_id = id_of(client.devices.create(name, profile_id=self.profile_id, token=self.token))
        host, _, port = (cloud or own).rpartition(":")
        base = {
            "THINGSBOARD_URL": f"http://{host}",
            "THINGSBOARD_PORT": port,
            "THINGSBOARD_DEVICE_TOKEN": self.token,
            "COTA_POLL_SECONDS": "1",
            "COTA_TRIAL_SECONDS": "0",
            "COTA_GIT_HOSTS": self.git,
        }
        self.lines: list[str] = []
        self.damaged = False
        self._versions = 0
        self._since = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"boards of {name}", daemon=True)
        self._thread.start()
        kind = find_profile(profile)
        self.board = Board(folder / "board", name, kind, {**base, **(settings or {})}, options=options, listener=self.lines.append)
        self.board.prepare(device_tree(), extra)
        self._base = standing(self.board.files())

    # Releases.

    def commit(self, files: Files, branch: str | None = None) -> str:
        """Commit exactly these files and give the commit's id."""
        return commit_tree(self.repository, files, branch=branch)

    def url(self, ref: str | None = None, folder: str = "") -> str:
        """The fw_url of a ref and a folder; without a ref that of the repository, which is its branch `main`."""
        address = f"http://{self.git}/acme/{self.name}"
        return address if ref is None else f"{address}/tree/{ref}" + (f"/{folder}" if folder else "")

    def package(self, url: str, version: str | None = None, title: str | None = None) -> Json:
        """Make a package with this URL, with a version of its own."""
        self._versions += 1
        return self.client.packages.create_url(title or self.name, version or f"v{self._versions}", url, self.profile_id)

    def publish(self, files: Files, folder: str = "", version: str | None = None) -> Json:
        """Commit these files and make a package for the commit."""
        return self.package(self.url(self.commit(files), folder), version)

    def assign(self, package: Json | None, to: str = "device") -> None:
        """Assign a package to the device or to its profile; None takes it away. `states` and `errors` tell what came after this."""
        self._since = int(time.time() * 1000)
        if to == "profile":
            self.client.profiles.assign(self.profile_id, None if package is None else id_of(package))
        else:
            self.client.devices.assign(self.device_id, None if package is None else id_of(package))

    def set_retry(self, value: str) -> None:
        """Set the shared attribute cota_retry."""
        self.client.telemetry.write_shared(self.device_id, {"cota_retry": value})

    def deliver(self, files: Files, folder: str = "", patience: float = PATIENCE_SECONDS) -> str:
        """Publish, assign, start the board where it is off, wait for UPDATED; gives the version."""
        package = self.publish(files, folder)
        self.install(package, patience)
        return str(package["version"])

    def install(self, package: Json, patience: float = PATIENCE_SECONDS) -> None:
        """Assign a package, start the board where it is off, and wait for UPDATED."""
        self.assign(package)
        if self.board.phase == "off":
            self.start()
        self.wait_for("UPDATED", str(package["version"]), patience)

    # Power.

    def start(self) -> None:
        """Switch the board on."""
        self._call(self._start())

    def stop(self) -> None:
        """Switch the board off, and wait until it is."""
        self._call(self.board.stop())

    def restart(self) -> None:
        """Switch the board off and on."""
        self.stop()
        self.start()

    def press(self, button: Callable[[], None]) -> None:
        """Press a button or key of the board: one of its methods, called where the board lives."""
        self._loop.call_soon_threadsafe(button)

    async def _start(self) -> None:
        self.board.start()
        self.board.phase = "boot"  # it is on, although its task has not run yet

    def close(self) -> None:
        """Switch the board off for good; its drive stays."""
        try:
            self.stop()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    # What is seen.

    def telemetry(self) -> dict[str, Any]:
        """The latest telemetry, by key."""
        return {key: sample.value for key, sample in self.client.telemetry.latest(self.device_id).items()}

    def attributes(self) -> dict[str, Any]:
        """The client attributes, by key."""
        return dict(self.client.telemetry.attributes(self.device_id, "CLIENT_SCOPE"))

    def states(self) -> list[str]:
        """Every fw_state since the last `assign`, in order."""
        return self._history("fw_state")

    def errors(self) -> list[str]:
        """Every fw_error since the last `assign` that is not empty, in order."""
        return [text for text in self._history("fw_error") if text]

    def _history(self, key: str) -> list[str]:
        found = self.client.telemetry.history(self.device_id, [key], self._since, self._since + _DAY_MS)
        return [str(sample.value) for sample in found.get(key, [])]

    def said(self) -> str:
        """The console."""
        return "\n".join(self.lines)

    def wait_until(self, is_so: Callable[[], bool], what: str, patience: float = PATIENCE_SECONDS) -> None:
        """Wait until something is so; the test fails with the board's last words where it never is."""
        end = time.monotonic() + patience

        def is_so_now() -> bool:
            # A drive that the board is writing to may not be readable at this instant.
            with contextlib.suppress(CotaError):
                return is_so()
            return False

        while not is_so_now():
            if time.monotonic() > end:
                console = "\n".join(self.lines[-_CONSOLE_LINES:])
                pytest.fail(f"{what}: not so after {patience} s\ntelemetry: {self.telemetry()}\nconsole:\n{console}")
            time.sleep(_LOOK_SECONDS)

    def wait_for(self, state: str, version: str, patience: float = PATIENCE_SECONDS) -> None:
        """Wait until the device shows this fw_state for this version; FAILED or UPDATED in its place ends the test."""

        def is_there() -> bool:
            seen = self.telemetry()
            if str(seen.get("target_fw_version")) != version:
                return False
            ends = {"FAILED", "UPDATED"} - {state}
            if seen.get("fw_state") in ends and (seen["fw_state"] == "FAILED" or str(seen.get("current_fw_version")) == version):
                pytest.fail(f"{state} was expected of {version}, it {seen['fw_state']}: {seen.get('fw_error')}")
            is_it = seen.get("fw_state") == state
            return is_it and (state != "UPDATED" or str(seen.get("current_fw_version")) == version)

        self.wait_until(is_there, f"{state} of {version}", patience)

    def wait_for_error(self, start: str) -> str:
        """Wait for an fw_error, since the last `assign`, that starts so; gives it."""
        self.wait_until(lambda: any(text.startswith(start) for text in self.errors()), f"fw_error {start!r}")
        return next(text for text in self.errors() if text.startswith(start))

    def wait_for_complaints(self, count: int) -> None:
        """Wait until the board's program has told so many failures on its console."""
        self.wait_until(lambda: sum(line.startswith("update: ") and line[-1] != "%" for line in list(self.lines)) >= count, "complaints")

    def wait_for_line(self, part: str, times: int = 1) -> None:
        """Wait until so many lines of the console hold this text."""
        self.wait_until(lambda: sum(part in line for line in list(self.lines)) >= times, f"console line {part!r} ({times})")

    def wait_polls(self, count: int) -> None:
        """Wait until the board has asked ThingsBoard so many times more."""
        end = self.requests()["thingsboard"] + count
        self.wait_until(lambda: self.requests()["thingsboard"] >= end, f"{count} polls")

    # The drive.

    def drive(self) -> Digests:
        """Every file of the drive but the updater's own and boot_out.txt: path -> (length, SHA-256)."""
        return judged(self.board.files())

    def whole(self, files: Mapping[str, bytes]) -> Digests:
        """What `drive` must say where the drive holds this release: its files, and what an update leaves alone."""
        return {**self._base, **digests(files)}

    def folders(self) -> set[str]:
        """Every folder of the drive."""
        request = json.dumps({"image": str(self.board.volume.path), "steps": [["list"]]})
        done = run_script(self.board.vm, "volume_tool", request, None)
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["folder"')]
        return {row[1].strip("/") for row in rows}

    def requests(self) -> dict[str, int]:
        """Requests that the lab has answered, by "thingsboard", "git-api", "git-raw", "git-web"."""
        return {kind: count["requests"] for kind, count in self.lab.counters().items()}

    def check_volume(self) -> None:
        """Fail unless fsck.fat, where there is one, finds the drive whole."""
        if shutil.which("fsck.fat") and self.board.volume.path.is_file():
            done = subprocess.run(["fsck.fat", "-n", str(self.board.volume.path)], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.fail(f"fsck.fat finds faults on the drive of {self.name}:\n{done.stdout}{done.stderr}")
