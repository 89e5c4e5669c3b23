"""The library's board module on the modules of a board, as the simulator makes them."""

from helper import raises
from ota.board import Board
from ota.errors import NetworkError

PURE = True
BOARD = True
LANES = ("cpython", "micropython", "micropython-sha1")  # a CircuitPython VM brings modules of its own


def test_without_wifi_there_is_no_socket_pool_but_an_error_of_ours():
    import wifi

    wifi.radio.stop_station()
    assert not wifi.radio.connected
    assert raises(NetworkError, Board().socket_pool).code == "wifi"


def test_a_wrong_password_raises_what_the_original_program_catches():
    import wifi

    raises(OSError, wifi.radio.connect, "test", "wrong-password")


def test_with_wifi_the_pool_is_made_once_and_a_closed_port_is_an_oserror():
    import wifi

    wifi.radio.connect("test", "test-password")
    board = Board()
    pool = board.socket_pool()
    assert board.socket_pool() is pool
    sock = pool.socket(pool.AF_INET, pool.SOCK_STREAM)
    try:
        sock.settimeout(5)
        raises(OSError, sock.connect, ("127.0.0.1", 1))
    finally:
        sock.close()


def test_the_clock_does_not_run_backwards():
    board = Board()
    first = board.seconds()
    assert first >= 0 and board.seconds() >= first


def test_feeding_without_a_watchdog_does_nothing():
    assert Board().feed() is None
