"""What a rollout did, as Markdown for the page of a CI job."""

import html
import re
from collections.abc import Iterable

from cota.explain import explain
from cota.publish.course import Outcome
from cota.publish.release import Release
from cota.thingsboard.boards import Board

# Boards, and findings, that the report names; a job's summary holds one megabyte on GitHub.
_SHOWN = 50
# What has a meaning in Markdown inside a line; a board's or person's text must be text there. HTML is told apart by its own rule.
_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def report(release: Release, profile: str | None, outcome: Outcome) -> str:
    """Give the report.

    Args:
        release: What was rolled out.
        profile: The profile's name; None where it did not come to that.
        outcome: How it ended.
    """
    what = f"{release.title} {release.version}"
    lines = [f"## cOTA: {_text(what)} {'is out' if outcome.is_done else 'was stopped'}", ""]
    if outcome.reason:
        lines += [f"**{_text(outcome.reason)}**", "", _text(outcome.next_step), ""]
    lines += ["| | |", "|---|---|", f"| commit | `{release.commit}` |"]
    if profile is not None:
        lines.append(f"| profile | {_text(profile)} |")
    if outcome.wave is not None:
        wave = outcome.wave
        lines.append(f"| boards | {len(wave.updated)} updated, {len(wave.failed)} failed, {len(wave.waiting)} on the way |")
    lines.append("")
    if outcome.wave is not None and not outcome.is_done:
        lines += _boards((*outcome.wave.failed, *outcome.wave.waiting))
    lines += [f"* {_text(str(finding))}" for finding in release.findings[:_SHOWN]]
    return "\n".join(lines).rstrip() + "\n"


def _boards(boards: tuple[Board, ...]) -> Iterable[str]:
    yield from ("| board | state | error |", "|---|---|---|")
    for board in boards[:_SHOWN]:
        yield f"| {_text(board.name)} | {_text(board.state)} | {_text(board.error)} |"
    yield ""
    if len(boards) > _SHOWN:
        yield from (f"and {len(boards) - _SHOWN} more boards.", "")
    told = {found.code: found.advice for board in boards if (found := explain(board.error)) is not None}
    for code, advice in told.items():
        yield from (f"`{code}`: {advice}", "")


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
