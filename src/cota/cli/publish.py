"""`cota publish`: a commit becomes a release that boards install."""

from typing import TYPE_CHECKING, Any

import click

from cota.cli.common import connected, count, json_option, release_options, say, server_option, target_options, tell_findings, tell_json
from cota.cli.text import one_line

if TYPE_CHECKING:
    from cota.publish.release import Release


@click.command(
    epilog="""\b
Examples:
  cota publish                                     HEAD of this repository, to the only device profile
  cota publish v1.4.0 --profile greenhouse
  cota publish main --repo https://github.com/acme/sensor --folder firmware --device bench-1
  cota publish --no-assign --version v1.4.0-rc1
  cota publish --dry-run --json
"""
)
@server_option
@release_options
@target_options
@click.option("--assign/--no-assign", "assigns", default=True, help="Give it to the devices now, or only make the package.")
@click.option("--dry-run", is_flag=True, help="Check the release, and ask and change nothing in ThingsBoard.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    ref: str | None,
    server: str | None,
    repo: str,
    folder: str,
    title: str | None,
    version: str | None,
    profile: str | None,
    devices: tuple[str, ...],
    assigns: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Check a release, make a package of it in ThingsBoard, and assign it.

    The ref is resolved once, and the package names that commit: what is pushed later does not change it. The commit must be pushed, and
    the repository public, because boards read it there.

    What a board would refuse is refused here: paths that FAT cannot hold or takes for one another, symbolic links, submodules, Git LFS
    pointers, a boot.py without the hook, too many or too large files, and programs that do not compile. That last check is done by this
    machine's Python with what CircuitPython lacks taken out, which is near enough and not the same.

    It may be repeated: the same title, version and commit is the same package. The same title and version with another commit is refused.

    Exit code 0: it is published. 1: it is refused, or a device could not be given it. 2: something cannot be reached, read or used.
    """
    from cota.publish.check import how_it_was_checked
    from cota.publish.package import make_package
    from cota.publish.release import prepare
    from cota.publish.target import assign, find_target
    from cota.thingsboard import id_of

    release = prepare(repo, ref, folder, title, version)
    facts = _facts(release)
    tell_findings(release.findings)
    if release.refused or dry_run:
        for code, advice in advice_of(release).items():
            say(f"{code}: {one_line(advice)}")
        answer = "A board would refuse this release" if release.refused else "A board would take this release"
        say(f"{answer}: {release.title} {release.version} at {release.url} ({how_it_was_checked()}).")
        if as_json:
            tell_json({"published": False, **facts})
        context.exit(1 if release.refused else 0)
    if not release.is_github:
        say(f'note: boards read from {release.host} only where their settings.toml has COTA_GIT_HOSTS = "{release.host}".')
    with connected(server) as client:
        target = find_target(client, profile, devices)
        package, made = make_package(client, release, target.profile)
        say(f"{'Published' if made else 'Was published already:'} {release.title} {release.version}, {release.url}")
        outcomes = assign(client, package, target) if assigns else []
    tell_outcomes(outcomes, f"{release.title} {release.version}")
    if as_json:
        tell_json(
            {
                "published": True,
                **facts,
                "created": made,
                "package": id_of(package),
                "profile": target.profile["name"],
                "assigned": outcomes,
            }
        )
    context.exit(1 if any(outcome.get("problem") for outcome in outcomes) else 0)


def _facts(release: "Release") -> dict[str, Any]:
    from dataclasses import asdict

    names = ("title", "version", "url", "commit", "folder")
    return {name: getattr(release, name) for name in names} | {"findings": [asdict(finding) for finding in release.findings]}


def advice_of(release: "Release") -> dict[str, str]:
    """Give what to do about each code for which a board would refuse a release."""
    from cota.explain import explain

    told = {finding.code: explain(finding.code) for finding in release.findings if finding.level == "refused"}
    return {code: found.advice for code, found in told.items() if found is not None}


def tell_outcomes(outcomes: list[dict[str, Any]], what: str | None) -> None:
    """Say what an assignment did, or (without a release) what taking one away did."""
    for outcome in outcomes:
        whom = f"profile {outcome['profile']}" if "profile" in outcome else outcome["device"]
        if outcome.get("problem"):
            say(f"{whom}: not changed, {outcome['problem']}")
            continue
        if what is None:
            say(f"Took the release of {whom} away." if outcome["changed"] else f"{whom} had no release of its own.")
        else:
            say(f"Assigned {what} to {whom}." if outcome["changed"] else f"{whom} has {what} already.")
        if "profile" in outcome:
            own = f"; {count(outcome['own'], 'more device')} of it keep their own package" if outcome["own"] else ""
            say(f"That is for {count(outcome['devices'], 'device')}{own}.")
