"""Requests and bytes of an update, counted at the server."""

from dataclasses import dataclass

from bench import releases
from bench.cases import CHANGED_BYTES, EXAMPLE, EXAMPLE_PLAIN, FILES, ONE_CHANGED, OURS, PLAIN, TREE, with_enough_heap
from bench.figures import Figure, ratio
from bench.outcome import Outcome, cost, update_window
from bench.rig import Case, Rig

GROUP = "update"
_NOTE = (
    "Peer: the plain updater. Bytes are those of answers' bodies at the server, without heads and TLS. Beyond the listing: all that "
    "the Git host gave, less the listing. From the release's assignment to the first contact of the new release, its reports among "
    "them."
)
_HEAP_NOTE = "The plain updater runs out of memory on a Pico W's heap in {}; its figures there are from a run with 2 MB."
_ONE = Case([ONE_CHANGED], OURS, seeded=TREE)
_ONE_PLAIN = Case([ONE_CHANGED], PLAIN, seeded=TREE)
_NONE = Case([TREE], OURS, seeded=TREE)
_NONE_PLAIN = Case([TREE], PLAIN, seeded=TREE)


@dataclass(frozen=True)
class Traffic:
    """One update's traffic; bytes are of answers' bodies."""

    board_requests: int
    api_requests: int
    file_requests: int
    board_bytes: int
    listing: int
    api_bytes: int
    file_bytes: int
    connections: int

    @property
    def beyond(self) -> int:
        """All bytes of the Git host but the listing's."""
        return self.api_bytes + self.file_bytes


def traffic(rig: Rig, outcome: Outcome, ref: str | None = None) -> Traffic:
    """What the only update of an outcome cost.

    Args:
        rig: Where it ran.
        outcome: It.
        ref: What was listed; None for the commit.
    """
    given = cost(*update_window(outcome, 0))
    listing = rig.listing_bytes(outcome.repository, ref or outcome.commits[0])
    return Traffic(
        given.requests["thingsboard"],
        given.requests["git-api"],
        given.requests["git-raw"],
        given.bytes_out["thingsboard"],
        listing,
        given.bytes_out["git-api"] - listing,
        given.bytes_out["git-raw"],
        given.connections,
    )


def measure(rig: Rig) -> list[Figure]:
    """Run the three updates, each with cOTA and with the plain updater."""
    example = releases.example()
    found: list[Figure] = []
    cases = (
        ("first install, 7 files of 64 kB", EXAMPLE, EXAMPLE_PLAIN, "÷ plain tar", releases.tar_bytes(example), (None, None)),
        (f"one file of {FILES} changed", _ONE, _ONE_PLAIN, "÷ the file", CHANGED_BYTES, (2, 1)),
        (f"none of {FILES} changed", _NONE, _NONE_PLAIN, "", 0, (2, 0)),
    )
    for name, ours_case, plain_case, measured_by, size, (api_bar, file_bar) in cases:
        ours = traffic(rig, rig.run_once(ours_case).require())
        outcome, trouble = with_enough_heap(rig, plain_case)
        plain = traffic(rig, outcome, "main")
        note = _HEAP_NOTE.format(f'"{name}"') if trouble else ""
        found += [
            Figure(GROUP, f"{name}: requests to ThingsBoard", ours.board_requests, None, plain.board_requests, note=note),
            Figure(GROUP, f"{name}: Git API calls", ours.api_requests, api_bar, plain.api_requests, note=_NOTE),
            Figure(GROUP, f"{name}: file requests", ours.file_requests, file_bar, plain.file_requests),
            Figure(GROUP, f"{name}: bytes from ThingsBoard", ours.board_bytes, None, plain.board_bytes),
            Figure(GROUP, f"{name}: bytes of the listing", ours.listing, None, plain.listing),
            Figure(GROUP, f"{name}: bytes of other Git API answers", ours.api_bytes, None, plain.api_bytes),
            Figure(GROUP, f"{name}: bytes of files", ours.file_bytes, None, plain.file_bytes),
            Figure(GROUP, f"{name}: connections, each a TLS handshake over https", ours.connections, None, plain.connections),
        ]
        if size:
            what = f"{name}: bytes beyond the listing {measured_by}"
            found.append(Figure(GROUP, what, ratio(ours.beyond, size), 1.05, ratio(plain.beyond, size)))
    return found
