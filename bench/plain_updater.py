"""The usual simple updater, to compare with: list branch main, download every file whole, check it, delete, copy, report, reload.

Written from the description of such an updater's steps, as a CircuitPython program of its own, and a little kinder to the board than
what it stands for: its HTTP reader takes a body into one buffer of the right size. It resolves no ref, looks at no file that is there
already, and replaces the live tree without any way back.
"""

import gc
import hashlib
import json
import os
from binascii import hexlify

import socketpool
import supervisor
import wifi

KEEP = ("boot.py", "boot_out.txt", "lib", "main.py", "safemode.py", "sd", "settings.toml")
TEMPORARY = "/plain_new"
KEYS = "fw_title,fw_version,fw_url"


class PlainUpdater:
    """`check`, and where it says True, `update`, which ends in a reload."""

    def __init__(self, url, port, token):
        self._host = url.split("://")[-1]
        self._port = int(port)
        self._path = "/api/v1/" + token
        self._pool = socketpool.SocketPool(wifi.radio)
        self._wanted = None

    def check(self):
        """Ask for what is assigned and for what the server thinks is installed."""
        wanted = json.loads(self._ask("GET", self._path + "/attributes?sharedKeys=" + KEYS)).get("shared")
        installed = json.loads(self._ask("GET", self._path + "/attributes?clientKeys=" + KEYS)).get("client", {})
        if not wanted:
            return False
        self._wanted = wanted
        return wanted["fw_title"] != installed.get("fw_title") or wanted["fw_version"] != installed.get("fw_version")

    def update(self):
        """Install what is assigned."""
        self._report("DOWNLOADING")
        owner_and_name = "/".join(self._wanted["fw_url"].split("/")[3:5])
        listing = json.loads(self._ask("GET", "/api/v3/repos/" + owner_and_name + "/git/trees/main?recursive=1"))
        entries = [entry for entry in listing["tree"] if entry["type"] == "blob"]
        os.mkdir(TEMPORARY)
        for entry in entries:
            gc.collect()
            data = self._ask("GET", "/raw/" + owner_and_name + "/main/" + entry["path"])
            hasher = hashlib.new("sha1", b"blob %d\0" % len(data))
            hasher.update(data)
            if hexlify(hasher.digest()).decode() != entry["sha"]:
                raise RuntimeError("hashes do not match: " + entry["path"])
            _make_parents(TEMPORARY + "/" + entry["path"])
            with open(TEMPORARY + "/" + entry["path"], "wb") as f:
                f.write(data)
            data = None
        self._report("DOWNLOADED")
        self._report("VERIFIED")
        self._report("UPDATING")
        for name in os.listdir("/"):
            if name not in KEEP and "/" + name != TEMPORARY and name[0] != ".":
                _remove_tree("/" + name)
        for entry in entries:
            gc.collect()
            _make_parents("/" + entry["path"])
            with open(TEMPORARY + "/" + entry["path"], "rb") as f:
                data = f.read()
            with open("/" + entry["path"], "wb") as f:
                f.write(data)
            data = None
        _remove_tree(TEMPORARY)
        self._report("UPDATED")
        self._ask("POST", self._path + "/attributes", {key: self._wanted[key] for key in KEYS.split(",")})
        supervisor.reload()

    def _report(self, state):
        self._ask("POST", self._path + "/telemetry", {"fw_state": state})

    def _ask(self, method, target, values=None):
        """One request on a connection of its own; gives the whole body."""
        body = b"" if values is None else json.dumps(values).encode()
        head = "%s %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: plain\r\nConnection: close\r\n" % (method, target, self._host, self._port)
        if values is not None:
            head += "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        with self._pool.socket(self._pool.AF_INET, self._pool.SOCK_STREAM) as sock:
            sock.settimeout(10)
            sock.connect((self._host, self._port))
            sock.sendall((head + "\r\n").encode() + body)
            return _answer(sock)


def _answer(sock):
    buffer = bytearray(1024)
    head = b""
    while b"\r\n\r\n" not in head:
        count = sock.recv_into(buffer)
        if not count:
            raise RuntimeError("no answer")
        head += bytes(buffer[:count])
    head, _, start = head.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1] != b"200":
        raise RuntimeError("answered " + head.split(b"\r\n")[0].decode())
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    body = bytearray(length)
    body[: len(start)] = start
    view = memoryview(body)
    got = len(start)
    while got < length:
        count = sock.recv_into(view[got:])
        if not count:
            raise RuntimeError("cut short")
        got += count
    return body


def _make_parents(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass
        at = path.find("/", at + 1)


def _remove_tree(path):
    if not os.stat(path)[0] & 0x4000:
        os.remove(path)
        return
    for name in os.listdir(path):
        _remove_tree(path + "/" + name)
    os.rmdir(path)
