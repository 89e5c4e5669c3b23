"""What a board costs the network: an idle hour, and an update that is cut off halfway."""

from itertools import pairwise

from bench import releases
from bench.figures import Figure, ratio
from bench.outcome import cost, update_window
from bench.rig import Case, Rig

GROUP = "network"
_HOUR = Case(program="hour_main.py", calls=0)
_CUT = Case([releases.example()], "cut_main.py")
_NOTE = (
    "An hour of the board's clock; polls come every 60 s, give or take a half. A connection is a TLS handshake where the URL is "
    "https. The wait is that of an assignment at a chance moment. Cut: the power goes when half of the bytes are there, and comes back."
)


def measure(rig: Rig) -> list[Figure]:
    """Run both boards."""
    idle = rig.run_once(_HOUR).require()
    over = idle.all("hour over")[0]
    hour = cost(idle.all("hour")[0], over)
    gaps = [later - earlier for earlier, later in pairwise(over.said["facts"]["asked"])]
    release = _CUT.releases[0]
    cut = cost(*update_window(rig.run_once(_CUT).require(), 0))
    size = sum(map(len, release.values()))
    return [
        Figure(GROUP, "idle hour: requests", sum(hour.requests.values()), note=_NOTE),
        Figure(GROUP, "idle hour: connections", hour.connections),
        Figure(GROUP, "idle hour: bytes of the answers' bodies", sum(hour.bytes_out.values())),
        Figure(GROUP, "seconds from an assignment to the poll that sees it, on average", round(mean_wait(gaps))),
        Figure(
            GROUP, f"cut at 50 % ({len(release)} files, {size // 1000} kB): Git API calls, both starts together", cut.requests["git-api"], 2
        ),
        Figure(GROUP, f"cut at 50 %: file requests, for {len(release)} files", cut.requests["git-raw"]),
        Figure(GROUP, "cut at 50 %: bytes of files ÷ the release", ratio(cut.bytes_out["git-raw"], size)),
        Figure(GROUP, "cut at 50 %: connections", cut.connections),
    ]


def mean_wait(gaps: list[float]) -> float:
    """The mean wait for the end of a gap, from a chance moment: long gaps are met more often.

    Raises:
        ZeroDivisionError: there is no gap.
    """
    return sum(gap * gap for gap in gaps) / (2 * sum(gaps))
