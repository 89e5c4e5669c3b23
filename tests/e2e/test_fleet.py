"""A fleet behind one address, GitHub's limits, and a network that spoils one answer in ten."""

import asyncio
import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from bad_network import FAULTS, BadNetwork, Call
from world import Digests, digest, digests, judged, standing

from cota.drive.tree import device_tree
from cota.git.make import commit_tree, create_repository
from cota.lab.server import Lab, LabConfig, running_lab
from cota.sim.board import Board, BoardOptions
from cota.sim.profiles import find_profile
from cota.sim.vm import find_vm
from cota.thingsboard import Client, id_of
from cota.thingsboard.boards import Board as Seen
from cota.thingsboard.boards import Release, board_of, boards_query

_IS_FULL = os.environ.get("COTA_EXHAUSTIVE") == "1"
_BOARDS = 200
_LIMIT = 60  # calls in a window, as GitHub allows an address
_HOUR = 3600  # GitHub's window, in seconds
_WINDOW = 30 if _IS_FULL else 4  # this one
_NAPS = 120  # how many times faster than ours the boards' clocks run while they wait: the full window is GitHub's hour to them
_POLL = 450  # seconds of the boards' clock
_SHARE = 0.1  # of the answers is spoilt
_CUT_EVERY = 10  # every tenth board loses its power in the midst of its download
_STARTS = 8  # boards that start at once: other tests want to run too
_LATE = 5  # seconds that an answer may take before the board may have given it up: less than one of its waits for a socket
_PATIENCE = 900 if _IS_FULL else 400  # seconds; several of the longest waits that a board draws (an hour of its clock), on a busy machine
_OLD = {"old.py": b"gone = 1\n", "app/same.py": b"same = 1\n" * 40}
_FILES = {
    "app/same.py": _OLD["app/same.py"],
    "app/logic.py": b"def run():\n    return 2\n" * 50,
    "app/deep/er/table.bin": bytes(range(256)) * 12,
}
_RELEASE = Release("fleet", "v2")
_PROFILE, _SHOWN_TOKEN = "boards-of-fleet", "token-of-board-xxx"


