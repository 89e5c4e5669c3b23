"""A board's web workflow, as CircuitPython's docs/workflows.md and its answers have it: real sockets, one connection a request."""

import base64
import json
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import unquote

VERSION = {
    "web_api_version": 4,
    "version": "10.1.4",
    "build_date": "2026-02-01",
    "board_name": "ESP32-C3-DevKitM-1",
    "mcu_name": "ESP32-C3FN4",
    "board_id": "espressif_esp32c3_devkitm_1_n4",
    "hostname": "cpy-a1b2c3",
    "port": 80,
    "ip": "127.0.0.1",
}


class WebBoard:
    """What the board is like; a test sets it.

    Attributes:
        files: The drive, by path from its root.
        folders: Folders that are there.
        password: None where settings.toml has no CIRCUITPY_WEB_API_PASSWORD.
        usb: The drive is offered over USB.
        api: Version of the API.
        free: Free bytes.
        drops: Requests that the board drops at once, by their number.
        cut: From this changing request on nothing is answered any more; None: never.
        requests: Method and path of each request.
    """

    def __init__(self, files: MutableMapping[str, bytes]) -> None:
        self.files = files
        self.folders = {path[:at] for path in files for at, c in enumerate(path) if c == "/"}
        self.password: str | None = "passw0rd"
        self.usb = False
        self.api = 4
        self.free = 400_000
        self.drops: set[int] = set()
        self.garbles: set[str] = set()
        self.elsewhere: str | None = None
        self.requests: list[str] = []
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    board: WebBoard
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def _serve(self) -> None:
        board = self.board
        board.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if len(board.requests) - 1 in board.drops:
            self.close_connection = True
            return
        if board.elsewhere and self.headers["Host"].startswith("localhost"):
            self._answer(307, Location=board.elsewhere + self.path)
            return
        if self.path.startswith("/cp/"):
            self._about()
            return
        if board.password is None:
            self._answer(403)
            return
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(f":{board.password}".encode()).decode():
            self._answer(401, **{"WWW-Authenticate": 'Basic realm="CircuitPython"'})
            return
        path = unquote(self.path.removeprefix("/fs/"))
        if self.command == "GET":
            self._get(path)
        elif board.usb:
            self._answer(409)
        elif self.command == "PUT":
            self._put(path, body)
        elif self.command == "DELETE":
            self._answer(204 if board.files.pop(path, None) is not None else 404)
        else:
            self._move(path)

    def _about(self) -> None:
        board = self.board
        if self.path == "/cp/version.json":
            self._answer(200, json.dumps({**VERSION, "web_api_version": board.api}).encode())
        elif self.path == "/cp/diskinfo.json" and board.api >= 2:
            disk = {"root": "/", "free": board.free, "block_size": 512, "writable": not board.usb, "total": 1_200_000}
            self._answer(200, json.dumps(disk if board.api == 2 else [disk]).encode())
        else:
            self._answer(404)

    def _get(self, path: str) -> None:
        board = self.board
        if path and not path.endswith("/"):
            data = board.files.get(path)
            if data is not None and path in board.garbles:
                data = data[:-1]
            self._answer(404 if data is None else 200, data or b"")
            return
        if path and path[:-1] not in board.folders:
            self._answer(404)
            return
        found: dict[str, dict[str, Any]] = {}
        for full in [*board.files, *(f"{folder}/" for folder in board.folders)]:
            if full.startswith(path) and full != path:
                name, mark, _ = full[len(path) :].partition("/")
                found[name] = {
                    "name": name,
                    "directory": bool(mark),
                    "modified_ns": 0,
                    "file_size": 0 if mark else len(board.files[full]),
                }
        listed = list(found.values())
        self._answer(
            200, json.dumps(listed if board.api < 4 else {"free": board.free, "writable": not board.usb, "files": listed}).encode()
        )

    def _put(self, path: str, body: bytes) -> None:
        board = self.board
        folder = path.rstrip("/").rpartition("/")[0]
        if folder and folder not in board.folders:
            self._answer(404)
        elif not path.endswith("/"):
            if len(body) > board.free:
                self._answer(413)
                return
            there = path in board.files
            board.files[path] = body
            self._answer(204 if there else 201)
        else:
            there = path[:-1] in board.folders
            board.folders.add(path[:-1])
            self._answer(204 if there else 201)

    def _move(self, path: str) -> None:
        board = self.board
        target = unquote(self.headers.get("X-Destination", "")).removeprefix("/fs/")
        if path not in board.files or not target:
            self._answer(404)
        elif target in board.files:
            self._answer(412)
        else:
            board.files[target] = board.files.pop(path)
            self._answer(201)

    do_GET = do_PUT = do_DELETE = do_MOVE = _serve  # noqa: N815  (the names that http.server looks for)


@contextmanager
def web_board(files: MutableMapping[str, bytes]) -> Iterator[WebBoard]:
    """Serve a board on a free port."""
    board = WebBoard(files)
    server = HTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"board": board}))
    board.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield board
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
