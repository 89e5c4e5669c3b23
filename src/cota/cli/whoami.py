"""`cota whoami`: which server, and as whom."""

import click

from cota.cli.common import json_option, server_option, tell_json
from cota.cli.text import one_line


@click.command(
    epilog="""\b
Examples:
  cota whoami
  cota whoami --server home --json
"""
)
@server_option
@json_option
def command(server: str | None, as_json: bool) -> None:
    """Ask the server who is signed in, which proves that it is reached and takes what was kept.

    Exit code 0: somebody is. 2: the server is not known, not reached, or does not take it.
    """
    from cota.config import Book, find_access

    access = find_access(server)
    with access.client() as client:
        user = client.user()
    known = sorted(Book.read().servers)
    facts = {
        "server": access.server,
        "url": client.url,
        "user": user.get("email"),
        "authority": user.get("authority"),
        "with": access.how,
        "from": access.where,
        "servers": known,
    }
    if as_json:
        tell_json(facts)
        return
    click.echo(one_line(f"{facts['user']} ({facts['authority']}) at {facts['url']}"))
    click.echo(f"with the {access.how} from {access.where}" + (f", server {access.server!r}" if access.server else ""))
    if len(known) > 1:
        click.echo(f"known servers: {', '.join(known)}")