class _Fleet:
    """The boards, all of one device profile.

    Attributes:
        network: What is between them and the lab.
        boards: By number.
        cuts: Those whose power was cut.
        told: When the release was assigned, in seconds of this machine's clock.
        ended: When ThingsBoard showed that the last board had it.
        wanted: What each drive must hold in the end.
    """

    def __init__(self, lab: Lab, client: Client, folder: Path, commit: str, seed: int) -> None:
        self.lab, self._client = lab, client
        self.network = BadNetwork(lab.port, _BOARDS, seed, _NAPS)
        self._profile_id = id_of(client.profiles.create(_PROFILE))
        url = f"http://git.fleet/acme/fleet/tree/{commit}"
        self._package = client.packages.create_url(_RELEASE.title, _RELEASE.version, url, self._profile_id)
        self._lines: list[list[str]] = [[] for _ in range(_BOARDS)]
        self.boards: list[Board] = []
        self.wanted: list[Digests] = []
        self.cuts: set[int] = set()
        self.told = self.ended = 0.0
        self._fill(folder)

    def _fill(self, folder: Path) -> None:
        """Make the drives: one, and of the others all that differs is the token in their settings.toml."""
        main = (device_tree() / "main.py").read_bytes()
        assert b"PAUSE = 0.5 " in main
        settings = {"THINGSBOARD_URL": "http://cloud.fleet", "THINGSBOARD_DEVICE_TOKEN": _SHOWN_TOKEN}
        settings |= {"COTA_GIT_HOSTS": "git.fleet", "COTA_POLL_SECONDS": str(_POLL)}
        kind, vm = find_profile("pico-w"), find_vm()
        vm = replace(vm, command=("nice", *vm.command))  # the lab and the network come before them, and so do other tests
        first = Board(folder / "first", "first", kind, settings, vm=vm)
        first.prepare(device_tree(), {"main.py": main.replace(b"PAUSE = 0.5 ", b"PAUSE = 30 "), **_OLD})
        image, text, base = first.volume.path.read_bytes(), first.read("settings.toml"), standing(first.files())
        assert image.count(_SHOWN_TOKEN.encode()) == 1
        for number, port in enumerate(self.network.ports):
            name = f"board-{number:03}"
            token = _SHOWN_TOKEN.replace("xxx", name[-3:])
            self._client.devices.create(name, profile_id=self._profile_id, token=token)
            options = BoardOptions(hosts={"cloud.fleet": f"127.0.0.1:{port}", "git.fleet": f"127.0.0.1:{port}"}, naps=_NAPS)
            board = Board(folder / name, name, kind, settings, vm=vm, options=options, listener=self._lines[number].append)
            board.volume.path.write_bytes(image.replace(_SHOWN_TOKEN.encode(), token.encode()))
            board.prepare(device_tree())
            self.boards.append(board)
            own = digest(text.replace(_SHOWN_TOKEN.encode(), token.encode()))
            self.wanted.append({**base, "settings.toml": own, **digests(_FILES)})

    async def run(self) -> None:
        """Switch all boards on, tell them of the release, let the network turn bad, and wait until all of them have it."""
        repowering = set()
        late: list[Seen] = []

        async def repower(board: Board) -> None:
            await board.stop()
            board.start()

        def cut(number: int, kind: str) -> bool:
            if kind != "raw" or number % _CUT_EVERY or number in self.cuts:
                return False
            self.cuts.add(number)
            repowering.add(asyncio.create_task(repower(self.boards[number])))
            return True

        self.network.seen = cut
        await self.network.open()
        try:
            await self._switch_on()
            assert self.lab.counters()["git-api"]["requests"] == 0, "without a release a board asks the Git host nothing"
            await asyncio.to_thread(self._client.profiles.assign, self._profile_id, id_of(self._package))
            self.network.share = _SHARE
            self.told = time.monotonic()
            while late := await self._switch_off_what_has_it():
                if time.monotonic() > self.told + _PATIENCE:
                    said = "\n".join(self._lines[int(late[0].name[-3:])][-25:])
                    pytest.fail(f"after {_PATIENCE} s {len(late)} boards lack the release; {late[0]}\nits console:\n{said}")
                await asyncio.sleep(0.5)
            self.ended = time.monotonic()
        finally:
            await asyncio.gather(*repowering)
            await asyncio.gather(*(board.stop() for board in self.boards))
            await self.network.close()

    async def _switch_on(self) -> None:
        for number, board in enumerate(self.boards):
            while number - len(self.network.polled) >= _STARTS:
                await asyncio.sleep(0.02)
            board.start()
        while len(self.network.polled) < len(self.boards):
            await asyncio.sleep(0.02)

    async def _switch_off_what_has_it(self) -> list[Seen]:
        """Give the boards that lack the release as ThingsBoard shows them; what has nothing more to do only takes time from them."""
        seen = await asyncio.to_thread(lambda: [board_of(member) for member in self._client.fleet.find(boards_query([_PROFILE]))])
        late = [one for one in seen if one.state != "UPDATED" or one.running != _RELEASE]
        for one in seen:
            if one not in late:
                await self.boards[int(one.name[-3:])].stop()
        return late


@contextmanager
def _fleet(folder: Path, seed: int) -> Iterator[_Fleet]:
    """A fleet in a lab with GitHub's limit. At the end its drives are removed: they are 100 MB."""
    repository = create_repository(folder / "repository")
    commit = commit_tree(repository, _FILES)
    config = LabConfig(repositories={"acme/fleet": repository}, ota_pace=0, rate_limit=_LIMIT, rate_window=_WINDOW)
    with running_lab(config) as lab, Client(lab.url, username=lab.username, password=lab.password) as client:
        fleet = _Fleet(lab, client, folder / "boards", commit, seed)
        try:
            yield fleet
        finally:
            shutil.rmtree(folder / "boards")


