"""`socketpool`: real sockets of the host under CircuitPython's names, with its limits and its errno numbers.

No recv, no makefile; end of stream is 0; sockets work only while the radio is joined; the board has few of them. Every connection is
counted by host and port for the rack.
"""

import errno as _errno
import json as _json
import select as _select
import socket as _socket
import time as _time

import cp_errno as _newlib
import simboard as _board

_CPYTHON = _board.VM == "cpython"
_monotonic = _time.monotonic if _CPYTHON else None
_sleep = _time.sleep

# The host's errno number -> the board's.
_NUMBERS = {}
for _name in dir(_newlib):
    if _name[0] == "E" and hasattr(_errno, _name):
        _NUMBERS[getattr(_errno, _name)] = getattr(_newlib, _name)
# Names that MicroPython's errno module lacks, by Linux's number.
_NUMBERS[101] = 114  # ENETUNREACH
_NUMBERS[32] = 32  # EPIPE

# A name that the rack maps elsewhere resolves to an address of TEST-NET-1 (RFC 5737), which nothing else uses.
_TEST_NET = "192.0.2."
# Slices of waiting, so that an outage that ends is noticed.
_STALL_SECONDS = 0.02

_open = []
_counts = {}
_names = {}  # address -> the name that resolved to it, for the counts


def _flush_counts():
    f = _board.files["net"]
    f.seek(0)
    f.write(_json.dumps(_counts) + "\n")
    f.flush()


_board.at_end.append(_flush_counts)


def _count(host, port):
    key = "%s:%d" % (host, port)
    if key not in _counts:
        _counts[key] = [0, 0, 0]
    return _counts[key]


def translate(error):
    """The host's OSError as the board's."""
    number = getattr(error, "errno", None)
    if _CPYTHON and isinstance(error, TimeoutError):
        number = _errno.ETIMEDOUT
    if not isinstance(number, int):
        return error
    return _board.os_error(_NUMBERS.get(number, number))


def _resolve(host, port):
    """(address, port) to dial on the host's network."""
    hosts = _board.config["hosts"]
    for name in hosts:
        if host == name or host == _fake(name):
            target = hosts[name].rsplit(":", 1)
            return target[0], int(target[1]) if len(target) > 1 else port
    return host, port


def _fake(name):
    return _TEST_NET + str(1 + sorted(_board.config["hosts"]).index(name))


def _lookup(host, port):
    try:
        found = _socket.getaddrinfo(host, port, _socket.AF_INET, _socket.SOCK_STREAM)
    except OSError:
        raise SocketPool.gaierror(-2, "Name or service not known")
    if not found:
        raise SocketPool.gaierror(-2, "Name or service not known")
    return found[0][-1]


def _joined():
    return _board.files["wifi"].connected


