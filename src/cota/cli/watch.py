"""`cota watch`: the fleet as it changes."""

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from cota.cli.common import connected, count, json_option, profile_option, say, server_option
from cota.cli.text import one_line

if TYPE_CHECKING:
    from cota.thingsboard.boards import Board
    from cota.thingsboard.live import Watch

# Lines of boards on a terminal: what needs a look fits on a screen.
_SHOWN = 20
_PER_SECOND = 4


@click.command(
    epilog="""\b
Examples:
  cota watch
  cota watch --profile greenhouse --until-done --timeout 1800
  cota watch --web                      in a browser
  cota watch --device canary --release greenhouse v1.4.0 --until-done
  cota watch --json | jq -r 'select(.state == "FAILED") | .device'
"""
)
@server_option
@profile_option
@click.option("--device", "devices", metavar="NAME", multiple=True, help="Only this device; repeatable.")
@click.option("--until-done", is_flag=True, help="End when every board with a release is UPDATED or FAILED.")
@click.option("--release", nargs=2, metavar="TITLE VERSION", help="With --until-done: wait for this release and no other.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="End after so long.")
@click.option("--interval", default=2.0, show_default=True, type=click.FloatRange(0.2, 3600), help="Seconds between looks when polling.")
@click.option("--web", is_flag=True, help="In a browser: serve the page of the fleet, as `cota web` does.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    server: str | None,
    profile: str | None,
    devices: tuple[str, ...],
    until_done: bool,
    release: tuple[str, str] | None,
    timeout: float | None,
    interval: float,
    web: bool,
    as_json: bool,
) -> None:
    """Show boards as they change, until Ctrl-C.

    The server tells changes over its WebSocket. Where that does not work (an API key, a proxy in between) it is asked again and again.

    On a terminal a table is kept up to date; else each change is a line, first the boards as they are.

    Exit code with --until-done 0: all of them are UPDATED. 1: one FAILED, nothing is assigned, or the time was up. Without it 0.
    """
    if web:
        if profile is not None or devices or until_done or release is not None or timeout is not None:
            raise click.UsageError("--web shows the whole fleet until Ctrl-C; it goes with --server and --json only.")
        from cota.cli.web import serve_page

        serve_page(server, as_json=as_json)
        context.exit(0)
    from cota.cli.status import board_line, check_gone, explain_errors, gone_of
    from cota.thingsboard import id_of
    from cota.thingsboard.boards import Release, boards_query
    from cota.thingsboard.live import Watch

    if profile is not None and devices:
        raise click.UsageError("--profile and --device exclude each other.")
    if release is not None and not until_done:
        raise click.UsageError("--release goes with --until-done.")
    wanted = Release(*release) if release else None
    end = None if timeout is None else time.monotonic() + timeout
    with connected(server) as client:
        if profile is not None:
            client.profiles.need(profile)
        ids = [id_of(client.devices.need(name)) for name in devices] if devices else None
        watch = Watch(client, boards_query(None if profile is None else [profile], ids), interval=interval, tick=_tick(timeout))
        on_screen = sys.stdout.isatty() and not as_json
        show = _Screen(watch) if on_screen else _Lines((lambda board: json.dumps(board_line(board))) if as_json else _line)
        told = ""
        with show:
            for changed in watch.changes():
                show.tell(changed)
                if watch.why_not != told:
                    told = watch.why_not
                    show.say(f"{told.rstrip('.')}; asking every {interval:g} s instead" if told else "the server tells changes again")
                if (until_done and not _left(watch, wanted)) or (devices and not watch.boards):
                    break
                if end is not None and time.monotonic() >= end:
                    break
    if not watch.boards:
        check_gone([], devices)
    if not until_done:
        context.exit(0)
    boards = [board for board in watch.boards if board.assigned and (wanted is None or board.assigned == wanted)]
    left = _left(watch, wanted)
    failed = [board for board in boards if board.state == "FAILED" and board not in left]
    if not as_json:
        explain_errors(board.error for board in failed)
    if not boards and not left:
        say("No release is assigned to any of them, so there is nothing to wait for.")
    for board in left:
        say(f"{board.name}: not done, {board.state} of {board.assigned or 'no release'}" + (f": {board.error}" if board.error else ""))
    for board in failed:
        say(f"{board.name}: FAILED: {board.error}")
    gone = gone_of(watch.boards, devices)
    for name in gone:
        say(f"{name}: deleted meanwhile")
    done = len(boards) - len([board for board in boards if board in left]) - len(failed)
    say(f"{count(done, 'device')} updated, {len(failed)} failed, {len(left)} not done.")
    context.exit(0 if boards and not left and not failed and not gone else 1)


def _tick(timeout: float | None) -> float:
    return 1.0 if timeout is None else min(1.0, timeout / 4)


def _left(watch: "Watch", wanted: Any) -> "list[Board]":
    """Give the boards that are still to be waited for."""
    if wanted is None:
        return [board for board in watch.boards if board.assigned and not board.ended]
    return [board for board in watch.boards if board.assigned != wanted or not board.ended]


class _Lines:
    """Tells each change by itself, where its line says something new."""

    def __init__(self, line: "Callable[[Board], str]") -> None:
        self._line = line
        self._told: dict[str, str] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *unused: object) -> None:
        pass

    def tell(self, changed: "list[Board]") -> None:
        """Show what changed."""
        for board in changed:
            line = self._line(board)
            if line != self._told.get(board.id):
                self._told[board.id] = line
                click.echo(line)
        if changed:
            sys.stdout.flush()

    def say(self, text: str) -> None:
        """Tell a person something."""
        say(text)


def _line(board: "Board") -> str:
    from cota.cli.table import iso

    parts = [iso(board.changed) or "-", board.name, board.state, f"{board.percent} %", str(board.assigned or "-"), board.error]
    return "  ".join(one_line(part) for part in parts).rstrip()


class _Screen:
    """Keeps a table on the terminal up to date."""

    def __init__(self, watch: "Watch") -> None:
        from rich.console import Console
        from rich.live import Live

        self._watch, self._note = watch, ""
        self._live = Live(console=Console(), refresh_per_second=_PER_SECOND, transient=False)

    def __enter__(self) -> "_Screen":
        self._live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._live.stop()

    def tell(self, changed: "list[Board]") -> None:
        """Show how it is now."""
        from rich.console import Group
        from rich.text import Text

        from cota.cli.table import ago, make_table
        from cota.thingsboard.boards import tally

        now = time.time_ns() // 1_000_000
        boards = self._watch.boards
        counts = [(release, state, number) for release, states in tally(boards) for state, number in states.items()]
        on_the_way = [board for board in boards if board.error or board.state not in ("UPDATED", "NONE")]
        on_the_way.sort(key=lambda board: (board.state != "FAILED", -(board.changed or 0)))
        rows = [(b.name, b.state, b.percent, b.assigned, ago(b.last_seen, now), b.error) for b in on_the_way[:_SHOWN]]
        more = f"and {count(len(on_the_way) - _SHOWN, 'more device')}" if len(on_the_way) > _SHOWN else ""
        self._live.update(
            Group(
                make_table(("RELEASE", "STATE", "DEVICES"), counts, state=1),
                Text(),
                make_table(("DEVICE", "STATE", "%", "RELEASE", "LAST SEEN", "ERROR"), rows, state=1),
                Text("\n".join(line for line in (more, one_line(self._note)) if line), style="dim"),
            )
        )

    def say(self, text: str) -> None:
        """Tell a person something, below the table."""
        self._note = text
        self.tell([])
