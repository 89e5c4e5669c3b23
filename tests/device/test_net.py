"""How long an answer may take: only the time spent waiting for it counts."""

from helper import raises
from ota.errors import NetworkError
from ota.net import GRACE_SECONDS, Net

PURE = True
BODY = 4000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY
URL = ("http", "host", 80, "/")


class Link:
    """A board's clock, its socket pool, and the one socket, whose answer comes in pieces of 100 bytes, `wait` seconds each."""

    SOCK_STREAM = 1

    def __init__(self, wait):
        self.now = 0  # milliseconds
        self._wait = wait
        self._answer = HEAD + bytes(BODY)

    def millis(self):
        return self.now

    def feed(self):
        pass

    def socket_pool(self):
        return self

    def getaddrinfo(self, host, port, family, kind):
        return [(2, kind, 0, "", (host, port))]

    def socket(self, family, kind):
        return self

    def settimeout(self, seconds):
        pass

    def connect(self, address):
        pass

    def send(self, data):
        return len(data)

    def recv_into(self, buffer, size):
        self.now += self._wait * 1000
        part = self._answer[: min(size, 100)]
        self._answer = self._answer[len(part) :]
        buffer[: len(part)] = part
        return len(part)

    def close(self):
        pass


def read(link, pause):
    """The length of the body, read 100 bytes at a time with `pause` seconds of the program's own between two reads."""
    net = Net(link)
    assert net.open("GET", URL, {}) == 200
    view = memoryview(bytearray(100))
    total = 0
    while True:
        link.now += pause * 1000
        count = net.read_into(view)
        total += count
        if count < len(view):
            return total


def test_a_program_that_is_long_about_its_own_work_between_two_reads_costs_no_answer():
    assert read(Link(0), 2 * GRACE_SECONDS) == BODY


def test_an_answer_that_is_waited_for_too_long_is_given_up_as_slow():
    assert raises(NetworkError, read, Link(2), 0).code == "slow"


def test_an_answer_that_comes_slowly_but_in_time_is_read_to_its_end():
    assert GRACE_SECONDS < 41 + BODY // 256
    link = Link(1)
    assert read(link, 0) == BODY and link.now > GRACE_SECONDS * 1000
