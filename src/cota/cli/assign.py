"""`cota assign`: give a release to devices."""

import click

from cota.cli.common import connected, json_option, server_option, target_options, tell_json
from cota.cli.publish import tell_outcomes


@click.command(
    epilog="""\b
Examples:
  cota assign greenhouse v1.4.0 --profile greenhouse
  cota assign greenhouse v1.3.2 --device bench-1 --device bench-2
"""
)
@click.argument("title", help="The release's title.")
@click.argument("version", help="The release's version.")
@server_option
@target_options
@json_option
@click.pass_context
def command(
    context: click.Context, title: str, version: str, server: str | None, profile: str | None, devices: tuple[str, ...], as_json: bool
) -> None:
    """Give a release that was published to a device profile, or to single devices.

    What is assigned to a device itself wins over its profile's. An older release is assigned like a newer one: that is how to go back.

    Exit code 0: all have it. 1: the release does not exist, serves another profile, or a device could not be given it.
    """
    from cota.publish.target import assign, find_target, need_package

    if not profile and not devices:
        raise click.UsageError("Say whom: --profile NAME, or --device NAME as often as needed.")
    with connected(server) as client:
        package = need_package(client, title, version)
        outcomes = assign(client, package, find_target(client, profile, devices))
    tell_outcomes(outcomes, f"{title} {version}")
    if as_json:
        tell_json({"title": title, "version": version, "assigned": outcomes})
    context.exit(1 if any(outcome.get("problem") for outcome in outcomes) else 0)
