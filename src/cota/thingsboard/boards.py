"""Where each board stands, from what ThingsBoard keeps of it: what it runs, what it shall run, and how far it is.

ThingsBoard compares nothing and forgets nothing: `fw_state` is the last word of the server (QUEUED, INITIATED) or of the board (the
rest), and it stays when a package is taken away.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cota.thingsboard.fleet import STATE_KEYS, Member, fleet_query
from cota.thingsboard.session import Json

# The states in the order of an update, and the percentages that ThingsBoard's firmware dashboard shows for them.
PERCENT = {
    "QUEUED": 0,
    "INITIATED": 5,
    "DOWNLOADING": 10,
    "DOWNLOADED": 55,
    "VERIFIED": 60,
    "UPDATING": 70,
    "UPDATED": 100,
    "FAILED": 100,
}
ENDED = ("UPDATED", "FAILED")
NONE = "NONE"  # ours: no release is assigned, or the board has never had one
_SERVER_KEYS = ("active", "lastActivityTime")
_SHARED_KEYS = ("fw_title", "fw_version", "cota_retry")
_CLIENT_KEYS = ("fw_url", "cota_commit")


@dataclass(frozen=True, order=True)
class Release:
    """A release by its name."""

    title: str
    version: str

    def __str__(self) -> str:
        return f"{self.title} {self.version}".strip()


@dataclass(frozen=True)
class Board:
    """One device, as an operator looks at it.

    Attributes:
        id: The device's id.
        name: Its name.
        profile: Its device profile's name.
        running: The release that it says it runs; None where it never said.
        assigned: The release that it shall run; None where none is assigned.
        state: `fw_state` where a release is assigned, else "NONE".
        percent: How far the update is, 0 to 100.
        error: `fw_error`, empty where nothing is wrong.
        changed: When the state was written, milliseconds since 1970; None where it never was.
        active: Whether ThingsBoard heard from it lately.
        last_seen: When it was heard last, milliseconds since 1970; None where it never was.
    """

    id: str
    name: str
    profile: str
    running: Release | None
    assigned: Release | None
    state: str
    percent: int
    error: str
    changed: int | None
    active: bool
    last_seen: int | None

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be expected of the assigned release."""
        return self.state in ENDED


def boards_query(
    profiles: Sequence[str] | None = None, devices: Sequence[str] | None = None, *, state: str | None = None, page_size: int | None = None
) -> Json:
    """Give the query whose members `board_of` reads.

    Args:
        profiles: Only devices of these profiles, by name; None is all.
        devices: Only these devices, by id; None is all.
        state: Only devices whose `fw_state` is this.
        page_size: Devices an answer; None leaves the choice.
    """
    query = fleet_query(profiles, telemetry=STATE_KEYS, server=_SERVER_KEYS, shared=_SHARED_KEYS, client=_CLIENT_KEYS, state=state)
    query["entityFields"].append({"type": "ENTITY_FIELD", "key": "type"})
    if devices is not None:
        query["entityFilter"] = {"type": "entityList", "entityType": "DEVICE", "entityList": list(devices)}
    if page_size is not None:
        query["pageLink"]["pageSize"] = page_size
    return query


# What of a board may change while it is watched, as a WebSocket's latestCmd names it.
LIVE_KEYS = [
    *({"type": "TIME_SERIES", "key": key} for key in STATE_KEYS),
    *({"type": "SHARED_ATTRIBUTE", "key": key} for key in _SHARED_KEYS),
    *({"type": "SERVER_ATTRIBUTE", "key": key} for key in _SERVER_KEYS),
]


def board_of(member: Member) -> Board:
    """Read a board out of a member of a fleet."""
    told, state = member.telemetry, member.telemetry.get("fw_state", "")
    assigned = _release(member.shared, "fw_")
    if state == "QUEUED":
        # The server has written the target and not yet the shared attributes, which may still name the release before.
        assigned = _release(told, "target_fw_") or assigned
    state = state if assigned and state else NONE
    # An error from before the assignment is the release before's; the server dates the target with the time of the assignment.
    is_old = member.times.get("fw_error", 0) < member.times.get("target_fw_title", 0)
    seen = member.server.get("lastActivityTime", "")
    return Board(
        id=member.id,
        name=member.name,
        profile=member.profile,
        running=_release(told, "current_fw_"),
        assigned=assigned,
        state=state,
        percent=PERCENT.get(state, 0),
        error="" if is_old or state in ("UPDATED", NONE) else told.get("fw_error", ""),
        changed=member.times.get("fw_state"),
        active=member.server.get("active") == "true",
        last_seen=int(seen) if seen.isdigit() and int(seen) else None,
    )


def _release(values: dict[str, str], prefix: str) -> Release | None:
    title, version = values.get(prefix + "title", ""), values.get(prefix + "version", "")
    return Release(title, version) if title or version else None


def tally(boards: Iterable[Board]) -> list[tuple[Release | None, dict[str, int]]]:
    """Count boards by the release that they shall run (else by the one that they run) and by state, in the order of an update."""
    counted: dict[Release | None, Counter[str]] = {}
    for board in boards:
        counted.setdefault(board.assigned or board.running, Counter())[board.state] += 1
    order = [NONE, *PERCENT]
    rows = []
    for release in sorted(counted, key=lambda one: (one is None, one or Release("", ""))):
        states = counted[release]
        names = [*(name for name in order if name in states), *sorted(name for name in states if name not in order)]
        rows.append((release, {name: states[name] for name in names}))
    return rows
