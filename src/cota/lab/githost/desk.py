"""What every shape of the Git host shares: the repositories, who may see them, how often, and the answers that never change."""

from dataclasses import dataclass

from cota.lab.githost.access import Limiter, Tokens
from cota.lab.githost.repos import Cache, Repositories


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of a Git host.

    Attributes:
        repositories: What is shown.
        tokens: What opens the private ones.
        limiter: Counts the calls of those APIs that count.
        cache: Answers that never change.
        max_entries: Entries after which GitHub's listing is cut.
    """

    repositories: Repositories
    tokens: Tokens
    limiter: Limiter
    cache: Cache
    max_entries: int

    def seen(self, name: str | None, token: bytes | None) -> str | None:
        """Give the name of a repository that this token may see; None where there is none, or where it may not know of it."""
        return name if name is not None and self.tokens.opens(token, name) else None
