"""Small files in the user's configuration folder, written whole or not at all, for this user's eyes only."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import click

from cota.errors import CotaError

_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700
_OTHERS = 0o077


def folder() -> Path:
    """Return where this system keeps a user's configuration of cota: $XDG_CONFIG_HOME/cota, ~/Library/Application Support/cota, …"""
    return Path(click.get_app_dir("cota"))


def read_json(path: Path, *, private: bool = False) -> Any:
    """Return what a file holds; None where there is none.

    Args:
        path: The file.
        private: Refuse a file that others may read, as ssh does with keys.

    Raises:
        CotaError: It cannot be read, is no JSON, or others may read it.
    """
    try:
        if private and os.name == "posix" and path.stat().st_mode & _OTHERS:
            raise CotaError(f"Other users of this machine may read {path}, which holds a secret.", f"chmod 600 {path}")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CotaError(f"{path} cannot be read: {error.strerror}.", "Check who owns it.") from error
    except ValueError as error:
        raise CotaError(f"{path} is damaged: it is not JSON.", "Delete it and sign in again with `cota login`.") from error


def write_json(path: Path, value: Any) -> None:
    """Write a file that only this user may read, whole or not at all.

    Raises:
        CotaError: It cannot be written.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        # Only the last folder that mkdir makes gets the mode, so each of ours is made by itself.
        for place in (folder(), path.parent):
            place.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        # The file is private from its first moment: a chmod afterwards would leave a gap.
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=2)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise CotaError(f"{path} cannot be written: {error.strerror}.", "Check who may write there, and that there is room.") from error


def remove(path: Path) -> bool:
    """Delete a file and tell whether there was one.

    Raises:
        CotaError: It cannot be deleted.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CotaError(f"{path} cannot be deleted: {error.strerror}.", "Check who may write there.") from error
    return True
