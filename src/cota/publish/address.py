"""Where a repository is on the web, as boards reach it: github.com, or a host with GitHub Enterprise's paths (the lab is one)."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from cota.errors import CotaError

_GITHUB = ("github.com", "www.github.com", "ssh.github.com")
# git@github.com:owner/repo.git, as git-clone(1) calls it: the scp-like form.
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[A-Za-z0-9.-]+):(?!//)(?P<path>[^:]+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_URL = 255  # characters that ThingsBoard keeps of a package's URL


@dataclass(frozen=True)
class Address:
    """A repository's place.

    Attributes:
        scheme: "https" or "http".
        host: Host, with a port where it is not the usual one.
        owner: Who owns it.
        name: Its name, without ".git".
    """

    scheme: str
    host: str
    owner: str
    name: str

    @property
    def is_github(self) -> bool:
        """Whether it is on github.com, which boards allow without being told."""
        return self.host == "github.com"

    @property
    def url(self) -> str:
        """The repository's page."""
        return f"{self.scheme}://{self.host}/{quote(self.owner)}/{quote(self.name)}"

    @property
    def api(self) -> str:
        """Where its API begins (docs.github.com/rest; GitHub Enterprise Server below /api/v3)."""
        base = "https://api.github.com" if self.is_github else f"{self.scheme}://{self.host}/api/v3"
        return f"{base}/repos/{quote(self.owner)}/{quote(self.name)}"

    def raw(self, commit: str, path: str) -> str:
        """Where the bytes of a file at a commit are."""
        base = "https://raw.githubusercontent.com" if self.is_github else f"{self.scheme}://{self.host}/raw"
        return f"{base}/{quote(self.owner)}/{quote(self.name)}/{commit}/{quote(path)}"

    def pinned(self, commit: str, folder: str) -> str:
        """The URL of a package: one commit, and one folder of it, whatever is pushed later.

        Raises:
            CotaError: It is longer than ThingsBoard takes.
        """
        url = f"{self.url}/tree/{commit}" + (f"/{quote(folder)}" if folder else "")
        if len(url) > _MAX_URL:
            raise CotaError(
                f"The package's URL would have {len(url)} characters, and ThingsBoard takes {_MAX_URL}: {url}",
                "Shorten the folder's path in the repository.",
            )
        return url


def read_address(text: str) -> Address:
    """Read the address of a repository as people and Git write it: https, http, ssh, or git@host:owner/name.

    Raises:
        CotaError: It is none that a board could be given. What stands before an @ is never repeated: it may be a token.
    """
    hint = "Boards need https://github.com/OWNER/NAME, or the same on a host that speaks GitHub's API."
    shown = text.rpartition("@")[2]
    found = _SCP.fullmatch(text)
    if found and "://" not in text:
        scheme, host, path = "https", found["host"], found["path"]
    else:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise CotaError(f"{shown!r} is not the address of a repository.", hint) from None
        if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname or parts.query or parts.fragment:
            raise CotaError(f"{shown!r} is not the address of a repository.", hint)
        scheme, host, path = parts.scheme, parts.hostname, unquote(parts.path)
        if ":" in host:
            raise CotaError(f"{shown!r} names its host by an IPv6 address, which boards cannot read.", "Give the host a name.")
        if scheme in ("ssh", "git"):
            scheme = "https"  # those ports are Git's; boards read through the web
        elif port is not None and port != _DEFAULT_PORTS[scheme]:
            host = f"{host}:{port}"
    names = [part for part in path.split("/") if part]
    if len(names) > 2 and names[2] == "tree":
        raise CotaError(f"{shown!r} names a branch, tag or folder.", "Give those apart: cota publish REF --repo URL --folder FOLDER.")
    if len(names) != 2 or not names[1].removesuffix(".git") or "." in names or ".." in names:
        raise CotaError(f"{shown!r} is not the address of a repository.", hint)
    if host.lower() in _GITHUB:
        scheme, host = "https", "github.com"
    return Address(scheme, host.lower(), names[0], names[1].removesuffix(".git"))
