"""What a board that has nothing to do costs its server, the Git host and its flash."""

from bench.cases import EXAMPLE, EXAMPLE_PLAIN
from bench.figures import Figure, Value
from bench.outcome import Outcome, cost
from bench.rig import Rig

GROUP = "idle check"
_NOTE = (
    "Peer: the plain updater. After the first install, with its release still assigned; bodies as the server counts them, without heads."
)


def measure(rig: Rig) -> list[Figure]:
    """Look at the polls after the example's first install."""
    ours, plain = rig.run_once(EXAMPLE).require(), rig.run_once(EXAMPLE_PLAIN).require()
    polls = EXAMPLE.polls
    contact, polled, between = (ours.all(name)[1] for name in ("contact", "polled", "between"))
    one, still = cost(contact, polled), cost(polled, between)
    peer = _peer(plain, polls)
    git = one.requests["git-api"] + one.requests["git-raw"]
    unset = cost(*(ours.all(name)[0] for name in ("contact", "polled")))
    return [
        Figure(GROUP, "requests to ThingsBoard, a poll", _each(one.requests["thingsboard"], polls), 1, peer[0]),
        Figure(GROUP, "bytes of the answers' bodies, a poll", _each(one.bytes_out["thingsboard"], polls), 300, peer[1], note=_NOTE),
        Figure(GROUP, "the same where no release is assigned", _each(unset.bytes_out["thingsboard"], polls), 300),
        Figure(GROUP, "requests to the Git host", git, 0, peer[2]),
        Figure(GROUP, "sectors of flash written", between.flash.minus(contact.flash).sectors, 0, peer[3]),
        Figure(GROUP, f"requests between two polls, in {EXAMPLE.calls} calls", sum(still.requests.values()), 0),
    ]


def _each(total: int, polls: int) -> int | float:
    return total // polls if total % polls == 0 else total / polls


def _peer(plain: Outcome, polls: int) -> tuple[Value, Value, Value, Value]:
    contact, polled = plain.all("contact")[1], plain.all("polled")[1]
    given = cost(contact, polled)
    return (
        _each(given.requests["thingsboard"], polls),
        _each(given.bytes_out["thingsboard"], polls),
        given.requests["git-api"] + given.requests["git-raw"],
        polled.flash.minus(contact.flash).sectors,
    )
