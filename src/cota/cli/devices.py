"""`cota devices`: every device, what it shall run, and whether it is there."""

import click

from cota.cli.common import connected, json_option, profile_option, say, server_option, tell_json


@click.command(
    epilog="""\b
Examples:
  cota devices
  cota devices --profile greenhouse
  cota devices --json | jq -r 'select(.active | not) | .device'
"""
)
@server_option
@profile_option
@json_option
def command(server: str | None, profile: str | None, as_json: bool) -> None:
    """List the devices with their profile, the release that is assigned to them, and through what.

    A release that is assigned to a device itself wins over the one of its profile.
    """
    from cota.cli.table import print_table
    from cota.thingsboard import Json, id_of

    def release(reference: Json | None) -> Json | None:
        package = None if reference is None else packages.get(reference["id"])
        return None if package is None else {"title": package["title"], "version": package["version"]}

    with connected(server) as client:
        chosen = client.profiles.need(profile) if profile is not None else None
        profiles = {id_of(one): one for one in ([chosen] if chosen else client.profiles.list())}
        packages = {id_of(package): package for package in client.packages.list()}
        infos = list(client.devices.infos(profile_id=None if chosen is None else id_of(chosen)))
    lines = []
    for info in sorted(infos, key=lambda one: str(one["name"]).lower()):
        own, shared = info.get("firmwareId"), profiles.get(info["deviceProfileId"]["id"], {}).get("firmwareId")
        lines.append(
            {
                "device": info["name"],
                "id": id_of(info),
                "profile": info.get("deviceProfileName"),
                "assigned": release(own or shared),
                "through": "device" if own else "profile" if shared else None,
                "active": bool(info.get("active")),
            }
        )
    if as_json:
        for line in lines:
            tell_json(line)
        return
    rows = [
        (
            line["device"],
            line["profile"],
            f"{line['assigned']['title']} {line['assigned']['version']}" if line["assigned"] else None,
            line["through"],
            "yes" if line["active"] else "no",
        )
        for line in lines
    ]
    if not rows:
        say(f"There is no device{'' if profile is None else f' of the profile {profile!r}'} yet; `cota sim` or `cota install` brings one.")
        return
    print_table(("DEVICE", "PROFILE", "ASSIGNED", "THROUGH", "ACTIVE"), rows)
