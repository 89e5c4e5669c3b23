"""`cota dashboard`: a fleet dashboard of our own in ThingsBoard."""

import json
from dataclasses import asdict

import click

from cota.cli.common import connected, server_option

_SENTENCES = {
    "created": "Made the dashboard {title}: {url}",
    "updated": "Brought the dashboard {title} up to date: {url}",
    "unchanged": "The dashboard {title} is up to date: {url}",
}


@click.command(
    epilog="""\b
Examples:
  cota dashboard install                           makes it, or brings it up to date
  cota dashboard install --title "Weather boards"
  cota dashboard export > fleet.json               a file for ThingsBoard's own Import dashboard
"""
)
@click.argument("action", type=click.Choice(["install", "export"]))
@click.option("--title", default="cOTA fleet", show_default=True, help="The dashboard's title.")
@click.option("--replace", is_flag=True, help="Replace it also where somebody has changed it by hand.")
@server_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: done, id, url.")
def command(action: str, title: str, replace: bool, server: str | None, as_json: bool) -> None:
    """Put a dashboard of the fleet into ThingsBoard: state, release, progress, error and when each device was last seen.

    It stands beside ThingsBoard's own firmware dashboard and changes nothing else. Running it again brings it up to date; one that somebody
    has changed by hand stays as it is.

    `install` signs in as a tenant administrator, with what `cota login` kept. `export` prints it and asks no server.

    Exit code 0: it is there. 1: a dashboard of this title is somebody's own. 2: the command cannot run.
    """
    from cota.dashboard.build import build

    if not title.strip() or len(title) > 255:
        raise click.UsageError("--title takes 1 to 255 characters.")
    if action == "export":
        click.echo(json.dumps(build(title), indent=2))
        return
    from cota.dashboard.install import install

    with connected(server) as client:
        done = install(client, title, replace=replace)
    click.echo(json.dumps(asdict(done)) if as_json else _SENTENCES[done.done].format(title=title, url=done.url))
