"""A release goes to canaries, and to their profile when it has proved itself there.

Everything can be done again: what is so already is left alone, so a rollout that was stopped goes on where it was.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cota.errors import CotaError
from cota.publish.package import make_package
from cota.publish.release import Release
from cota.publish.target import Target, assign
from cota.publish.wave import Wave, look_at
from cota.thingsboard import Client, Json, ThingsBoardError, id_of
from cota.thingsboard.boards import Board, board_of, boards_query
from cota.thingsboard.boards import Release as Name

Stage = Literal["check", "canary", "profile", "fleet", "done"]


@dataclass(frozen=True)
class Pace:
    """How long a rollout waits.

    Attributes:
        canary_seconds: For the canaries.
        fleet_seconds: For the fleet.
        look_seconds: Between two looks at ThingsBoard.
    """

    canary_seconds: float
    fleet_seconds: float
    look_seconds: float


@dataclass(frozen=True)
class Outcome:
    """How a rollout ended.

    Attributes:
        stage: Where it ended; "done" is the only good end.
        reason: Why it did not go further; empty where it is done.
        next_step: What to do about it; empty where it is done.
        wave: The boards that it looked at last; None where it did not come to that.
    """

    stage: Stage
    reason: str = ""
    next_step: str = ""
    wave: Wave | None = None

    @property
    def is_done(self) -> bool:
        """Whether the release is where it should be."""
        return self.stage == "done"


class _EndedError(Exception):
    """The rollout ends here."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True)
class Listener:
    """Who hears of a rollout; each gets what its name says.

    Attributes:
        published: The package, and whether it was made now.
        assigned: What an assignment did, as `cota.publish.target.assign` gives it.
        board: A canary that shows something new.
        wave: A group of which the numbers are new.
        trouble: A passing failure to ask the server.
    """

    published: Callable[[Json, bool], None]
    assigned: Callable[[list[dict[str, Any]]], None]
    board: Callable[[Board], None]
    wave: Callable[[Wave], None]
    trouble: Callable[[CotaError], None]


def roll_out(client: Client, release: Release, target: Target, share: int, pace: Pace, tell: Listener, *, retry: bool = False) -> Outcome:
    """Publish a release, give it to canaries, and give it to their profile once all of them run it.

    A canary has the package itself until then; afterwards it follows its profile again. If a canary gives the release up, it keeps it
    assigned, so that its state and error stay to be seen, and the profile is not touched.

    Args:
        client: The server.
        release: What is rolled out; no board may refuse it.
        target: The profile, and the canaries.
        share: How many of a hundred of the profile's boards must run it before this ends; 0 does not wait.
        pace: How long to wait.
        tell: Who hears of it.
        retry: Whether canaries that gave this release up are told to try it again.

    Raises:
        CotaError: Title and version are taken by another release, or the server refuses, or could not be asked to the end.
    """
    package, made = make_package(client, release, target.profile)
    tell.published(package, made)
    return _Rollout(client, package, target, pace, tell).run(share, retry)


