"""Who may ask the Git host, and how often: counting on a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from cota.lab.githost.access import Limiter, RateLimit, Tokens, client_key, read_token
from cota.lab.githost.repos import Cache


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), max_size=60), calls=st.integers(0, 5))
def test_no_client_gets_more_than_its_calls_in_a_window(steps: list[tuple[str, int]], calls: int) -> None:
    clock = Clock()
    limiter = Limiter(RateLimit(calls=calls, window_seconds=60), clock)
    windows: dict[tuple[str, int], int] = {}
    for client, wait in steps:
        clock.now += wait
        standing = limiter.count(client, signed_in=False)
        assert clock.now < standing.reset <= clock.now + 60
        assert standing.used + standing.remaining == calls
        if standing.allowed:
            key = (client, standing.reset)
            windows[key] = windows.get(key, 0) + 1
        else:
            assert standing.remaining == 0
    assert all(count <= calls for count in windows.values())


def test_the_count_starts_anew_with_the_window_and_each_client_has_its_own() -> None:
    clock = Clock()
    limiter = Limiter(RateLimit(calls=1, window_seconds=60), clock)
    assert limiter.count("a", signed_in=False).allowed
    assert not limiter.count("a", signed_in=False).allowed
    assert limiter.count("b", signed_in=False).allowed
    clock.now += 60
    assert limiter.count("a", signed_in=False).allowed
    clock.now -= 3600
    assert limiter.count("a", signed_in=False).allowed


@given(start=st.floats(1000, 2000), late=st.floats(0, 29.9), window=st.integers(1, 30))
def test_who_waits_until_the_second_that_was_told_is_not_refused_again(start: float, late: float, window: int) -> None:
    clock = Clock()
    clock.now = start
    limiter = Limiter(RateLimit(calls=1, window_seconds=window), clock)
    limiter.count("a", signed_in=False)
    clock.now += min(late, window - 0.05)
    refused = limiter.count("a", signed_in=False)
    assert not refused.allowed
    # A board has no clock: it waits by the answer's own Date, which has whole seconds.
    clock.now += refused.reset - int(clock.now)
    assert limiter.count("a", signed_in=False).allowed


def test_looking_costs_nothing_and_a_call_can_be_taken_back() -> None:
    limiter = Limiter(RateLimit(calls=2), Clock())
    assert limiter.count("a", signed_in=False, calls=0).used == 0
    limiter.count("a", signed_in=False)
    assert limiter.count("a", signed_in=False, calls=-1).used == 0
    assert limiter.count("a", signed_in=False, calls=-1).used == 0


def test_only_the_form_of_github_is_a_token() -> None:
    assert read_token(None) is None
    assert read_token("token abc") == b"abc"
    assert read_token("Bearer  abc") == b"abc"
    assert read_token("Basic abc") == b""
    assert read_token("Bearer") == b""
    tokens = Tokens({"A/b": "abc"})
    assert not tokens.knows(b"")
    assert tokens.opens(b"abc", "a/B")
    assert not tokens.opens(None, "a/b")
    assert tokens.opens(None, "a/c")
    assert "abc" not in client_key("127.0.0.1", b"abc")


@given(steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=80))
def test_the_cache_gives_what_was_put_last_and_holds_no_more_than_its_limit(steps: list[tuple[int, int]]) -> None:
    cache = Cache(limit=50)
    put: dict[int, bytes] = {}
    for key, size in steps:
        put[key] = bytes([key]) * size
        cache.put(key, put[key])
        assert cache.get(key) == put[key]
        held = [answer for other in put if (answer := cache.get(other)) is not None]
        assert sum(map(len, held)) <= 50
        assert all(cache.get(other) in (None, put[other]) for other in put)
    cache.put("big", b"x" * 51)
    assert cache.get("big") is None
