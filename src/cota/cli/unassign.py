"""`cota unassign`: take a release away from devices."""

import click

from cota.cli.common import connected, json_option, server_option, target_options, tell_json
from cota.cli.publish import tell_outcomes


@click.command(
    epilog="""\b
Examples:
  cota unassign --device bench-1                   back to what its profile has
  cota unassign --profile greenhouse
"""
)
@server_option
@target_options
@json_option
@click.pass_context
def command(context: click.Context, server: str | None, profile: str | None, devices: tuple[str, ...], as_json: bool) -> None:
    """Take the release of a device profile or of single devices away.

    A device without one of its own goes on to the one of its profile. A board keeps what it runs; an update that it has begun it ends.

    Exit code 0: none of them has one of its own any more. 1: a device or profile does not exist, or could not be changed.
    """
    from cota.publish.target import assign, find_target

    if not profile and not devices:
        raise click.UsageError("Say whose: --profile NAME, or --device NAME as often as needed.")
    with connected(server) as client:
        outcomes = assign(client, None, find_target(client, profile, devices))
    tell_outcomes(outcomes, None)
    if as_json:
        tell_json({"assigned": outcomes})
    context.exit(1 if any(outcome.get("problem") for outcome in outcomes) else 0)
