"""
`ota`
====

Over-the-air updates for CircuitPython: ThingsBoard announces a release, a Git repository holds it, the board downloads, verifies and
installs it.

**Software and Dependencies:** CircuitPython 9 or 10 on a board with Wi-Fi; no other library.
"""

__version__ = "0.1.0"

import gc

# Compiling a module leaves holes all over the heap. Collected after each, what stays lies close together, and a TLS connection finds the
# 16 KiB in one piece that it needs.
for _name in "errors paths url http net journal listing plan store github gather backup compare fetch update report trial".split():
    __import__("ota." + _name)
    gc.collect()

# The VM's table of names doubles in one piece, 14 KB here: let it do so now, not when an update holds its buffers.
for _name in range(100):
    hasattr(gc, "ota" + str(_name))
gc.collect()

from .board import feed
from .client import OverTheAirUpdate, get_thingsboard_settings
from .errors import EmptyGithubRepoError, HashMismatchError, InvalidGithubRepoUrlError, NetworkError, OverTheAirUpdateError

__all__ = (
    "EmptyGithubRepoError",
    "HashMismatchError",
    "InvalidGithubRepoUrlError",
    "NetworkError",
    "OverTheAirUpdate",
    "OverTheAirUpdateError",
    "feed",
    "get_thingsboard_settings",
)
