"""What the lab's tests share: an operator who is logged in, unique names, short waiting times."""

import itertools
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx2

from cota.lab.core import Timing

PASSWORD = "correct horse"
# As ThingsBoard's, but short: what is tested is which of them ends a wait, not how long it is.
TIMING = Timing(async_timeout=1.0, poll_timeout=0.3, client_rpc_timeout=0.2, rpc_min_timeout=0.2, rpc_default_timeout=0.4)
_names = itertools.count()


def unique(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{next(_names)}"


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for something that the lab does by itself."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def receive(raw: socket.socket) -> bytes:
    """Return a whole answer, head and body, from a raw socket."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += raw.recv(65536) or b"\r\n\r\n"
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        part = raw.recv(65536)
        assert part, "the answer ended early"
        body += part
    return head + b"\r\n\r\n" + body


class Operator:
    """An administrator with a client, and short words for what tests make."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self.http = httpx2.Client(base_url=url, timeout=30)
        self.tokens = self.http.post("/api/auth/login", json={"username": username, "password": password}).json()
        self.http.headers["X-Authorization"] = f"Bearer {self.tokens['token']}"

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of a GET that must succeed."""
        answer = self.http.get(path, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, **params: Any) -> Any:
        """Return the JSON of a POST that must succeed; None for an empty body."""
        answer = self.http.post(path, json=body, params=params or None)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    def profile(self, **more: Any) -> dict[str, Any]:
        """Make a device profile."""
        return self.post("/api/deviceProfile", {"name": unique("profile"), "type": "DEFAULT", "transportType": "DEFAULT", **more})

    def device(self, profile: dict[str, Any] | None = None, **more: Any) -> tuple[dict[str, Any], str]:
        """Make a device; return it and its token."""
        token = unique("token")
        body = {"name": unique("device"), **({"deviceProfileId": profile["id"]} if profile else {}), **more}
        return self.post("/api/device", body, accessToken=token), token

    def info(self, profile: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make a package without data, or with a URL where `url` is given."""
        body = {"title": unique("app"), "version": "v1", "type": "FIRMWARE", "deviceProfileId": profile["id"], "usesUrl": "url" in more}
        return self.post("/api/otaPackage", body | more)

    def upload(self, package: dict[str, Any], data: bytes, algorithm: str = "SHA256", **more: Any) -> httpx2.Response:
        """Upload a package's file."""
        file = more.pop("file", ("app.bin", data, "application/octet-stream"))
        params = {"checksumAlgorithm": algorithm, **more}
        return self.http.post(f"/api/otaPackage/{package['id']['id']}", files={"file": file}, params=params)

    def package(self, profile: dict[str, Any], data: bytes, **more: Any) -> dict[str, Any]:
        """Make a package with data."""
        answer = self.upload(self.info(profile, **more), data)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def latest(self, device: dict[str, Any], *keys: str) -> dict[str, Any]:
        """Return latest telemetry as key to value, with its types."""
        params = {"useStrictDataTypes": "true"} | ({"keys": ",".join(keys)} if keys else {})
        found = self.get(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/timeseries", **params)
        return {key: samples[0]["value"] for key, samples in found.items()}

    def attributes(self, device: dict[str, Any], scope: str) -> dict[str, Any]:
        """Return a scope as key to value."""
        found = self.get(f"/api/plugins/telemetry/DEVICE/{device['id']['id']}/values/attributes/{scope}")
        return {one["key"]: one["value"] for one in found}
