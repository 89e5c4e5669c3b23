"""The board's side of a case: the real updater, from the poll to the commit, over real sockets. Runs in every VM; no pytest in it.

Its drive is held in memory, its clock can be put forward, and what a board may not exceed is measured: open sockets, and the waits for
the network between two feedings of the watchdog.
"""

import gc
import io
import time

FREE = 400 * 1024  # bytes of the drive, before the arena takes its own
CLUSTER = 1024
OLD = b"print('old')\n"
HOOK = b"# cOTA hook 2\n"
LONGEST_WAIT = 100000  # seconds of the board's clock until a next try must have come
MAX_ERRORS = 3  # of one run; a case has at most two

# WAIT_SECONDS, SILENCES and GRACE_SECONDS of the cases: short ones where the case is about silence or slowness, and where it is not such
# that a busy machine never reaches them.
SHORT = (0.3, 2, 1)
LONG = (5, 2, 30)


class Sockets:
    """A socket pool that counts what is open, and what may take as long as a socket's timeout.

    Attributes:
        waits: Such calls since the watchdog was fed.
        most_waits: The largest number of them.
    """

    def __init__(self, pool):
        self._pool = pool
        self.SOCK_STREAM = pool.SOCK_STREAM
        self.open = self.most = 0
        self.waits = self.most_waits = 0

    def wait(self):
        self.waits += 1
        self.most_waits = max(self.most_waits, self.waits)

    def getaddrinfo(self, host, port, family=0, kind=0):
        self.wait()
        return self._pool.getaddrinfo(host, port, family, kind)

    def socket(self, family, kind):
        self.open += 1
        self.most = max(self.most, self.open)
        return _Counted(self._pool.socket(family, kind), self)


class _Counted:
    def __init__(self, inner, pool):
        self._inner = inner
        self._pool = pool
        self._is_open = True
        self.settimeout = inner.settimeout
        self.send = inner.send

    def connect(self, address):
        self._pool.wait()
        self._inner.connect(address)

    def recv_into(self, view, size=0):
        self._pool.wait()
        return self._inner.recv_into(view, size)

    def close(self):
        if self._is_open:
            self._is_open = False
            self._pool.open -= 1
        self._inner.close()


class Board:
    """Stands in for ota.board.Board."""

    def __init__(self, pool, settings):
        self.pool = Sockets(pool)
        self._settings = settings
        self._ahead = 0
        self._began = time.monotonic()

    def millis(self):
        return int((time.monotonic() - self._began) * 1000)

    def seconds(self):
        return 1000 + self._ahead + self.millis() // 1000

    def skip(self, seconds):
        self._ahead += seconds

    def chance(self):
        return 0.5

    def slept(self):
        return False

    def getenv(self, key):
        return self._settings.get(key)

    def feed(self):
        self.pool.waits = 0

    def socket_pool(self):
        return self.pool

    def tls_context(self, *unused):
        raise AssertionError("no case of this table uses TLS")

    def facts(self):
        return {"board_id": "bench"}

    def hold_reload(self, hold):
        pass

    def reload(self):
        raise AssertionError("nobody asked for a reload")

    reset = reload


def drive_class(store):
    """A Store whose drive is in memory: one old file at the root, a boot.py with the hook, and the state folder's files."""

    class MemoryDrive(store.Store):
        def __init__(self):
            super().__init__()
            self.files = {"old.py": OLD, "boot.py": HOOK}
            self._state = {}
            self._bytes = None

        def size(self, path):
            return len(self.files[path]) if path in self.files else -1

        def names(self, folder):
            return list(self.files) if folder == "" else []

        def hash(self, path, hasher, view):
            hasher.update(self.files[path])

        def read_small(self, path, limit):
            data = self.files.get(path)
            return data if data is not None and len(data) <= limit else None

        def space(self):
            return FREE - -(-self.arena_sectors * 512 // CLUSTER) * CLUSTER, CLUSTER

        def prepare(self):
            pass

        def _read(self, path, offset, count):
            return self._state.get((path, offset), b"")[:count]

        def _write(self, path, offset, data):
            self._state[path, offset] = bytes(data)

        def open_arena(self):
            if self._bytes is None:
                self._bytes = io.BytesIO()
                self._bytes.write(bytes(512))
            self._arena = self._bytes
            self._arena.seek(0, 2)
            self.arena_sectors = self._arena.tell() // 512

        def close_arena(self):
            self._arena = None

        def grow(self, sectors):
            while self.arena_sectors < sectors:
                self._arena.seek(self.arena_sectors * 512)
                self._arena.write(bytes(512))
                self.arena_sectors += 1

        def copy_in(self, path, sector, view):
            # The recovery is not run here, so any bytes stand for it.
            data = self.files.get(path, b"recovery")
            for i in range(len(view)):
                view[i] = data[i] if i < len(data) else 0
            self.write(sector, view)
            return len(data), store.crc32(data) & 0xFFFFFFFF

    return MemoryDrive


def run(ota, case, pool, cloud, git_hosts):
    """Play one case to its end: the release is committed or given up, or it fails in a way that nothing here heals.

    Args:
        ota: Gives a module of the library by its name.
        case: Its dict: "slug", "heals", and "waits" where it is about silence or slowness.
        pool: The VM's socket pool.
        cloud: ThingsBoard's address.
        git_hosts: COTA_GIT_HOSTS.

    Returns:
        A dict of errors (class, code, later, text, seconds until the next try), end, and what was measured.
    """
    net, client = ota("net"), ota("client")
    net.WAIT_SECONDS, net.SILENCES, net.GRACE_SECONDS = SHORT if case["waits"] else LONG
    settings = {"COTA_GIT_HOSTS": git_hosts, "COTA_POLL_SECONDS": "600"}
    board = Board(pool, settings)
    drive = client.store.Store
    client.store.Store = drive_class(ota("store"))
    gc.collect()
    try:
        updater = client.OverTheAirUpdate(cloud, None, case["slug"], None, board)
    finally:
        client.store.Store = drive
    known = (ota("errors").NetworkError, ota("errors").OverTheAirUpdateError)
    errors = []
    waits = 0  # seconds since the last error
    end = None
    while end is None:
        try:
            if updater.is_new_firmware_available():
                if errors and errors[-1][4] is None:
                    errors[-1][4] = waits
                updater.begin()
                while updater.step() != "done":
                    pass
                end = "done"
            elif updater._journal.get("x"):
                end = "failed"
            elif waits > LONGEST_WAIT:
                end = "nothing more came"
            else:
                pause = 1 + waits // 100  # a day is not looked through second by second
                board.skip(pause)
                waits += pause
        except known as exc:
            kind = type(exc).__name__
            if errors and errors[-1][4] is None:
                errors[-1][4] = waits
            errors.append([kind, exc.code, exc.later, exc.args[0], None])
            waits = 0
            if not case["heals"] or len(errors) >= MAX_ERRORS:
                end = "stopped"
    left = board.pool.open if end == "done" else 0
    updater._net.close()
    assert updater._store.files == {"old.py": OLD, "boot.py": HOOK}, "the live tree has changed before the recovery ran"
    return {
        "slug": case["slug"],
        "errors": errors,
        "end": end,
        "sockets": board.pool.most,
        "open": left + board.pool.open,
        "waits": board.pool.most_waits,
        "millis": board.millis(),
    }
