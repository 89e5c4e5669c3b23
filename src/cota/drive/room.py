"""How much room an installation takes on a FAT drive, in whole clusters."""

from dataclasses import dataclass

from cota.drive.plan import WAITING, Action, Plan
from cota.drive.target import RefusedError, Target

_ENTRY = 32  # bytes of a name's entry in a folder; a long name takes one more for each 13 characters (FAT long names)
_LONG = 13
_SPARE = 96 * 1024  # bytes that a small release takes besides: the updater's store, and the new files beside the old
_FOLDER_ENTRIES = 2  # `.` and `..`


@dataclass(frozen=True)
class Room:
    """Bytes that an installation needs free at its fullest moment, and that it takes in the end; less than 0: it gives some back."""

    peak: int
    final: int


def check_room(target: Target, plan: Plan) -> list[str]:
    """Give what is to be said of the room that a plan leaves.

    Raises:
        RefusedError: There is not enough for the plan itself.
    """
    free, cluster = target.space()
    room = room_needed(plan.actions, cluster, {path for path in ("lib", "lib/ota") if target.entries(path)})
    if room.peak > free:
        raise RefusedError(
            f"cOTA needs {room.peak:,} bytes on {target.name}, and {free:,} are free.",
            "Delete what you do not need: libraries that no program imports, .mpy files beside .py ones, examples.",
        )
    left = free - room.final
    if left >= _SPARE:
        return []
    return [f"{left:,} bytes will be left: an update needs room for the new files beside the old ones, and may be refused with `space`."]


def room_needed(actions: list[Action], cluster: int, folders: set[str]) -> Room:
    """Add up what a list of actions takes, one after the other.

    Args:
        actions: What is done, in order.
        cluster: Bytes of a cluster.
        folders: Folders that are there already.
    """
    running = peak = 0
    made: dict[str, int] = {}
    for action in actions:
        if action.kind == "keep":
            continue
        old = _clusters(action.old_size or 0, cluster)
        if action.kind == "remove":
            running -= old
            continue
        new = _clusters(len(action.data), cluster)
        # One that waits under another name lies beside the old one for a moment; any other is emptied before it is written.
        peak = max(peak, running + new if action.path in WAITING else running + new - old)
        running += new - old
        folder, _, name = action.path.rpartition("/")
        if folder and action.old_size is None:
            made[folder] = made.get(folder, 0 if folder in folders else _FOLDER_ENTRIES * _ENTRY) + _ENTRY * (1 - -len(name) // _LONG)
            parent = folder.rpartition("/")[0]
            if parent and parent not in folders:
                made.setdefault(parent, _FOLDER_ENTRIES * _ENTRY)
    names = sum(_clusters(size, cluster) for size in made.values())
    return Room(max(peak, running) + names, running + names)


def _clusters(size: int, cluster: int) -> int:
    return -(-size // cluster) * cluster
