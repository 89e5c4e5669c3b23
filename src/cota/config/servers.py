"""The servers that `cota login` has been told of. Nothing secret is in here."""

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self

from cota.config import files
from cota.errors import CotaError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_SERVERS = 1000

# How the secret is used, and where it lies.
Kind = Literal["api-key", "sign-in"]
Place = Literal["keyring", "file"]


@dataclass(frozen=True)
class Entry:
    """One server.

    Attributes:
        url: Its address, without a slash at the end.
        username: Who signed in; "" with an API key.
        kind: What the secret is: an API key, or the refresh token that a sign-in with a password left.
        place: Where the secret lies.
    """

    url: str
    username: str
    kind: Kind
    place: Place


def check_name(name: str) -> str:
    """Return the name of a server if it is one.

    Raises:
        CotaError: It is none: it becomes the name of a file.
    """
    if not _NAME.fullmatch(name):
        raise CotaError(f"{name!r} cannot be the name of a server.", "Use letters, digits, '.', '_' and '-', at most 64, such as 'home'.")
    return name


@dataclass
class Book:
    """All servers by name, and which one is meant where none is named."""

    default: str | None = None
    servers: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Self:
        """Read the book; without a file it is empty.

        Raises:
            CotaError: It cannot be read, or is not one of ours.
        """
        given = files.read_json(_path())
        if given is None:
            return cls()
        try:
            servers = {check_name(str(name)): Entry(**entry) for name, entry in given["servers"].items()}
            return cls(given["default"] if given["default"] in servers else None, servers)
        except (AttributeError, KeyError, TypeError) as error:
            raise CotaError(f"{_path()} is not a list of servers.", "Delete it and sign in again with `cota login`.") from error

    def write(self) -> None:
        """Write the book.

        Raises:
            CotaError: It cannot be written.
        """
        if len(self.servers) > _MAX_SERVERS:
            raise CotaError(f"More than {_MAX_SERVERS} servers are kept.", "`cota logout --server NAME` forgets one.")
        files.write_json(_path(), {"default": self.default, "servers": {name: asdict(entry) for name, entry in self.servers.items()}})

    def find(self, name: str | None) -> tuple[str, Entry] | None:
        """Return the server of this name, or the default; None where nothing is named and there is no default.

        Raises:
            CotaError: There is none of this name.
        """
        if name is None:
            return (self.default, self.servers[self.default]) if self.default else None
        if check_name(name) not in self.servers:
            known = f"Known are: {', '.join(sorted(self.servers))}." if self.servers else "None is known yet."
            raise CotaError(f"No server is named {name!r} here.", f"{known} `cota login --server {name} --url URL` adds it.")
        return name, self.servers[name]

    def at(self, url: str) -> tuple[str, Entry] | None:
        """Return the server of this address, the default before others; None where there is none."""
        names = sorted(self.servers, key=lambda name: (name != self.default, name))
        return next(((name, self.servers[name]) for name in names if self.servers[name].url == url), None)


def _path() -> Path:
    return files.folder() / "servers.json"
