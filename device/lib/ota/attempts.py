"""How often a release was tried, when it is tried next, and when it is given up. No clock and no file: times and chances are arguments.

Waits are exponential with jitter. They survive a reset: what `kept` gives is written down after a failure, and only then. A board has no
clock while it is off, so the whole wait begins anew.
"""

FIRST_WAIT = 15  # seconds before the second try
MAX_WAIT = 3600  # seconds; a board that waits longer looks dead
MAX_TRIES = 12  # some hours of trying, then the release is given up
# Failures that say nothing against the release, so that no number of them gives it up; a NetworkError, which is an OSError, is one too.
_PATIENT = ("read_only", "git_limit", "git_status", "tb_status", "tb_token")


def wait(tries, chance, asked=None):
    """Seconds until the next try.

    Args:
        tries: How many tries have failed, from 1.
        chance: A random number in [0, 1): jitter keeps a fleet that failed together from coming back together.
        asked: Seconds that the server asked for, which come on top.
    """
    longest = min(FIRST_WAIT << min(tries, 10), MAX_WAIT)
    return int(FIRST_WAIT + (longest - FIRST_WAIT) * chance) + (asked or 0)


class Attempts:
    """The tries of one release after the other.

    Attributes:
        next: When the release may be tried, in seconds since power-on.
        kept: What is to be written down.
    """

    def __init__(self):
        self.next = 0
        # which release; failures; those of them that count against it; seconds from the last one to the next try
        self.kept = [0, 0, 0, 0]

    def begin(self, key, kept, now):
        """Take up the release `key`: at once, or as `kept` has it.

        Args:
            now: Seconds since power-on; None after a deep sleep, which was the wait: such a board may never be awake for long enough.
        """
        key = int(key[:7], 16)  # tells it from another
        self.kept = kept if kept and kept[0] == key else [key, 0, 0, 0]
        self.next = 0 if now is None else now + self.kept[3]

    def failed(self, exc, now, chance):
        """Count a failure; gives the seconds until the next try, or None where the release is given up."""
        kept = self.kept
        kept[1] += 1
        kept[2] += exc.code not in _PATIENT and not isinstance(exc, OSError)
        if not exc.later or kept[2] >= MAX_TRIES:
            return None
        kept[3] = wait(kept[1], chance, exc.wait)
        self.next = now + kept[3]
        return kept[3]
