"""`cota delete`: delete a package that nobody uses."""

import sys

import click

from cota.cli.common import connected, json_option, say, server_option, tell_json
from cota.errors import AnswerIsNoError


@click.command(
    epilog="""\b
Examples:
  cota delete greenhouse v1.2.0
  cota delete greenhouse v1.2.0 --yes --json
"""
)
@click.argument("title", help="The release's title.")
@click.argument("version", help="The release's version.")
@server_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(title: str, version: str, server: str | None, yes: bool, as_json: bool) -> None:
    """Delete a package in ThingsBoard; the repository and what boards run stay as they are.

    A package that a device or a profile still has is not deleted.

    Exit code 0: it is deleted. 1: it does not exist, or is in use.
    """
    from cota.publish.target import need_package
    from cota.thingsboard import ThingsBoardError, id_of
    from cota.thingsboard.users import users_of

    with connected(server) as client:
        package = need_package(client, title, version)
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("Say --yes: there is no terminal to ask at.")
            click.confirm(f"Delete the package {title} {version} of {client.url}?", abort=True, err=True)
        try:
            client.packages.delete(id_of(package))
        except ThingsBoardError as error:
            if error.status == 404:
                say("Somebody else deleted it at the same time.")
            elif error.status == 400:
                users = users_of(id_of(package), client.profiles.list(), client.devices.infos())
                raise AnswerIsNoError(
                    f"{title} {version} is in use and was not deleted: {users or error.server_message}.",
                    "`cota unassign` takes it away, or `cota assign` gives another one.",
                ) from error
            else:
                raise
    if as_json:
        tell_json({"title": title, "version": version, "package": id_of(package), "deleted": True})
    else:
        say(f"Deleted the package {title} {version}.")
