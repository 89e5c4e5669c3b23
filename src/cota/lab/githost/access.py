"""Who may ask the Git host, and how often."""

import hashlib
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

# Addresses that are counted at once; the one that asked longest ago is forgotten first.
_MAX_CLIENTS = 10_000
# GitHub's limit for a signed-in user; shown, not enforced, where no limit is asked for.
_SIGNED_IN_CALLS = 5_000
_WINDOW_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many API calls a client has in a window; the defaults are GitHub's.

    Attributes:
        calls: Calls of one address without a token.
        window_seconds: Seconds from the first call until the count starts anew.
        token_calls: Calls of one token.
    """

    calls: int = 60
    window_seconds: int = _WINDOW_SECONDS
    token_calls: int = _SIGNED_IN_CALLS


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a client stands; `headers` is what GitHub says of it with each answer."""

    limit: int
    remaining: int
    used: int
    reset: int
    allowed: bool

    def headers(self) -> dict[str, str]:
        """Give the x-ratelimit headers."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-reset": str(self.reset),
            "x-ratelimit-resource": "core",
        }


class Limiter:
    """Counts calls per client in windows that start with the client's first call. Safe to use from several threads.

    Args:
        limit: What is enforced; None counts and tells, and refuses nobody.
        now: Seconds since 1970.
    """

    def __init__(self, limit: RateLimit | None, now: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._now = now
        self._lock = threading.Lock()
        self._clients: OrderedDict[str, tuple[float, int]] = OrderedDict()

    @property
    def window_seconds(self) -> int | None:
        """How long a window is; None where nothing is enforced."""
        return None if self._limit is None else self._limit.window_seconds

    def count(self, client: str, *, signed_in: bool, calls: int = 1) -> Standing:
        """Count calls of a client and say where it stands; 0 only looks, and -1 takes a call back."""
        limit = self._limit or RateLimit(calls=_SIGNED_IN_CALLS)
        allowance = limit.token_calls if signed_in else limit.calls
        now = self._now()
        with self._lock:
            start, used = self._clients.get(client, (now, 0))
            if now >= start + limit.window_seconds or now < start:
                start, used = now, 0
            allowed = self._limit is None or used + calls <= allowance
            used = max(0, used + calls) if allowed else used
            if calls:
                self._clients[client] = (start, used)
                self._clients.move_to_end(client)
                while len(self._clients) > _MAX_CLIENTS:
                    self._clients.popitem(last=False)
        # A host that refuses nobody never says 0, or a well-behaved client would wait.
        remaining = max(0 if self._limit else 1, allowance - used)
        # Rounded up: who waits until then is not refused once more.
        return Standing(allowance, remaining, used, ceil(start + limit.window_seconds), allowed)


@dataclass(frozen=True, slots=True)
class GitToken:
    """A personal access token.

    Attributes:
        text: The token.
        expires: When it stops working, with a time zone; None: never.
    """

    text: str
    expires: datetime | None = None

    def __repr__(self) -> str:
        return f"GitToken(…, {self.expires!r})"


class Tokens:
    """The tokens that open private repositories.

    Args:
        by_repository: "owner/repo" to the token that opens it; a repository that is not in it is public.
        now: Seconds since 1970.
    """

    def __init__(self, by_repository: Mapping[str, str | GitToken], now: Callable[[], float] = time.time) -> None:
        tokens = {name.lower(): GitToken(token) if isinstance(token, str) else token for name, token in by_repository.items()}
        self._by_repository = {name: token.text.encode("utf-8") for name, token in tokens.items()}
        self._expires = {token.text.encode("utf-8"): token.expires for token in tokens.values()}
        self._now = now

    def is_private(self, repository: str) -> bool:
        """Say whether a repository is opened by a token only."""
        return repository.lower() in self._by_repository

    def opens(self, token: bytes | None, repository: str) -> bool:
        """Say whether a repository is public or the token is the right one and still works, in constant time."""
        wanted = self._by_repository.get(repository.lower())
        return wanted is None or (token is not None and hmac.compare_digest(token, wanted) and not self.is_expired(token))

    def knows(self, token: bytes) -> bool:
        """Say whether the token opens anything at all, now, in constant time."""
        known = [hmac.compare_digest(token, wanted) for wanted in self._by_repository.values()]
        return any(known) and not self.is_expired(token)

    def is_expired(self, token: bytes) -> bool:
        """Say whether the token is one that worked once."""
        expires = self._expires.get(token)
        return expires is not None and expires.timestamp() <= self._now()

    def expiry_headers(self, token: bytes | None) -> dict[str, str]:
        """Give what GitHub tells of a token with each answer of its API: when it expires, as `2026-12-24 09:30:00 UTC`."""
        expires = None if token is None else self._expires.get(token)
        if expires is None:
            return {}
        return {"github-authentication-token-expiration": f"{expires.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"}


def read_token(header: str | None) -> bytes | None:
    """Give the token of an Authorization header in the forms that GitHub takes, `token …` and `Bearer …`.

    Returns:
        None without the header; empty where the header has another form, which opens nothing.
    """
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip().encode("utf-8") if scheme.lower() in ("token", "bearer") else b""


def client_key(address: str, token: bytes | None) -> str:
    """Give the name under which a client's calls are counted; it holds no token."""
    return address if token is None else "token " + hashlib.sha256(token).hexdigest()
