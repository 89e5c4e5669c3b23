"""What the page makes of `fw_state`, pure: five groups, and how far along each state is.

Source of the states and of the percentages: ThingsBoard's OtaPackageUpdateStatus and its own firmware dashboard.
"""

GROUPS = ("waiting", "updating", "updated", "failed", "none")

_STATES = {
    "QUEUED": ("waiting", 0),
    "INITIATED": ("waiting", 5),
    "DOWNLOADING": ("updating", 10),
    "DOWNLOADED": ("updating", 55),
    "VERIFIED": ("updating", 60),
    "UPDATING": ("updating", 70),
    "UPDATED": ("updated", 100),
    "FAILED": ("failed", 100),
}


def group_of(state: str) -> str:
    """Return the group of a state; a device that never said one, or says another word, is in "none"."""
    return _STATES.get(state, ("none", 0))[0]


def percent_of(state: str) -> int:
    """Return how far along a state is, in percent."""
    return _STATES.get(state, ("none", 0))[1]
