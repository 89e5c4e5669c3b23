"""What the stages of a rollout share: its words for how it goes and ends, a look at boards, and the wait until they have a verdict."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from cota.errors import CotaError
from cota.publish.target import Target
from cota.publish.wave import Wave
from cota.thingsboard import Client, Json, ThingsBoardError, id_of
from cota.thingsboard.boards import Board, board_of, boards_query
from cota.thingsboard.boards import Release as Name
from cota.thingsboard.users import package_of

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


class EndedError(Exception):
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


@dataclass
class Course:
    """One rollout on its way.

    Attributes:
        client: The server.
        package: The release's package.
        target: The profile, and the canaries.
        pace: How long to wait.
        tell: Who hears of it.
        before: The package that the profile had at the start; None where it had none.
        name: The release, as boards name it.
    """

    client: Client
    package: Json
    target: Target
    pace: Pace
    tell: Listener
    before: str | None = field(init=False)
    name: Name = field(init=False)

    def __post_init__(self) -> None:
        self.before = package_of(self.target.profile)
        self.name = Name(str(self.package["title"]), str(self.package["version"]))

    def profile_now(self) -> str | None:
        """Give the package that the profile has now."""
        return package_of(self.client.profiles.get(id_of(self.target.profile)))

    def boards(self, profiles: list[str] | None, ids: list[str] | None) -> list[Board]:
        """Give the boards of profiles, or of ids."""
        return [board_of(member) for member in self.client.fleet.find(boards_query(profiles, ids))]

    def wait(self, look: Callable[[], Wave], seconds: float) -> Wave:
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


def _is_passing(error: ThingsBoardError) -> bool:
    """Whether the same question may well be answered in a minute: no answer, a limit, or a fault of the server's."""
    return error.status is None or error.status == 429 or error.status >= 500
