"""When to try again, and when to stop: exponential with full jitter."""

FIRST_WAIT = 15  # seconds before the second try
MAX_WAIT = 3600  # seconds; a board that waits longer looks dead
MAX_TRIES = 12  # some hours of trying, then the release is given up


def wait(tries, chance, asked=None):
    """Seconds until the next try.

    Args:
        tries: How many tries have failed, from 1.
        chance: A random number in [0, 1): full jitter keeps a fleet that failed together from coming back together.
        asked: Seconds that the server asked for; never less than this is waited.
    """
    longest = min(FIRST_WAIT << min(tries, 10), MAX_WAIT)
    own = int(FIRST_WAIT + (longest - FIRST_WAIT) * chance)
    return max(own, asked + int(FIRST_WAIT * chance)) if asked is not None else own
