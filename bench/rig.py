"""The rig: one lab, and simulated boards that run a measured program against it until they have nothing left to do."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.outcome import Flash, Mark, Outcome
from bench.releases import Release
from cota.git.make import commit_tree, create_repository
from cota.lab.server import Lab, LabConfig, running_lab
from cota.sim import Board, Profile, Vm, device_tree, find_profile, find_vm
from cota.sim.vm import SHIMS
from cota.thingsboard import Client

BOARD_PROGRAMS = Path(__file__).parent / "board"
PLAIN_UPDATER = Path(__file__).parent / "plain_updater.py"
_PASSWORD = "a lab of the bench"
# A run that takes longer hangs: the slowest one, 500 files with a look at the heap at each sector, takes a tenth of it.
_PATIENCE_SECONDS = 240
_LOOK_SECONDS = 0.01


@dataclass(frozen=True, eq=False)
class Case:
    """One board and what it is to do.

    Attributes:
        releases: Committed and assigned one after the other.
        program: The board's main.py.
        seeded: Files that lie on its drive beforehand.
        start: Folder of an earlier run whose drive it starts from, instead of a fresh one.
        profile: What kind of board it is.
        payload: Files whose bytes the program may read from the host.
        polls, calls: Polls, and calls between two polls, before the first release and after each.
        seams: Whether the heap is looked at in the midst of operations.
        depth: Whether call depth is looked at; on CPython only.
        ignored: Paths of the last release that do not go on the drive.
        vm: The VM to run in.
        patience: Seconds after which a run is given up.
    """

    releases: Sequence[Release] = ()
    program: str = "updater_main.py"
    seeded: Mapping[str, bytes] = field(default_factory=dict)
    start: Path | None = None
    profile: Profile = field(default_factory=lambda: find_profile("pico-w"))
    payload: Mapping[str, bytes] = field(default_factory=dict)
    polls: int = 2
    calls: int = 10
    seams: bool = False
    depth: bool = False
    ignored: frozenset[str] = frozenset()
    vm: str = "micropython"
    patience: float = _PATIENCE_SECONDS


@dataclass(frozen=True)
class _ProbedVm(Vm):
    """A VM that enters each run of a board through the probe."""

    options: str = ""

    def argv(self, script: Path, heap: int | None = None) -> list[str]:
        folder = script.parent
        if (folder / "run.json").exists():
            (folder / "probe.json").write_text(self.options, encoding="utf-8")
            (folder / "ack").write_bytes(b"")
            script = folder / "probed.py"
            paths = [str(SHIMS), str(BOARD_PROGRAMS)]
            script.write_text(f"import sys\nsys.path[:0] = {paths!r}\nimport probe\nprobe.main({str(folder)!r})\n", encoding="utf-8")
        return super().argv(script, heap)


class Rig:
    """See `running_rig`."""

    def __init__(self, folder: Path, lab: Lab, client: Client, repositories: dict[str, Path]) -> None:
        self._folder = folder
        self._lab = lab
        self._client = client
        self._repositories = repositories
        self._numbers = itertools.count(1)
        self._kept: dict[Case, Outcome] = {}

    def run(self, case: Case) -> Outcome:
        """Run a board until its program has ended; a program that fails gives an outcome that is not complete."""
        return asyncio.run(_Run(self._folder / f"board{next(self._numbers)}", self._lab, self._client, self._repositories, case).run())

    def run_once(self, case: Case) -> Outcome:
        """Run a case that several groups look at once; the same object is the same case."""
        if case not in self._kept:
            self._kept[case] = self.run(case)
        return self._kept[case]

    def listing_bytes(self, repository: Path, ref: str) -> int:
        """Count the bytes of a listing's body, at the server, by asking for it once more."""
        name = next(name for name, path in self._repositories.items() if path == repository)
        before = self._lab.counters()["git-api"]["bytes_out"]
        url = f"{self._lab.url}/api/v3/repos/{name}/git/trees/{ref}?recursive=1"
        request = urllib.request.Request(url, headers={"User-Agent": "bench"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
        return self._lab.counters()["git-api"]["bytes_out"] - before


class _Run:
    """One board's life in the bench."""

    def __init__(self, folder: Path, lab: Lab, client: Client, repositories: dict[str, Path], case: Case) -> None:
        self._lab, self._client, self._case = lab, client, case
        self._outcome = Outcome(folder=folder)
        self._assigned = 0
        self._earlier = Flash()  # of the processes that have ended
        self._dialled = 0  # connections of those
        self._failure: Exception | None = None
        self._over = False  # the program came to its end, or failed: the guard would start it again
        name = folder.name
        token = "t" * 12 + name
        self._device = str(client.devices.create(name, token=token)["id"]["id"])
        self._repository = create_repository(folder.parent / f"{name}.git")
        self._outcome.repository = self._repository
        repositories[f"bench/{name}"] = self._repository
        self._url = f"{lab.url}/bench/{name}"
        options = {
            "polls": case.polls,
            "calls": case.calls,
            "seams": case.seams,
            "depth": case.depth,
            "payload": [[path, len(data)] for path, data in case.payload.items()],
        }
        vm = find_vm(case.vm)
        settings = {
            "THINGSBOARD_URL": lab.url.rpartition(":")[0],
            "THINGSBOARD_PORT": str(lab.port),
            "THINGSBOARD_DEVICE_TOKEN": token,
            "COTA_GIT_HOSTS": f"127.0.0.1:{lab.port}",
        }
        self._board = Board(
            folder, name, case.profile, settings, vm=_ProbedVm(vm.kind, vm.command, json.dumps(options)), listener=self._hear
        )
        self._prepare(folder)

    def _prepare(self, folder: Path) -> None:
        case = self._case
        (folder / "payload.bin").write_bytes(b"".join(case.payload.values()))
        files = {"main.py": (BOARD_PROGRAMS / case.program).read_bytes(), **case.seeded}
        if case.program == "plain_main.py":
            files["lib/plain_updater.py"] = PLAIN_UPDATER.read_bytes()
        if case.start is None:
            self._board.prepare(device_tree(), files)
            return
        shutil.copyfile(case.start / "drive.img", folder / "drive.img")
        self._board.prepare(device_tree())
        # What the drive needs for this run and that the bench may change: how to reach the server, and the program.
        settings = "".join(f'{key} = "{value}"\n' for key, value in self._board.settings.items())
        self._board.volume.write({"settings.toml": settings.encode(), **files})

    async def run(self) -> Outcome:
        self._board.start()
        try:
            async with asyncio.timeout(self._case.patience):
                while self._failure is None and not self._over and self._board.phase != "wait":
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            self._outcome.lines.append(f"[no end after {self._case.patience:.0f} s]")
        finally:
            await self._board.stop()
        if self._failure is not None:
            raise self._failure
        ended = bool(self._outcome.all("end")) and self._assigned == len(self._case.releases)
        self._outcome.complete = ended and self._drive_is_right()
        return self._outcome

    def _drive_is_right(self) -> bool:
        wanted = self._case.releases[-1] if self._case.releases else self._case.payload
        held = self._board.files()
        wrong = [
            path
            for path, data in wanted.items()
            if held.get(path) != (None if path in self._case.ignored else (len(data), hashlib.sha256(data).hexdigest()))
        ]
        if wrong:
            self._outcome.lines.append(f"[{len(wrong)} files are not the release's: {', '.join(wrong[:3])}]")
        return not wrong

    def _hear(self, line: str) -> None:
        if not line.startswith("@bench "):
            self._outcome.lines.append(line)
            self._over = self._over or line.startswith("guard: ")
            return
        try:
            self._take(json.loads(line.removeprefix("@bench ")))
        except Exception as error:  # raised where the run is waited for, not in the console's reader
            self._failure = error

    def _take(self, said: dict[str, Any]) -> None:
        answer = 0
        name = said["mark"]
        if name == "assign" and self._assigned < len(self._case.releases):
            self._assign()
            answer = 1
        flash = self._earlier.plus(Flash(*said["flash"])) if said["flash"] else self._earlier
        connections = self._dialled + int(said["dials"])
        self._outcome.marks.append(Mark(name, self._lab.counters(), flash, connections, said))
        if name == "run end":
            self._earlier, self._dialled = flash, connections
            self._over = self._over or bool(self._outcome.all("end"))
        else:
            (self._outcome.folder / "ack").write_bytes(b"%d %d\n" % (said["number"], answer))

    def _assign(self) -> None:
        release = self._case.releases[self._assigned]
        self._assigned += 1
        commit = commit_tree(self._repository, release, f"Release {self._assigned}")
        self._outcome.commits.append(commit)
        values = {"fw_title": "bench", "fw_version": f"v{self._assigned}", "fw_url": f"{self._url}/tree/{commit}"}
        self._client.telemetry.write_shared(self._device, values)


def with_heap(profile: Profile, heap: int) -> Profile:
    """A board of this kind with another heap."""
    return replace(profile, heap=heap)


@contextlib.contextmanager
def running_rig() -> Iterator[Rig]:
    """Start a lab in a folder of its own and stop it at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="cota-bench-") as scratch:
        folder = Path(scratch)
        first = create_repository(folder / "first.git")
        commit_tree(first, {"README.md": b"The lab has a Git host only if it has a repository from the start.\n"})
        repositories = {"bench/first": first}
        config = LabConfig(repositories=repositories, password=_PASSWORD)
        with running_lab(config) as lab, Client(lab.url, username=lab.username, password=_PASSWORD) as client:
            yield Rig(folder, lab, client, repositories)
