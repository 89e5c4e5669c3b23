"""
`ota`
====

Over-the-air updates for CircuitPython: ThingsBoard announces a release, a Git repository holds it, the board downloads, verifies and
installs it.

**Software and Dependencies:** CircuitPython 9 or 10 on a board with Wi-Fi; no other library.
"""

__version__ = "0.1.0"

from .client import OverTheAirUpdate, get_thingsboard_settings
from .errors import EmptyGithubRepoError, HashMismatchError, InvalidGithubRepoUrlError, NetworkError, OverTheAirUpdateError

__all__ = (
    "EmptyGithubRepoError",
    "HashMismatchError",
    "InvalidGithubRepoUrlError",
    "NetworkError",
    "OverTheAirUpdate",
    "OverTheAirUpdateError",
    "get_thingsboard_settings",
)
