"""Where a secret lies: in the system's keyring where there is one, else in a file that only this user may read.

The keyring is asked through the library `keyring`, which is used where it is installed and not needed where it is not: on Linux it brings
eight packages along.
"""

import contextlib
import importlib
from pathlib import Path
from typing import Any

from cota.config import files
from cota.config.servers import Place

_SERVICE = "cota"


def keep(server: str, secret: str, *, place: Place | None = None) -> Place:
    """Keep a server's secret and return where.

    Args:
        server: The server's name.
        secret: An API key or a refresh token.
        place: Where it has to be; None chooses.

    Raises:
        CotaError: No place took it.
    """
    keyring = _keyring() if place != "file" else None
    if keyring is not None:
        # Each backend raises errors of its own beside the library's: a locked chest, a bus that is gone, a secret too long for Windows.
        with contextlib.suppress(Exception):
            keyring.set_password(_SERVICE, server, secret)
            files.remove(_path(server))
            return "keyring"
    files.write_json(_path(server), {"secret": secret})
    return "file"


def recall(server: str, place: Place) -> str | None:
    """Return a server's secret; None where it is not there any more.

    Raises:
        CotaError: Its file cannot be read, or others may read it.
    """
    if place == "keyring":
        keyring = _keyring()
        with contextlib.suppress(Exception):
            found = None if keyring is None else keyring.get_password(_SERVICE, server)
            if found:
                return str(found)
    given = files.read_json(_path(server), private=True)
    secret = given.get("secret") if isinstance(given, dict) else None
    return secret if isinstance(secret, str) and secret else None


def forget(server: str) -> None:
    """Drop a server's secret from wherever it lies.

    Raises:
        CotaError: Its file cannot be deleted.
    """
    keyring = _keyring()
    if keyring is not None:
        with contextlib.suppress(Exception):
            keyring.delete_password(_SERVICE, server)
    files.remove(_path(server))


def _keyring() -> Any:
    try:
        return importlib.import_module("keyring")
    except ImportError:
        return None


def _path(server: str) -> Path:
    return files.folder() / "secrets" / f"{server}.json"
