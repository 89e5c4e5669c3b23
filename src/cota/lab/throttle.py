"""Slowing down whoever guesses passwords, pure: times come in, a waiting time comes out."""

from collections import OrderedDict

# Typing errors of a person are free; from then on each failure doubles the wait.
_FREE_FAILURES = 5
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_MAX_ADDRESSES = 1024  # the oldest is forgotten: memory stays bounded whoever knocks


class LoginThrottle:
    """Failures in a row by address; a success wipes them."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Return the seconds that this address must still wait before its next try; 0 if none."""
        count, last = self._failures.get(address, (0, 0.0))
        if count < _FREE_FAILURES:
            return 0.0
        pause = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(count - _FREE_FAILURES, 16))
        return max(0.0, last + pause - now)

    def failed(self, address: str, now: float) -> None:
        """Count a wrong password."""
        count, _ = self._failures.pop(address, (0, 0.0))
        self._failures[address] = (count + 1, now)
        if len(self._failures) > _MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(address, None)
