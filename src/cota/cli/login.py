"""`cota login`: sign in to a ThingsBoard server once, so that the other commands need no password."""

import os
import sys
from typing import TYPE_CHECKING

import click

from cota.cli.common import json_option, say, tell_json
from cota.errors import CotaError

if TYPE_CHECKING:
    from cota.thingsboard import Client

_DEFAULT_NAME = "default"
_DEFAULT_URL = "http://localhost:8080"
# A line of stdin that is longer is no secret but a wrong file.
_MAX_SECRET = 4096


@click.command(
    epilog="""\b
Examples:
  cota login --url https://thingsboard.example.com --username tenant@example.com
  cota login --server home --url http://192.168.1.5:8080 --api-key
  cota login --url http://localhost:8080 --username tenant@thingsboard.org < password.txt
"""
)
@click.option("--server", metavar="NAME", envvar="COTA_SERVER", help=f"A name of yours for this server.  [default: {_DEFAULT_NAME}]")
@click.option("--url", envvar="COTA_URL", help="The server's address, with http:// or https://; asked for on a terminal.")
@click.option("--api-key", "by_key", is_flag=True, help="Sign in with an API key (ThingsBoard 4.3 and later).")
@click.option("--username", envvar="COTA_USERNAME", help="Sign in as this user, a tenant administrator.")
@json_option
def command(server: str | None, url: str | None, by_key: bool, username: str | None, as_json: bool) -> None:
    """Sign in to a server, and keep what it takes to do it again.

    The API key or password is asked for without echo; where there is no terminal it is one line of stdin, or COTA_API_KEY or
    COTA_PASSWORD. It is never an option, because other users can see a command's options.

    A password is not kept, only the token that the server gives for it; that runs out when it is not used for a week. An API key is kept
    as it is. Both lie in the system's keyring where the Python library keyring is installed (`pip install keyring`), else
    in a file that only you may read.

    A server that is named is used with --server NAME (or COTA_SERVER); the one you sign in to last is used without it.
    """
    from cota.config import Book, check_name
    from cota.thingsboard import Client

    source = click.get_current_context().get_parameter_source("username")
    if by_key and username and source == click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--api-key and --username exclude each other.")
    name = check_name(server or _DEFAULT_NAME)
    known = Book.read().servers.get(name)
    if url is None:
        url = _ask("Address of the server", "--url", known.url if known else _DEFAULT_URL)
    if not by_key and not username:
        username = _ask("User name (empty: sign in with an API key)", "--username or --api-key", known.username if known else "")
        by_key = not username
    if by_key:
        key = _secret("API key", "COTA_API_KEY")
        with Client(url, api_key=key) as client:
            _keep(client, name, "", key, as_json)
        return
    assert username is not None  # noqa: S101  (asked for above)
    with Client(url, username=username, password=_secret(f"Password of {username}", "COTA_PASSWORD")) as client:
        client.login()
        if client.refresh_token is None:
            raise CotaError(f"{client.url} gave no token to sign in with again.", "Sign in with an API key: cota login --api-key.")
        _keep(client, name, username, client.refresh_token, as_json)


def _keep(client: "Client", name: str, username: str, secret: str, as_json: bool) -> None:
    """Keep what signs in again, after the server has told who it is for."""
    from cota.config import Book, Entry, keep
    from cota.thingsboard.address import checked_url, is_loopback

    user = client.user()
    address = checked_url(client.url)
    if address.scheme == "http" and not is_loopback(address.host):
        say(f"Note: {client.url} is not encrypted; whoever is in between can read the password or key.")
    place = keep(name, secret)
    book = Book.read()
    book.servers[name] = Entry(client.url, username, "sign-in" if username else "api-key", place)
    book.default = name
    book.write()
    facts = {"server": name, "url": client.url, "user": user.get("email"), "authority": user.get("authority"), "kept_in": place}
    if as_json:
        tell_json(facts)
        return
    where = "the system's keyring" if place == "keyring" else "a file that only you may read"
    say(f"Signed in to {client.url} as {facts['user']} ({facts['authority']}); kept as server {name!r} in {where}.")


def _ask(question: str, option: str, default: str) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(f"Say {option}: there is no terminal to ask at.")
    answer: str = click.prompt(question, default=default, err=True)
    return answer.strip()


def _secret(what: str, variable: str) -> str:
    """Return a secret from the environment, from a person who types it unseen, or from the first line of stdin."""
    secret = os.environ.get(variable, "").strip()
    if not secret and sys.stdin.isatty():
        secret = click.prompt(what, hide_input=True, err=True).strip()
    elif not secret:
        secret = sys.stdin.readline(_MAX_SECRET).strip()
    if not secret:
        raise CotaError(
            f"This was not given: {what}.",
            f"Type it at the terminal, send it as one line of stdin, or set {variable}.",
        )
    return secret
