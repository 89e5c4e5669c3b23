"""The demo's course: a lab, boards, two releases assigned one after the other, and the proof on the drives."""

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cota.demo.release import Release, differences, read_release, room_needed
from cota.drive.tree import device_tree, drive_files
from cota.errors import CotaError
from cota.lab.server import Lab, LabConfig, running_lab
from cota.sim.board import Board
from cota.sim.power import PowerCuts
from cota.sim.profiles import PROFILES, Profile
from cota.sim.rack import Rack
from cota.thingsboard import Client, fleet_query, id_of
from cota.thingsboard.boards import PERCENT

Event = dict[str, Any]

_PROFILE = "demo-boards"
_PACE_SECONDS = 0.05  # between two devices of the lab's queue; ThingsBoard's own is 0.6
_LOOK_SECONDS = 0.2
_STUCK_SECONDS = 90  # without any change on any board; a board's own retries start at 15 s
_PROGRESS = re.compile(r"update: (\d+) %")
# Runs the update loop on boards whose release brings a program without one; lib/ stays on the drive through an update.
LOOP_FILE = "lib/cota_demo.py"


@dataclass(frozen=True)
class Plan:
    """What the demo is asked to do.

    Attributes:
        repository: Path of the Git repository.
        name: What the lab calls it.
        before, after: The two releases.
        folder: Their folder in the repository.
        profile: The kind of board.
        devices: How many boards.
        directory: Where the boards' drives and logs go.
        tree: The device tree.
    """

    repository: Path
    name: str
    before: Release
    after: Release
    folder: str
    profile: Profile
    devices: int
    directory: Path
    tree: Path


@dataclass
class Outcome:
    """How it ended.

    Attributes:
        updated: Boards that hold the release, byte for byte.
        failed: Board -> what is wrong.
        requests: Requests of the update wave, by service.
        bytes_down: Bytes that the lab sent to the boards in the update wave.
        cuts: Power cuts of all boards, in both waves.
    """

    updated: list[str] = field(default_factory=list)
    failed: dict[str, list[str]] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    bytes_down: int = 0
    cuts: int = 0


def make_plan(repository: Path, before: str, after: str, folder: str, devices: int, directory: Path, board: str | None) -> Plan:
    """Read both releases and choose the smallest board that has room for them.

    Raises:
        CotaError: a release cannot be read, or fits no board.
    """
    releases = read_release(repository, before, folder), read_release(repository, after, folder)
    tree = device_tree()
    base = drive_files(tree)
    choice = [profile for profile in PROFILES.values() if board in (None, profile.name)]
    choice.sort(key=lambda profile: profile.drive_bytes)
    needs = {profile.name: max(room_needed(release, base, profile.cluster) for release in releases) for profile in choice}
    for profile in choice:
        if needs[profile.name] <= profile.drive_bytes:
            name = re.sub(r"[^A-Za-z0-9._-]", "-", repository.resolve().name.removesuffix(".git")).strip(".") or "repository"
            return Plan(repository, name, *releases, folder.strip("/"), profile, devices, directory, tree)
    sizes = "\n".join(f"  {profile.name}: {needs[profile.name]:,} bytes needed, {profile.drive_bytes:,} on the drive" for profile in choice)
    raise DoesNotFitError(
        f"The release does not fit on a board, live and staged:\n{sizes}", "Leave files out with .cotaignore or --folder."
    )


class DoesNotFitError(CotaError):
    """The answer is no: no board has room for the release."""


