"""`cota rollout`: from a commit to the fleet, by way of a canary."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cota.cli.common import connected, count, json_option, release_options, say, server_option, tell_json
from cota.cli.publish import advice_of, tell_outcomes
from cota.cli.text import one_line

if TYPE_CHECKING:
    from cota.errors import CotaError
    from cota.publish.course import Outcome
    from cota.publish.release import Release
    from cota.publish.wave import Wave
    from cota.thingsboard import Json
    from cota.thingsboard.boards import Board

# Boards, and findings, that the summary lists; a job's output holds one megabyte on GitHub.
_LISTED = 50
_MINUTES = click.FloatRange(0, 10_080)  # a week


@click.command(
    epilog="""\b
Examples:
  cota rollout v1.4.0 --canary bench-1
  cota rollout v1.4.0 --canary bench-1 --canary bench-2 --profile greenhouse --share 90
  cota rollout v1.4.0 --canary bench-1 --retry --json
"""
)
@server_option
@release_options
@click.option("--canary", "canaries", metavar="NAME", multiple=True, required=True, help="A device that gets it first; repeatable.")
@click.option("--profile", metavar="NAME", help="The device profile that gets it then.  [default: the canaries' profile]")
@click.option(
    "--share",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    metavar="PERCENT",
    help="Wait until so much of the profile's devices run it; 0 does not wait.",
)
@click.option("--canary-minutes", type=_MINUTES, default=30, show_default=True, help="How long to wait for the canaries.")
@click.option("--fleet-minutes", type=_MINUTES, default=120, show_default=True, help="How long to wait for the share.")
@click.option(
    "--look-seconds", type=click.FloatRange(0.1, 3600), default=10, show_default=True, help="Time between two looks at ThingsBoard."
)
@click.option("--retry", is_flag=True, help="Canaries that gave this release up try it again.")
@click.option("--report", "report_file", type=click.Path(dir_okay=False, path_type=Path), help="Append a report in Markdown to this file.")
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
    canaries: tuple[str, ...],
    profile: str | None,
    share: int,
    canary_minutes: float,
    fleet_minutes: float,
    look_seconds: float,
    retry: bool,
    report_file: Path | None,
    as_json: bool,
) -> None:
    """Publish a release, try it on canaries, and give it to everybody when they run it.

    It checks the release as `cota publish` does, makes the package, and assigns it to the canaries: devices of the profile. When all of
    them are UPDATED the profile gets it, and the canaries follow the profile again. If one gives the release up, or time is up, the profile
    is not touched, and the canary keeps the release assigned, so that `cota status` shows why.

    With --share it then waits for that part of the profile's devices, those with a package of their own left out.

    It may be repeated: what is so already is left alone, and a rollout that was stopped goes on where it was. With --json each line is
    an event, the last one is "summary".

    Exit code 0: the release is where it should be. 1: it was refused or given up, or time is up. 2: something cannot be reached, read or
    used.
    """
    from cota.publish.course import Outcome, Pace
    from cota.publish.release import prepare
    from cota.publish.report import report
    from cota.publish.rollout import roll_out
    from cota.publish.target import find_target

    teller = _Teller(as_json)
    release = prepare(repo, ref, folder, title, version)
    for finding in release.findings:
        say(one_line(finding))
    if release.refused:
        reasons = "; ".join(str(finding) for finding in release.findings if finding.level == "refused")
        outcome = Outcome(
            "check", f"A board would refuse this release. {reasons}", "Nothing was published. Mend it, and tag the next commit."
        )
    else:
        with connected(server) as client:
            target = find_target(client, profile, canaries)
            profile = str(target.profile["name"])
            pace = Pace(canary_minutes * 60, fleet_minutes * 60, look_seconds)
            teller.profile, teller.what = profile, f"{release.title} {release.version}"
            outcome = roll_out(client, release, target, share, pace, teller.listener(), retry=retry)
    teller.end(release, outcome)
    if report_file is not None:
        with report_file.open("a", encoding="utf-8") as file:
            file.write(report(release, profile, outcome))
    context.exit(0 if outcome.is_done else 1)


class _Teller:
    """Says what happens: sentences on stderr and, if asked for, events on stdout."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.profile = self.what = ""
        self._package: str | None = None

    def listener(self) -> Any:
        from cota.publish.course import Listener

        return Listener(self._published, self._assigned, self._board, self._wave, self._trouble)

    def _event(self, name: str, **facts: Any) -> None:
        if self._as_json:
            tell_json({"event": name, **facts})

    def _published(self, package: "Json", made: bool) -> None:
        from cota.thingsboard import id_of

        self._package = id_of(package)
        say(f"{'Published' if made else 'Was published already:'} {one_line(self.what)}, {one_line(package['url'])}")
        self._event("published", package=self._package, created=made, profile=self.profile)

    def _assigned(self, outcomes: list[dict[str, Any]]) -> None:
        tell_outcomes(outcomes, self.what)
        for outcome in outcomes:
            self._event("assigned", **outcome)

    def _board(self, board: "Board") -> None:
        from cota.cli.status import board_line

        error = f", {board.error}" if board.error else ""
        say(one_line(f"Canary {board.name}: {board.state} {board.percent} %{error}"))
        self._event("board", **board_line(board))

    def _wave(self, wave: "Wave") -> None:
        failed = f", {len(wave.failed)} failed" if wave.failed else ""
        say(one_line(f"Profile {self.profile}: {len(wave.updated)} of {count(wave.total, 'device')} updated, {wave.needed} needed{failed}"))
        self._event("fleet", updated=len(wave.updated), failed=len(wave.failed), waiting=len(wave.waiting), needed=wave.needed)

    def _trouble(self, error: "CotaError") -> None:
        say(one_line(f"ThingsBoard could not be asked, still waiting: {error.message}"))
        self._event("trouble", message=error.message)

    def end(self, release: "Release", outcome: "Outcome") -> None:
        """Tell how it ended."""
        from cota.cli.status import board_line
        from cota.explain import explain

        late = [] if outcome.wave is None or outcome.is_done else [*outcome.wave.failed, *outcome.wave.waiting]
        names = ("title", "version", "url", "commit", "folder")
        facts = {name: getattr(release, name) for name in names}
        findings = [asdict(finding) for finding in release.findings[:_LISTED]]
        self._event(
            "summary",
            done=outcome.is_done,
            stage=outcome.stage,
            reason=outcome.reason or None,
            next=outcome.next_step or None,
            **facts,
            package=self._package,
            profile=self.profile or None,
            findings=findings,
            boards=[board_line(board) for board in late[:_LISTED]],
            boards_left_out=max(0, len(late) - _LISTED),
        )
        if outcome.is_done:
            say(f"Done: {one_line(self.what)} is out.")
            return
        say(f"Stopped: {one_line(outcome.reason)}")
        told = advice_of(release) | {found.code: found.advice for board in late if (found := explain(board.error)) is not None}
        for code, advice in told.items():
            say(f"{code}: {one_line(advice)}")
        say(outcome.next_step)
