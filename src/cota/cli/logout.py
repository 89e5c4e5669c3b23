"""`cota logout`: forget how to sign in to a server."""

import click

from cota.cli.common import json_option, say, tell_json
from cota.errors import CotaError


@click.command(
    epilog="""\b
Examples:
  cota logout
  cota logout --server home
"""
)
@click.option("--server", metavar="NAME", envvar="COTA_SERVER", help="The server's name.  [default: the one that is used without --server]")
@json_option
def command(server: str | None, as_json: bool) -> None:
    """Forget a server and what signs in to it, on this machine only.

    An API key stays valid: switch it off in ThingsBoard if somebody else may have it.
    """
    from cota.config import Book, forget

    book = Book.read()
    found = book.find(server)
    if found is None:
        raise CotaError("Nobody is signed in here.", "`cota login` signs in.")
    name, entry = found
    forget(name)
    del book.servers[name]
    if book.default not in book.servers:
        # With one server left there is no doubt which is meant; with more, guessing would send commands to the wrong fleet.
        book.default = next(iter(book.servers)) if len(book.servers) == 1 else None
    book.write()
    if as_json:
        tell_json({"server": name, "url": entry.url, "default": book.default})
        return
    say(f"Forgot {name} ({entry.url}).")
    if book.default is None and book.servers:
        say(f"Name the server from now on: --server {' or '.join(sorted(book.servers))}; or sign in to one of them again.")
