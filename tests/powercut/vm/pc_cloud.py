"""The network, from dicts: ThingsBoard's device API and a Git host shaped as GitHub Enterprise, behind a socket pool of our own.

No byte leaves the process. Every few reads a socket gives less than it was asked for, as radios do.
"""

import json
from binascii import hexlify
from hashlib import sha1

_SHORT_EVERY = 5  # reads
_SHORT = 37  # bytes


def _hex(data):
    return hexlify(data).decode()


class Release:
    """A commit of the repository: its listing and its files."""

    def __init__(self, name, files):
        self.files = files
        self.commit = _hex(sha1(name.encode()).digest())
        tree = []
        for path in sorted(files):
            data = files[path]
            sha = sha1(b"blob %d\0" % len(data) + data).digest()
            tree.append({"path": path, "mode": "100644", "type": "blob", "sha": _hex(sha), "size": len(data)})
        self.listing = json.dumps({"sha": self.commit, "tree": tree, "truncated": False}).encode()


class Cloud:
    """Both servers.

    Attributes:
        shared: The shared attributes.
        polls: Requests for them since the last post.
        posts: Posts since the last power-on.
        settled: The device has said UPDATED or FAILED of what is assigned, since the last power-on.
        said: Every fw_state and fw_error since the last power-on.
        fetched: Files given out since the last power-on.
    """

    def __init__(self, releases):
        self._releases = releases
        self._named = {}
        for name in releases:
            self._named[name] = self._named[releases[name].commit] = releases[name]
        self.shared = {}
        self.power_on()

    def power_on(self):
        self.polls = self.posts = self.fetched = self._reads = 0
        self.settled = False
        self.said = []

    def assign(self, name):
        url = "http://git.test/acme/fw/tree/" + name if name else None
        self.shared = {"fw_title": "fw", "fw_version": name, "fw_url": url} if name else {}

    def answer(self, method, target, body):
        """(status, content type, body) for a request."""
        parts = target.split("?")[0].split("/")[1:]
        if parts[:2] == ["api", "v1"]:
            if method == "GET":
                self.polls += 1
                return 200, "application/json", json.dumps({"shared": self.shared} if self.shared else {}).encode()
            self._post(parts[3], json.loads(body))
            return 200, "application/json", b""
        if parts[:3] == ["api", "v3", "repos"]:
            release = self._named.get(parts[-1])
            if release is None:
                return 422, "application/json", b"{}"
            if parts[5] == "commits":
                return 200, "application/vnd.github.sha", release.commit.encode()
            return 200, "application/json", release.listing
        release = self._named.get(parts[3])
        data = None if release is None else release.files.get("/".join(parts[4:]))
        if data is None:
            return 404, "text/plain", b""
        self.fetched += 1
        return 200, "application/octet-stream", data

    def _post(self, kind, values):
        self.polls = 0
        self.posts += 1
        if kind != "telemetry":
            return
        for key in ("fw_state", "fw_error"):
            if values.get(key):
                self.said.append(values[key])
        state = values.get("fw_state")
        if state == "FAILED" or (state == "UPDATED" and values.get("current_fw_version", "") == self.shared.get("fw_version")):
            self.settled = True

    def short(self, count):
        """How many bytes a read gets."""
        self._reads += 1
        return min(count, _SHORT) if self._reads % _SHORT_EVERY == 0 else count


class Socket:
    """One connection."""

    def __init__(self, cloud):
        self._cloud = cloud
        self._request = b""
        self._answer = b""
        self._at = 0

    def settimeout(self, seconds):
        pass

    def connect(self, address):
        pass

    def close(self):
        pass

    def send(self, data):
        self._request += bytes(data)
        head, mark, body = self._request.partition(b"\r\n\r\n")
        if mark:
            length = start = 0
            lines = head.decode().split("\r\n")
            for line in lines[1:]:
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
                elif name.lower() == "range":
                    start = int(value.split("=")[1].split("-")[0])
            if len(body) >= length:
                self._request = body[length:]
                method, target, _ = lines[0].split(" ")
                status, kind, data_out = self._cloud.answer(method, target, body[:length])
                text = "HTTP/1.1 {} X\r\nContent-Type: {}\r\n"
                if start and status == 200:
                    status = 206
                    text += f"Content-Range: bytes {start}-{len(data_out) - 1}/{len(data_out)}\r\n"
                    data_out = data_out[start:]
                text = text.format(status, kind) + f"Content-Length: {len(data_out)}\r\n\r\n"
                self._answer = self._answer[self._at :] + text.encode() + data_out
                self._at = 0
        return len(data)

    def recv_into(self, buf, size=0):
        count = self._cloud.short(min(size or len(buf), len(self._answer) - self._at))
        buf[:count] = memoryview(self._answer)[self._at : self._at + count]
        self._at += count
        return count


class SocketPool:
    """What `socketpool` gives; `cloud` is set once by whoever owns the servers."""

    AF_INET = 2
    SOCK_STREAM = 1
    cloud = None

    def __init__(self, radio):
        pass

    def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
        return [(2, 1, 0, "", (host, port))]

    def socket(self, family=2, type=1, proto=0):  # noqa: A002
        return Socket(self.cloud)
