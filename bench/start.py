"""How long the command line takes to start, in starts of a bare interpreter."""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.figures import Figure
from bench.rig import Rig

GROUP = "CLI start"
_BAR = 12
_PAIRS = 15
_BARE = (sys.executable, "-c", "pass")
_HELP = (sys.executable, "-c", "from cota.cli import main; main()", "--help")
_NOTE = f"Median of {_PAIRS} pairs, each a start of both, one after the other."


def _seconds(command: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def measure(_rig: Rig) -> list[Figure]:
    """Time both in turns, so that a busy machine slows both."""
    _seconds(_BARE), _seconds(_HELP)  # the first start of each fills the disk's cache
    ratios = [_seconds(_HELP) / _seconds(_BARE) for _ in range(_PAIRS)]
    return [Figure(GROUP, "cota --help ÷ a bare interpreter", round(statistics.median(ratios), 1), _BAR, note=_NOTE)]
