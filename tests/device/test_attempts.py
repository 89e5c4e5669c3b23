"""When a release is tried again, and when it is given up."""

from ota.attempts import FIRST_WAIT, MAX_TRIES, MAX_WAIT, Attempts, wait
from ota.errors import error

PURE = True
KEY = "0123456789abcdef"
OTHER = "fedcba9876543210"


def test_waits_double_up_to_an_hour_and_never_fall_below_the_first():
    longest = [wait(tries, 0.999999) for tries in range(1, 40)]
    assert longest == sorted(longest) and longest[0] < 2 * FIRST_WAIT and longest[1] < 4 * FIRST_WAIT
    assert MAX_WAIT - 2 <= longest[-1] <= MAX_WAIT
    assert [wait(tries, 0.0) for tries in range(1, 40)] == [FIRST_WAIT] * 39


def test_a_wait_is_anywhere_between_the_first_and_the_longest():
    seen = [wait(5, chance / 100) for chance in range(100)]
    assert min(seen) == FIRST_WAIT and max(seen) > 470
    buckets = [0, 0, 0, 0]
    for seconds in seen:
        buckets[(seconds - FIRST_WAIT) * 4 // 466] += 1
    assert min(buckets) > 20


def test_what_the_server_asks_is_waited_for_and_those_who_were_told_the_same_come_apart():
    assert wait(1, 0.0, 500) == 500 + FIRST_WAIT
    assert len({wait(4, chance / 50, 500) for chance in range(50)}) > 40


def test_a_release_is_tried_at_once():
    tried = Attempts()
    tried.begin(KEY, None, 100)
    assert tried.next == 100


def test_each_failure_that_counts_brings_the_end_nearer_and_the_last_one_is_it():
    tried = Attempts()
    tried.begin(KEY, None, 0)
    now = 0
    for _ in range(MAX_TRIES - 1):
        seconds = tried.failed(error("hash"), now, 0.5)
        assert seconds and tried.next == now + seconds
        now = tried.next
    assert tried.failed(error("hash"), now, 0.5) is None


def test_what_says_nothing_against_the_release_never_ends_it_but_is_asked_ever_less_often():
    for code in ("closed", "timeout", "dns", "wifi", "git_limit", "git_status", "tb_status", "tb_token", "read_only"):
        tried = Attempts()
        tried.begin(KEY, None, 0)
        waits = [tried.failed(error(code), 0, 0.999) for _ in range(5 * MAX_TRIES)]
        assert None not in waits and waits == sorted(waits) and waits[-1] > MAX_WAIT - 10, code


def test_a_release_that_cannot_be_installed_here_ends_at_once():
    tried = Attempts()
    tried.begin(KEY, None, 0)
    assert tried.failed(error("symlink"), 0, 0.5) is None


def test_tries_and_wait_survive_a_reset():
    tried = Attempts()
    tried.begin(KEY, None, 0)
    for _ in range(MAX_TRIES - 2):
        tried.failed(error("hash"), 0, 0.5)
    seconds = tried.failed(error("hash"), 0, 0.5)
    again = Attempts()
    again.begin(KEY, list(tried.kept), 1000)
    assert again.next == 1000 + seconds
    assert again.failed(error("hash"), again.next, 0.5) is None


def test_what_was_written_down_of_another_release_does_not_count():
    tried = Attempts()
    tried.begin(KEY, None, 0)
    for _ in range(MAX_TRIES - 1):
        tried.failed(error("hash"), 0, 0.5)
    again = Attempts()
    again.begin(OTHER, tried.kept, 1000)
    assert again.next == 1000 and again.failed(error("hash"), 1000, 0.0) == FIRST_WAIT
    assert again.kept is not tried.kept and tried.kept[2] == MAX_TRIES - 1


def test_a_board_that_slept_deeply_has_waited_already_but_its_tries_count():
    tried = Attempts()
    tried.begin(KEY, None, 0)
    for _ in range(MAX_TRIES - 1):
        tried.failed(error("hash"), 0, 0.5)
    again = Attempts()
    again.begin(KEY, tried.kept, None)
    assert again.next == 0 and again.failed(error("hash"), 5, 0.5) is None
