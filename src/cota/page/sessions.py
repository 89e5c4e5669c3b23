"""Who is logged in to the page, pure but for randomness: times come in. A cookie names the session, a token proves the page sent it."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from cota.page.backend import Backend

# A working day and a night: a page that is left open on a wall keeps its session alive by itself.
IDLE_SECONDS = 12 * 3600.0
# However busy: a stolen cookie is worth nothing after a week.
LONGEST_SECONDS = 7 * 24 * 3600.0
_MOST = 100  # sessions at once; the one that was quiet for longest goes
_MOST_ENDED = 1000  # ended sessions of which it is still known why


@dataclass
class Operator:
    """A session.

    Attributes:
        cookie: Its name in the browser.
        backend: The way to the server.
        name: The operator, for people.
        tenant: Whose devices he sees.
        began, used: Times in seconds.
        ended: Why it ended, a sentence for him; None while it lasts.
    """

    cookie: str
    backend: Backend
    name: str
    tenant: str
    began: float
    used: float
    ended: str | None = field(default=None)


class Sessions:
    """All sessions of a page.

    Args:
        idle: Seconds after which a quiet one ends.
        on_end: Called with each that ends.
    """

    def __init__(self, idle: float, on_end: Callable[[Operator], None]) -> None:
        self._idle, self._on_end = idle, on_end
        self._operators: dict[str, Operator] = {}
        self._ended: dict[str, str] = {}
        self._secret = secrets.token_bytes(32)

    def csrf(self, cookie: str) -> str:
        """Return the token that must come with each POST of the browser that has this cookie."""
        return hmac.new(self._secret, cookie.encode("utf-8", "replace"), "sha256").hexdigest()

    def new_cookie(self) -> str:
        """Return a fresh name."""
        return secrets.token_urlsafe(32)

    def begin(self, backend: Backend, name: str, tenant: str, now: float) -> Operator:
        """Log somebody in, under a name that nobody knew before."""
        self._sweep(now)
        if len(self._operators) >= _MOST:
            self.end(min(self._operators.values(), key=lambda one: one.used), "Too many others logged in. Log in again.")
        operator = Operator(self.new_cookie(), backend, name, tenant, now, now)
        self._operators[operator.cookie] = operator
        return operator

    def find(self, cookie: str, now: float) -> Operator | None:
        """Return the session of a cookie, and count this as a sign of life."""
        self._sweep(now)
        operator = self._operators.get(cookie)
        if operator is not None:
            operator.used = now
        return operator

    def why_ended(self, cookie: str) -> str:
        """Return why the session of a cookie ended, so that each tab that asks hears the same; "" where that is not known."""
        return self._ended.get(cookie, "")

    def tell(self, cookie: str, why: str) -> None:
        """Keep the reason for whoever asks with this cookie."""
        self._ended[cookie] = why
        if len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    def end(self, operator: Operator, why: str) -> None:
        """End a session."""
        if self._operators.pop(operator.cookie, None) is not None:
            operator.ended = why
            self.tell(operator.cookie, why)
            self._on_end(operator)

    def end_all(self) -> None:
        """End all, because the page stops."""
        for operator in list(self._operators.values()):
            self.end(operator, "The page was stopped.")

    def _sweep(self, now: float) -> None:
        for operator in list(self._operators.values()):
            if now - operator.used > self._idle or now - operator.began > LONGEST_SECONDS:
                self.end(operator, "You were logged out because nothing happened for long.")