class Socket:
    def __init__(self, family=2, type=1, proto=0, _native=None):
        if len(_open) >= _board.profile["sockets"]:
            if _native is not None:
                _native.close()
            raise RuntimeError("Out of sockets")
        self.type = type
        self._native = _native or _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM if type == 2 else _socket.SOCK_STREAM)
        self._timeout = None
        self._counter = None
        self._tls = None
        _open.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def __hash__(self):
        return id(self)

    def _live(self):
        if self._native is None:
            raise _board.os_error(_newlib.EBADF)
        if not _joined():
            self._stall()
        return self._native

    def _stall(self):
        """Nothing moves while the network is away: wait for it as long as the timeout allows."""
        if self._timeout == 0:
            raise _board.os_error(_newlib.EAGAIN)
        waited = 0
        while not _joined():
            if not _board.files["wifi"]._joined:
                raise _board.os_error(_newlib.ENOTCONN)
            if self._timeout is not None and waited >= self._timeout:
                raise _board.os_error(_newlib.ETIMEDOUT)
            _sleep(_STALL_SECONDS)
            waited += _STALL_SECONDS * _board.config["speed"]

    def settimeout(self, value):
        if value is not None and value < 0:
            raise ValueError("timeout must be >= 0")
        self._timeout = value
        if self._native is not None:
            self._native.settimeout(value)

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def setsockopt(self, level, optname, value):
        # Nagle and address reuse are the host's business; the call must only be accepted.
        self._live()

    def _dial(self, address):
        host, port = address
        if not _joined():
            raise _board.os_error(_newlib.EHOSTUNREACH)
        native = self._live()
        ip, real_port = _resolve(host, port)
        where = _lookup(ip, real_port)
        self._counter = _count(_names.get(host, host), port)
        self._counter[0] += 1
        try:
            native.connect(where)
        except OSError as error:
            raise translate(error)

    def connect(self, address):
        self._dial(address)

    def bind(self, address):
        try:
            self._live().bind(_lookup(address[0] or "127.0.0.1", address[1]))
        except OSError as error:
            raise translate(error)

    def listen(self, backlog):
        self._live().listen(backlog)

    def accept(self):
        try:
            native, peer = self._live().accept()
        except OSError as error:
            raise translate(error)
        if not _CPYTHON:
            peer = _socket.sockaddr(peer)
            peer = (".".join([str(b) for b in peer[1]]), peer[2])
        return Socket(2, 1, 0, native), peer

    def send(self, data):
        native = self._live() if self._tls is None else self._tls
        try:
            n = native.send(data) if self._tls is None or _CPYTHON else native.write(data)
        except OSError as error:
            raise translate(error)
        if n is None:
            raise _board.os_error(_newlib.EAGAIN)
        if self._counter is not None:
            self._counter[2] += n
        return n

    def sendall(self, data):
        view = memoryview(data)
        sent = 0
        while sent < len(view):
            sent += self.send(view[sent:])

    def recv_into(self, buffer, bufsize=0):
        self._live()
        size = bufsize or len(buffer)
        if size > len(buffer):
            raise ValueError("bufsize out of range")
        stream = self._native if self._tls is None else self._tls
        try:
            n = stream.recv_into(buffer, size) if _CPYTHON else self._receive(stream, buffer, size)
        except OSError as error:
            raise translate(error)
        if self._counter is not None:
            self._counter[1] += n
        return n

    def _receive(self, stream, buffer, size):
        """What has come, as soon as something has: MicroPython's readinto on a blocking stream waits until the buffer is full."""
        stream.setblocking(False)
        try:
            while True:
                n = stream.readinto(buffer, size)
                if n is not None:
                    return n
                if self._timeout == 0:
                    raise _board.os_error(_newlib.EAGAIN)
                poller = _select.poll()
                poller.register(self._native, _select.POLLIN)
                if not poller.poll(-1 if self._timeout is None else int(self._timeout * 1000)):
                    raise _board.os_error(_newlib.ETIMEDOUT)
        finally:
            if stream is self._native:
                stream.settimeout(self._timeout)
            else:
                stream.setblocking(True)

    def sendto(self, data, address):
        try:
            return self._live().sendto(data, _lookup(address[0], address[1]))
        except OSError as error:
            raise translate(error)

    def recvfrom_into(self, buffer):
        try:
            data, peer = self._live().recvfrom(len(buffer))
        except OSError as error:
            raise translate(error)
        buffer[: len(data)] = data
        if not _CPYTHON:
            peer = _socket.sockaddr(peer)
            peer = (".".join([str(b) for b in peer[1]]), peer[2])
        return len(data), peer

    def close(self):
        if self._native is None:
            return
        stream, self._tls = self._tls, None
        native, self._native = self._native, None
        _open.remove(self)
        for one in (stream, native):
            if one is not None:
                try:
                    one.close()
                except OSError:
                    pass  # a connection that is already dead closes all the same
        if self._counter is not None:
            _flush_counts()


class gaierror(OSError):
    pass


class SocketPool:
    gaierror = gaierror
    AF_INET = 2
    SOCK_STREAM = 1
    SOCK_DGRAM = 2
    SOCK_RAW = 3
    EAI_NONAME = -2
    SOL_SOCKET = 4095
    SO_REUSEADDR = 4
    TCP_NODELAY = 1
    IPPROTO_IP = 0
    IPPROTO_ICMP = 1
    IPPROTO_TCP = 6
    IPPROTO_UDP = 17
    IPPROTO_RAW = 255
    IP_MULTICAST_TTL = 5

    def __init__(self, radio):
        if radio is not _board.files["wifi"]:
            raise TypeError("radio must be of type Radio")

    def socket(self, family=2, type=1, proto=6):
        return Socket(family, type, proto)

    def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
        if not _joined():
            raise SocketPool.gaierror(-2, "Name or service not known")
        if host in _board.config["hosts"]:
            address = _fake(host)
        else:
            where = _lookup(host, port)
            if _CPYTHON:
                address = where[0]
            else:
                address = ".".join([str(b) for b in _socket.sockaddr(where)[1]])
        _names[address] = host
        return [(2, 1, 6, "", (address, port))]