class Demo:
    """One demo. `tell` gets an event, a dict with `event` and more, for each thing that happens; `cuts` befall the boards."""

    def __init__(self, plan: Plan, tell: Callable[[Event], None], cuts: PowerCuts | None = None) -> None:
        self._plan = plan
        self._cuts = cuts
        self._tell = tell
        self._percent: dict[str, int] = {}
        self._shown: dict[str, tuple[Any, ...]] = {}
        self._changed = time.monotonic()

    def run(self) -> Outcome:
        """Do it all; raises CotaError where the environment does not allow it."""
        config = LabConfig(db=None, repositories={f"demo/{self._plan.name}": self._plan.repository}, ota_pace=_PACE_SECONDS)
        with running_lab(config) as lab, Client(lab.url, username=lab.username, password=lab.password) as client:
            return asyncio.run(self._course(lab, client))

    async def _course(self, lab: Lab, client: Client) -> Outcome:
        plan = self._plan
        self._tell({"event": "lab", "url": lab.url})
        profile_id = id_of(client.profiles.create(_PROFILE))
        rack = self._rack(lab.url, client, profile_id)
        outcome = Outcome()
        self._tell(
            {"event": "boards", "devices": plan.devices, "board": plan.profile.name, "vm": rack.vm.kind, "directory": str(plan.directory)}
        )
        if self._cuts is not None:
            self._tell({"event": "note", "text": f"The power of the boards is cut at random; --seed {self._cuts.seed} repeats it."})
        stop = asyncio.Event()
        power = asyncio.create_task(rack.run(stop, self._cuts))
        try:
            if await self._wave("install", plan.before, lab, client, profile_id, rack, outcome, power):
                start = lab.counters()
                await self._wave("update", plan.after, lab, client, profile_id, rack, outcome, power)
                outcome.requests = {name: count["requests"] - start[name]["requests"] for name, count in lab.counters().items()}
                outcome.bytes_down = sum(count["bytes_out"] - start[name]["bytes_out"] for name, count in lab.counters().items())
            else:
                for name in rack.boards:
                    outcome.failed.setdefault(name, ["not updated: the first install failed on another board"])
        finally:
            stop.set()
            await power
        outcome.cuts = 0 if self._cuts is None else self._cuts.count
        self._prove(rack, outcome)
        return outcome

    def _rack(self, url: str, client: Client, profile_id: str) -> Rack:
        plan = self._plan
        rack = Rack(plan.directory, plan.profile, listener=self._hear)
        address, _, port = url.rpartition(":")
        loop = not (plan.before.updates_itself and plan.after.updates_itself)
        for number in range(1, plan.devices + 1):
            name = f"board-{number}"
            token = secrets.token_urlsafe(15)
            client.devices.create(name, profile_id=profile_id, token=token)
            settings = {
                "THINGSBOARD_URL": address,
                "THINGSBOARD_PORT": port,
                "THINGSBOARD_DEVICE_TOKEN": token,
                "COTA_POLL_SECONDS": "1",
                "COTA_TRIAL_SECONDS": "1",
                # The guard runs the release's own program, not the demo's loop in its place.
                **({"COTA_GUARD": "off"} if loop else {}),
                "COTA_GIT_HOSTS": url.partition("://")[2],
            }
            board = rack.add(name, settings)
            extra = {LOOP_FILE: (plan.tree / "main.py").read_bytes()} if loop else {}
            board.prepare(plan.tree, extra)
            if loop:
                board.program = LOOP_FILE
        if loop:
            self._tell({"event": "note", "text": "The release's program has no update loop; the boards run cOTA's own in its place."})
        return rack

    async def _wave(
        self,
        name: str,
        release: Release,
        lab: Lab,
        client: Client,
        profile_id: str,
        rack: Rack,
        outcome: Outcome,
        power: "asyncio.Task[None]",
    ) -> bool:
        """Assign a release and watch the boards until each has ended; True if all are on it."""
        plan = self._plan
        url = f"{lab.url}/demo/{plan.name}/tree/{release.commit}" + (f"/{plan.folder}" if plan.folder else "")
        version = f"{name}-{release.commit[:10]}"
        package = client.packages.create_url(plan.name, version, url, profile_id)
        client.profiles.assign(profile_id, id_of(package))
        self._tell({"event": "assigned", "wave": name, "title": plan.name, "version": version, "url": url})
        self._percent.clear()
        self._shown.clear()
        self._changed = time.monotonic()
        query = fleet_query([_PROFILE])
        while True:
            ended = self._look(list(client.fleet.find(query)), version, outcome)
            if len(ended) == len(rack.boards):
                return not outcome.failed
            if power.done():
                await power  # a board that cannot run raises here
            if time.monotonic() - self._changed > _STUCK_SECONDS:
                for board in rack.boards.values():
                    if board.name not in ended:
                        outcome.failed[board.name] = [f"nothing new for {_STUCK_SECONDS} s; its console ends with: {_last_lines(board)}"]
                return False
            await asyncio.sleep(_LOOK_SECONDS)

    def _look(self, members: list[Any], version: str, outcome: Outcome) -> set[str]:
        """Tell what has changed on the boards; gives those that have ended."""
        ended = set()
        for member in members:
            values = member.telemetry
            state, target = values.get("fw_state", ""), values.get("target_fw_version")
            if target != version:
                state = ""
            percent = PERCENT.get(state, 0)
            if state == "DOWNLOADING":  # the download fills the gap up to the next state
                percent += self._percent.get(member.name, 0) * (PERCENT["DOWNLOADED"] - percent) // 100
            problem = values.get("fw_error", "")
            shown = (state, percent, problem)
            if self._shown.get(member.name) != shown:
                self._shown[member.name] = shown
                self._changed = time.monotonic()
                self._tell({"event": "state", "device": member.name, "state": state or "WAITING", "percent": percent, "error": problem})
            if state == "FAILED":
                outcome.failed[member.name] = [problem]
                ended.add(member.name)
            elif state == "UPDATED" and values.get("current_fw_version") == version:
                ended.add(member.name)
        return ended

    def _hear(self, board: str, line: str) -> None:
        found = _PROGRESS.search(line)
        if found:
            self._percent[board] = int(found[1])

    def _prove(self, rack: Rack, outcome: Outcome) -> None:
        """Read each drive and compare it with the repository, byte for byte."""
        for board in rack.boards.values():
            if board.name in outcome.failed:
                continue
            base = drive_files(self._plan.tree) | {"settings.toml": board.read("settings.toml")}
            wrong = differences(board.files(), self._plan.after, base)
            if wrong:
                outcome.failed[board.name] = wrong
            else:
                outcome.updated.append(board.name)
            self._tell({"event": "drive", "device": board.name, "equal": not wrong, "differences": wrong})


def _last_lines(board: Board) -> str:
    with contextlib.suppress(OSError):
        return " / ".join((board.folder / "console.log").read_text(errors="replace").splitlines()[-3:])
    return "(no console)"


def summary(plan: Plan, outcome: Outcome) -> Mapping[str, Any]:
    """The demo's last event."""
    return {
        "event": "summary",
        "devices": plan.devices,
        "updated": len(outcome.updated),
        "failed": len(outcome.failed) + plan.devices - len(outcome.updated) - len(outcome.failed),
        "from": plan.before.commit,
        "to": plan.after.commit,
        "requests": outcome.requests,
        "bytes_down": outcome.bytes_down,
        "cuts": outcome.cuts,
    }


def board_lines(outcome: Outcome, most: int = 5) -> Iterator[str]:
    """What is wrong, board by board, at most `most` lines each."""
    for name, wrong in outcome.failed.items():
        yield from (f"{name}: {line}" for line in wrong[:most])
        if len(wrong) > most:
            yield f"{name}: and {len(wrong) - most} more"
