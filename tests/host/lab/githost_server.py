"""A Git host on a real socket, and a client that sends a path exactly as given."""

import contextlib
import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from cota.lab.githost import RateLimit, routes


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Host:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, method: str = "GET", agent: str | None = "test", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_accept_encoding=True)
            if agent is not None:
                connection.putheader("User-Agent", agent)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def api(self, path: str, **headers: str) -> Answer:
        return self.get(f"/api/v3{path}", **headers)


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextlib.contextmanager
def serving(
    repositories: Mapping[str, Path],
    rate_limit: RateLimit | None = None,
    tokens: Mapping[str, str] | None = None,
    max_tree_entries: int = 100_000,
) -> Iterator[Host]:
    app = Starlette(routes=routes(repositories, rate_limit, tokens=tokens, max_tree_entries=max_tree_entries))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        yield Host(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