@dataclass
class _Rollout:
    client: Client
    package: Json
    target: Target
    pace: Pace
    tell: Listener
    before: str | None = field(init=False)
    name: Name = field(init=False)

    def __post_init__(self) -> None:
        self.before = _firmware(self.target.profile)
        self.name = Name(str(self.package["title"]), str(self.package["version"]))

    def run(self, share: int, retry: bool) -> Outcome:
        try:
            self._canaries(retry)
            self._profile()
            return self._fleet(share) if share else Outcome("done")
        except _EndedError as end:
            return end.outcome

    # The canaries.

    def _canaries(self, retry: bool) -> None:
        canaries = self.target.devices or ()
        given = tuple(one for one in canaries if (_firmware(one) or self.before) != id_of(self.package))
        if given:
            outcomes = assign(self.client, self.package, Target(self.target.profile, given))
            self.tell.assigned(outcomes)
            problems = [f"{one['device']}: {one['problem']}" for one in outcomes if one.get("problem")]
            if problems:
                reason = f"A canary could not be given the release. {'; '.join(problems)}"
                raise _EndedError(Outcome("canary", reason, "Name another canary."))
        ids = [id_of(one) for one in canaries]
        old = self._tell_to_retry(ids) if retry else {}
        shown: dict[str, tuple[str, str]] = {}

        def look() -> Wave:
            boards = self._boards(None, ids)
            self._check_canaries({board.id for board in boards})
            for board in boards:
                if shown.get(board.id) != (board.state, board.error):
                    shown[board.id] = (board.state, board.error)
                    self.tell.board(board)
            return look_at(boards, self.name, 100, old)

        wave = self._wait(look, self.pace.canary_seconds)
        if wave.verdict == "lost":
            hint = "The profile was not touched. Mend the release and give it a new version; or try the same one again with --retry."
            raise _EndedError(Outcome("canary", f"The canary gave the release up. {wave.why()}", hint, wave))
        if wave.verdict == "open":
            hint = "The profile was not touched. Look at the board, and run this again: it goes on where it was."
            raise _EndedError(Outcome("canary", f"Time is up: {wave.where()}", hint, wave))

    def _check_canaries(self, seen: set[str]) -> None:
        """End where a canary is gone, or was given something else: no wait would help."""
        for canary in self.target.devices or ():
            now = self.client.devices.find(str(canary["name"])) if id_of(canary) in seen else None
            if now is None or id_of(now) != id_of(canary):
                raise _EndedError(Outcome("canary", f"The canary {canary['name']} was deleted meanwhile.", "Name another canary."))
            own = _firmware(now)
            if own != id_of(self.package) and (own or self._profile_now()) != id_of(self.package):
                reason = f"Somebody gave the canary {canary['name']} something else meanwhile."
                raise _EndedError(Outcome("canary", reason, "Ask who did; run this again to go on with this release."))

    def _tell_to_retry(self, ids: list[str]) -> dict[str, int | None]:
        """Tell the canaries that gave this release up to try again; gives their failures, which do not count any more."""
        failed = look_at(self._boards(None, ids), self.name, 100).failed
        for board in failed:
            self.client.telemetry.write_shared(board.id, {"cota_retry": f"r-{time.time_ns()}-{secrets.token_hex(2)}"})
        return {board.id: board.changed for board in failed}

    # The profile and its boards.

    def _profile(self) -> None:
        now = self._profile_now()
        if now not in (self.before, id_of(self.package)):
            raise _EndedError(
                Outcome(
                    "profile",
                    f"Somebody gave the profile {self.target.profile['name']} another release meanwhile.",
                    "It was left so. Ask who did; run this again to give it this release.",
                )
            )
        self.tell.assigned(assign(self.client, self.package, Target(self.client.profiles.get(id_of(self.target.profile)), None)))
        for canary in self.target.devices or ():
            device = self.client.devices.find(str(canary["name"]))
            if device is not None and _firmware(device) == id_of(self.package):
                self.client.devices.assign(id_of(device), None)

    def _fleet(self, share: int) -> Outcome:
        profile_id, name = id_of(self.target.profile), str(self.target.profile["name"])
        own = (None, id_of(self.package))
        members = {id_of(info) for info in self.client.devices.infos(profile_id=profile_id) if _firmware(info) in own}
        shown: tuple[int, int] | None = None

        def look() -> Wave:
            nonlocal shown
            if self._profile_now() != id_of(self.package):
                raise _EndedError(Outcome("fleet", f"Somebody gave the profile {name} another release meanwhile.", "Ask who did."))
            wave = look_at((board for board in self._boards([name], None) if board.id in members), self.name, share)
            if shown != (len(wave.updated), len(wave.failed)):
                shown = (len(wave.updated), len(wave.failed))
                self.tell.wave(wave)
            return wave

        wave = self._wait(look, self.pace.fleet_seconds)
        hint = "The profile keeps the release, and boards that were off take it later. `cota status` says why boards failed; "
        hint += "`cota assign` gives the profile an older release."
        if wave.verdict == "lost":
            return Outcome("fleet", f"{len(wave.failed)} of {wave.total} boards gave the release up: {wave.why()}", hint, wave)
        if wave.verdict == "open":
            return Outcome("fleet", f"Time is up: {wave.where()}", hint, wave)
        return Outcome("done", wave=wave)

    # Both.

    def _profile_now(self) -> str | None:
        return _firmware(self.client.profiles.get(id_of(self.target.profile)))

    def _boards(self, profiles: list[str] | None, ids: list[str] | None) -> list[Board]:
        return [board_of(member) for member in self.client.fleet.find(boards_query(profiles, ids))]

    def _wait(self, look: Callable[[], Wave], seconds: float) -> Wave:
        """Look until there is a verdict or time is up; a server that cannot be asked for a while is waited for."""
        end, wave = time.monotonic() + seconds, None
        while True:
            try:
                wave = look()
            except ThingsBoardError as error:
                if not _is_passing(error) or time.monotonic() >= end:
                    raise
                self.tell.trouble(error)
            else:
                if wave.verdict != "open" or time.monotonic() >= end:
                    return wave
            time.sleep(max(0.0, min(self.pace.look_seconds, end - time.monotonic())))


def _firmware(thing: Mapping[str, Any]) -> str | None:
    """Give the package that a device or profile has itself."""
    reference = thing.get("firmwareId")
    return None if reference is None else str(reference["id"])


def _is_passing(error: ThingsBoardError) -> bool:
    """Whether the same question may well be answered in a minute: no answer, a limit, or a fault of the server's."""
    return error.status is None or error.status == 429 or error.status >= 500
