"""`cota packages`: what has been published."""

from collections import Counter

import click

from cota.cli.common import connected, count, json_option, profile_option, say, server_option, tell_json


@click.command(
    epilog="""\b
Examples:
  cota packages
  cota packages --title greenhouse --json
"""
)
@server_option
@profile_option
@click.option("--title", help="Only packages of exactly this title.")
@json_option
def command(server: str | None, profile: str | None, title: str | None, as_json: bool) -> None:
    """List the packages, the newest last, with who they are assigned to."""
    from cota.cli.table import iso, print_table
    from cota.thingsboard import id_of
    from cota.thingsboard.users import package_of

    with connected(server) as client:
        chosen = id_of(client.profiles.need(profile)) if profile is not None else None
        profiles = {id_of(one): one for one in client.profiles.list()}
        used = {package_of(one): str(one["name"]) for one in profiles.values()}
        own = Counter(map(package_of, client.devices.infos()))
        packages = [one for one in client.packages.list(title) if title in (None, one["title"])]
    lines = []
    for package in packages:
        profile_id = (package.get("deviceProfileId") or {}).get("id")
        if chosen not in (None, profile_id):
            continue
        lines.append(
            {
                "title": package["title"],
                "version": package["version"],
                "id": id_of(package),
                "profile": profiles.get(str(profile_id), {}).get("name"),
                "url": package.get("url"),
                "created": iso(package["createdTime"]),
                "assigned_to_profile": used.get(id_of(package)),
                "assigned_to_devices": own[id_of(package)],
            }
        )
    if as_json:
        for line in lines:
            tell_json(line)
        return
    rows = []
    for line in lines:
        users = [f"profile {line['assigned_to_profile']}"] if line["assigned_to_profile"] else []
        users += [count(line["assigned_to_devices"], "device")] if line["assigned_to_devices"] else []
        rows.append((line["title"], line["version"], line["profile"], ", ".join(users), line["url"] or "(an uploaded file)"))
    if not rows:
        say(
            "There is no such package yet; `cota publish` makes one."
            if profile or title
            else "Nothing is published yet; `cota publish` does it."
        )
        return
    print_table(("TITLE", "VERSION", "PROFILE", "ASSIGNED TO", "URL"), rows)