@pytest.mark.exhaustive
@pytest.mark.timeout(_PATIENCE + 200)
def test_a_fleet_behind_one_address_a_rate_limit_and_a_bad_network_reaches_the_release(tmp_path: Path) -> None:
    """Each board is the real device tree on a FAT drive of its own, in a MicroPython VM of its own with a Pico W's heap, from boot.py
    through the recovery to the end of the trial, and speaks over real sockets. A VM takes 4 MB and an update 0.4 s of a processor, so
    nothing cheaper need stand in for it. Only time is not a board's own: while its program sleeps its clock runs `_NAPS` times faster than
    ours, and the host's time of reset is told on in its seconds. The window of the full test is GitHub's hour to the boards; the short
    test has a shorter one.
    """
    seed = random.randrange(2**32)
    with _fleet(tmp_path, seed) as fleet:
        print(f"seed {seed}; {_BOARDS} boards; {_LIMIT} API calls in {_WINDOW} s, where GitHub's hour is {_HOUR // _WINDOW} times longer;")
        print(f"the boards wait {_NAPS} times faster, so that the window is {_WINDOW * _NAPS} s to them")
        asyncio.run(fleet.run())
        calls, network = fleet.network.calls, fleet.network
        print(f"all have it {fleet.ended - fleet.told:.0f} s after they were told; power cut on {len(fleet.cuts)} boards in mid-download")
        print(f"of {len(network.asked)} answers spoilt: {dict(network.faults.most_common())}")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            held = list(pool.map(lambda board: judged(board.files()), fleet.boards))
        wrong = [number for number in range(_BOARDS) if held[number] != fleet.wanted[number]]
        assert wrong == [], "these drives do not hold the release and nothing else"
        _check_volumes(fleet.boards)
        # The network did what it was to do.
        assert set(FAULTS) <= set(network.faults)
        assert len(fleet.cuts) == _BOARDS // _CUT_EVERY
        _check_calls(calls, fleet.lab.counters()["git-api"]["requests"])
        _check_waits(calls)
        _check_spread(fleet)


def _check_volumes(boards: list[Board]) -> None:
    if shutil.which("fsck.fat"):
        for board in boards:
            done = subprocess.run(["fsck.fat", "-n", str(board.volume.path)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{board.name}: {done.stdout}"


def _check_calls(calls: list[Call], counted: int) -> None:
    """Two calls of the API brought a board its release; every other one was refused for the limit, or its answer was spoilt."""
    api = [call for call in calls if call.is_api]
    assert len(api) == counted, "the lab counts what the network has passed on"
    outcomes = Counter((call.board, call.kind, _outcome(call)) for call in api)
    for board in range(_BOARDS):
        for kind in ("commits", "trees"):
            used, late = outcomes[board, kind, "used"], outcomes[board, kind, "late"]
            assert used <= 1 <= used + late, f"board {board} had {used} answers to {kind}: {[call for call in api if call.board == board]}"
    total = Counter(outcome for (_, _, outcome), number in outcomes.items() for _ in range(number))
    print(f"API calls: {len(api)}, of them {dict(total)}")
    assert set(total) <= {"used", "late", "limited", "spoilt"}
    # 400 calls and more do not fit into six windows of 60, so the limit must have refused.
    assert total["limited"] > 0
    assert max(call.at for call in api) - min(call.at for call in api) > (2 * _BOARDS // _LIMIT - 1) * _WINDOW


def _outcome(call: Call) -> str:
    if not call.arrived:
        return "spoilt"
    if call.status != 200:
        return "limited" if call.status == 403 and call.wait else f"status {call.status}"
    # On a machine that stood still the board may have taken it for lost, or not.
    return "late" if call.ended - call.at > _LATE else "used"


def _check_waits(calls: list[Call]) -> None:
    """No board asked the Git host before the wait that an answer had asked for was over."""
    until = [0.0] * _BOARDS
    asked = 0
    for call in sorted(calls, key=lambda call: call.at):
        assert call.at >= until[call.board], f"board {call.board} came {until[call.board] - call.at:.1f} s too early: {call}"
        if call.wait is not None and (call.arrived or call.fault == "busy"):
            until[call.board] = call.answered + call.wait / _NAPS
            asked += 1
    print(f"waits asked for and kept: {asked}")
    assert asked > 0


def _check_spread(fleet: _Fleet) -> None:
    """A fleet told at once does not come at once."""
    seconds = fleet.ended - fleet.told
    asked = Counter(int(at - fleet.told) for at in fleet.network.asked if fleet.told <= at <= fleet.ended)
    peak, mean = max(asked.values()), sum(asked.values()) / seconds
    first: dict[int, float] = {}
    for call in sorted(fleet.network.calls, key=lambda call: call.at):
        first.setdefault(call.board, call.at - fleet.told)
    span = (max(first.values()) - min(first.values())) * _NAPS
    print(f"requests: peak {peak} in a second, mean {mean:.0f}: {peak / mean:.1f}; first calls within {span:.0f} s of the boards' clock")
    most = max(Counter(int(at * _NAPS * 10) // _POLL for at in first.values()).values())
    print(f"first calls in a tenth of the time between two polls: at most {most} of {_BOARDS}")
    assert len(first) == _BOARDS
    assert most < _BOARDS / 2
