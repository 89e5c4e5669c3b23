"""How to reach the server that is meant: the environment wins over what `cota login` kept.

A secret goes only to the address that it was given for: what was kept for one server is never sent to the one of COTA_URL.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cota.config import secrets
from cota.config.servers import Book, Entry
from cota.errors import CotaError
from cota.thingsboard import Client
from cota.thingsboard.address import checked_url

URL, API_KEY, USERNAME, PASSWORD = "COTA_URL", "COTA_API_KEY", "COTA_USERNAME", "COTA_PASSWORD"  # names of variables
_HOW = f"`cota login --url URL` signs in; or set {URL} and {API_KEY}, or {URL}, {USERNAME} and {PASSWORD}."


class NobodyError(CotaError):
    """Nothing says which server is meant, or who signs in there."""


@dataclass(frozen=True)
class Access:
    """An address and one way to sign in there.

    Attributes:
        server: The server's name in the book; None where the environment names it.
        url: Its address.
        username: Who signs in; None with an API key.
        how: What is used, for people: "API key", "sign-in", "password".
        where: Where it comes from, for people.
    """

    server: str | None
    url: str
    username: str | None
    how: str
    where: str
    api_key: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    on_refresh: Callable[[str], None] | None = field(default=None, repr=False)

    def client(self) -> Client:
        """Return a client; nothing is sent before its first call."""
        return Client(
            self.url,
            username=self.username,
            password=self.password,
            api_key=self.api_key,
            refresh_token=self.refresh_token,
            on_refresh=self.on_refresh,
        )


def find_access(server: str | None = None, environ: Mapping[str, str] | None = None, *, url: str | None = None) -> Access:
    """Return how to reach a server.

    Args:
        server: Its name in the book; None means the environment's or the default one.
        environ: The environment; None is the process's own.
        url: Its address, in place of the environment's.

    Raises:
        NobodyError: None is known, or nobody signed in there.
        CotaError: A way to sign in is there by half, or what was kept is gone.
    """
    variables = os.environ if environ is None else environ
    env = {name: value for name in (URL, API_KEY, USERNAME, PASSWORD) if (value := variables.get(name, "").strip())}
    asked, said_by = (url, "--url") if url else (env.get(URL), URL)
    book = Book.read()
    address = str(checked_url(asked)) if asked else None
    found = book.find(server) if server is not None or address is None else book.at(address)
    if address is None:
        address = found[1].url if found else None
    if address is None:
        known = f"Name one: --server {' or '.join(sorted(book.servers))}." if book.servers else _HOW
        raise NobodyError("It is not known which server is meant.", known)
    if server is not None and (found is None or found[1].url != address):
        raise CotaError(
            f"{said_by} is {address}, and the server {server!r} is another one.",
            f"{'Unset' if said_by == URL else 'Leave out'} {said_by}, or leave --server out.",
        )
    name = found[0] if found else None
    where = f"the environment ({', '.join(sorted(env))})"
    if API_KEY in env:
        return Access(name, address, None, "API key", where, api_key=env[API_KEY])
    if USERNAME in env and PASSWORD in env:
        return Access(name, address, env[USERNAME], "password", where, password=env[PASSWORD])
    for given, other in ((USERNAME, PASSWORD), (PASSWORD, USERNAME)):
        if given in env:
            raise CotaError(f"{given} is set and {other} is not.", f"Set both, or {API_KEY}, or neither.")
    if found is None:
        raise NobodyError(f"{address} (from {said_by}) is a server that nobody signed in to here.", _HOW)
    return _kept(*found)


def known_access(server: str | None = None, *, url: str | None = None, near: str | None = None) -> Access | None:
    """Return how to reach a server; None where nobody signed in, for what can go on without.

    Args:
        server: Its name in the book; None means the environment's or the default one.
        url: Its address, in place of the environment's.
        near: An address that chooses among the servers of the book where nothing else names one.

    Raises:
        CotaError: A way to sign in is there by half, what was kept is gone, or no server has this name.
    """
    if server is None and url is None and near is not None and not os.environ.get(URL, "").strip():
        found = Book.read().at(near)
        server = found[0] if found else None
    try:
        return find_access(server, url=url)
    except NobodyError:
        return None


def _kept(name: str, entry: Entry) -> Access:
    secret = secrets.recall(name, entry.place)
    where = "the system's keyring" if entry.place == "keyring" else "a private file"
    if secret is None:
        raise CotaError(f"What was kept for {name} ({entry.url}) is gone from {where}.", f"`cota login --server {name}` signs in again.")
    if entry.kind == "api-key":
        return Access(name, entry.url, None, "API key", where, api_key=secret)

    def keep_new(token: str) -> None:
        if token != secret:
            secrets.keep(name, token, place=entry.place)

    return Access(name, entry.url, entry.username, "sign-in", where, refresh_token=secret, on_refresh=keep_new)
