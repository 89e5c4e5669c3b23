"""A board's drive over CircuitPython's web workflow: plain HTTP on the local network (docs/workflows.md of CircuitPython, Web).

The password travels unencrypted, as that protocol has it; nobody can change that from here.
"""

import json
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from cota.drive.boot_out import BOOT_OUT, BoardInfo, parse_boot_out
from cota.drive.target import DriveError, Entry
from cota.errors import CotaError
from cota.thingsboard.address import checked_url, is_loopback

_TIMEOUT_SECONDS = 20.0  # for each piece: the board writes flash while it receives
_TRIES = 3  # a write starts the board's program anew, and meanwhile a connection may be refused
_PAUSE_SECONDS = 0.5
_BLOCK = 512

# What a board's answer means: the sentence behind "PATH on HOST:", and what to do.
_MEANINGS = {
    401: ("the password is wrong", "It is CIRCUITPY_WEB_API_PASSWORD in the board's settings.toml; give it in COTA_WEB_PASSWORD."),
    403: (
        "the board has no password for its web workflow",
        "Set CIRCUITPY_WEB_API_PASSWORD in its settings.toml over USB or the serial console, and reset it.",
    ),
    404: ("the folder is not there", "Run this again; if it stays so, the drive is damaged."),
    409: (
        "the board offers its drive over USB, so nothing else may write it",
        "Install over USB, without --host; afterwards cOTA's boot.py leaves the drive to the board. Boards without a USB drive need none "
        "of this.",
    ),
    412: ("the name is taken", "Run this again."),
    413: ("there is no room for the file", "Delete what you do not need from the drive, and run this again."),
    417: ("there is no room for the file", "Delete what you do not need from the drive, and run this again."),
    500: ("the board could not do it", "The drive may be full or damaged; reset the board and run this again."),
}


class WebDrive:
    """A board's drive by its address. Use it in a `with`, or close it.

    Args:
        host: Name or address, with a port if it is not 80; http:// before it may stand.
        password: CIRCUITPY_WEB_API_PASSWORD of the board.

    Raises:
        CotaError: It is no address, nobody answers there, or it is no board.
    """

    is_usb = False

    def __init__(self, host: str, password: str) -> None:
        url = checked_url(host if "://" in host else f"http://{host}")
        self._base = str(url)
        self._http = httpx2.Client(
            auth=("", password),
            timeout=_TIMEOUT_SECONDS,
            # The board serves one connection at a time.
            limits=httpx2.Limits(max_connections=1, max_keepalive_connections=0),
            trust_env=not is_loopback(url.host),
        )
        try:
            self._version = self._find()
        except BaseException:
            self._http.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _find(self) -> dict[str, Any]:
        """Follow circuitpython.local to the board's own name, and see that it is a board."""
        response = self._send("GET", "/cp/version.json", follow=True)
        answer = _json(response)
        if response.status_code != 200 or not isinstance(answer, dict) or "web_api_version" not in answer:
            raise DriveError(
                f"{self._base} answers, but not as CircuitPython's web workflow does.",
                "Check the address; http://circuitpython.local shows the boards that there are.",
            )
        self._base = str(response.url).removesuffix("/cp/version.json")
        return answer

    @property
    def name(self) -> str:
        return self._base

    def board(self) -> BoardInfo:
        """Tell which board it is."""
        told = parse_boot_out((self.read(BOOT_OUT) or b"").decode("utf-8", "replace"))
        if told is not None:
            return told
        version, name, chip, board_id = (str(self._version.get(key, "")) for key in ("version", "board_name", "mcu_name", "board_id"))
        return BoardInfo(version, name, chip, board_id)

    def entries(self, folder: str) -> list[Entry]:
        path = f"/fs/{quote(folder)}/" if folder else "/fs/"
        response = self._send("GET", path, headers={"Accept": "application/json"})
        if response.status_code == 404:
            return []
        answer = _json(self._good(response, folder or "/"))
        # A list up to version 3 of the API, an object with the list in it since.
        files = answer.get("files") if isinstance(answer, dict) else answer
        try:
            return [Entry(str(one["name"]), bool(one["directory"]), int(one["file_size"])) for one in files or []]
        except (TypeError, KeyError, ValueError) as error:
            raise DriveError(f"{self._base} lists {folder or '/'} in a way that is not CircuitPython's.") from error

    def read(self, path: str) -> bytes | None:
        response = self._send("GET", f"/fs/{quote(path)}")
        return None if response.status_code == 404 else self._good(response, path).content

    def write(self, path: str, data: bytes) -> None:
        headers = {"X-Timestamp": str(int(time.time() * 1000))}
        response = self._send("PUT", f"/fs/{quote(path)}", content=data, headers=headers)
        if response.status_code == 404:  # a folder before it lacks
            parts = path.split("/")[:-1]
            for count in range(1, len(parts) + 1):
                folder = "/".join(parts[:count])
                self._good(self._send("PUT", f"/fs/{quote(folder)}/", headers=headers), folder)
            response = self._send("PUT", f"/fs/{quote(path)}", content=data, headers=headers)
        self._good(response, path)

    def move(self, source: str, target: str) -> None:
        self.remove(target)
        response = self._send("MOVE", f"/fs/{quote(source)}", headers={"X-Destination": f"/fs/{quote(target)}"})
        # Told twice, because the first answer was lost, the second answer says that there is nothing to move any more.
        if response.status_code != 404 or self.read(target) is None:
            self._good(response, source)

    def remove(self, path: str) -> None:
        response = self._send("DELETE", f"/fs/{quote(path)}")
        if response.status_code != 404:
            self._good(response, path)

    def space(self) -> tuple[int, int]:
        disk = self._disk()
        return (int(disk["free"]), int(disk.get("block_size", _BLOCK))) if "free" in disk else (0, _BLOCK)

    def check_writable(self) -> None:
        self.entries("")  # the password
        if self._disk().get("writable") is False:
            raise self._meaning(409, "/")

    def close(self) -> None:
        self._http.close()

    def _disk(self) -> dict[str, Any]:
        """The drive's numbers: an object in version 2 of the API, a list of them since."""
        response = self._send("GET", "/cp/diskinfo.json")
        answer = _json(response) if response.status_code == 200 else None
        first = answer[0] if isinstance(answer, list) and answer else answer
        if not isinstance(first, dict):
            raise DriveError(
                f"{self._base} does not tell how much room its drive has.", "CircuitPython 9 and newer do; install it, or use USB."
            )
        return first

    def _send(
        self, method: str, path: str, *, content: bytes | None = None, headers: dict[str, str] | None = None, follow: bool = False
    ) -> httpx2.Response:
        """Send a request, and again where no answer came: the callers take an answer to the second one for what it is."""
        for attempt in range(_TRIES):
            try:
                return self._http.request(method, self._base + path, content=content, headers=headers, follow_redirects=follow)
            except httpx2.HTTPError as error:
                if attempt == _TRIES - 1:
                    is_unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                    what = "cannot be reached" if is_unsent else f"went away during {method} {path}"
                    raise DriveError(
                        f"{self._base} {what}: {error}.",
                        "Check the name, that the board is on and in this network, and that its Wi-Fi settings are right; run this again.",
                    ) from error
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    def _good(self, response: httpx2.Response, path: str) -> httpx2.Response:
        if not response.is_success:
            raise self._meaning(response.status_code, path)
        return response

    def _meaning(self, status: int, path: str) -> CotaError:
        what, hint = _MEANINGS.get(status, (f"it answers {status}", "Reset the board and run this again."))
        return DriveError(f"{path} on {self._base}: {what} (HTTP {status}).", hint)


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
