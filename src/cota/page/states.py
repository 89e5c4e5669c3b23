"""What the page makes of a board's state, pure: five groups."""

from cota.thingsboard.boards import PERCENT

GROUPS = ("waiting", "updating", "updated", "failed", "none")
_WAITING = ("QUEUED", "INITIATED")
_ENDED = {"UPDATED": "updated", "FAILED": "failed"}


def group_of(state: str) -> str:
    """Return the group of a state; a device that nothing is assigned to, or that says another word, is in "none"."""
    if state in _WAITING:
        return "waiting"
    return _ENDED.get(state, "updating" if state in PERCENT else "none")
