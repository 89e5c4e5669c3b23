"""`cota demo`: see a whole update on this machine."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cota.errors import CotaError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_MOST_CUTS = 5  # of one board: then it is left alone, so that every demo ends
_MAX_DEVICES = 200  # a laptop's memory: a board's VM takes about 12 MB


@click.command(
    epilog="""\b
Examples:
  cota demo                                        the example application on two boards
  cota demo --devices 10 --json                    one JSON object a line
  cota demo --power-cut 20                         with about 20 power cuts a minute on each board
  cota demo --repo ~/sensor --from v1.0 --to main --folder firmware
"""
)
@click.option("--repo", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A Git repository in place of the example.")
@click.option("--from", "before", metavar="REF", help="The release that the boards start with (branch, tag or commit).")
@click.option("--to", "after", metavar="REF", help="The release that they update to.")
@click.option("--folder", default="", help="The release's folder in the repository.")
@click.option("--devices", default=2, show_default=True, type=click.IntRange(1, _MAX_DEVICES), help="How many boards.")
@click.option("--board", help="The kind of board; without it the smallest that fits.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep drives and logs in this folder, which must be empty.")
@click.option(
    "--power-cut",
    "rate",
    type=click.FloatRange(0, 600, min_open=True),
    metavar="RATE",
    help=f"Cut each board's power so often a minute, at random, {_MOST_CUTS} times at most.",
)
@click.option("--seed", type=int, help="Repeat the power cuts of an earlier demo.  [default: random, and printed]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, the last one a summary.")
@click.pass_context
def command(
    context: click.Context,
    repo: Path | None,
    before: str | None,
    after: str | None,
    folder: str,
    devices: int,
    board: str | None,
    keep: Path | None,
    rate: float | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Run a whole update on this machine: lab, simulated boards, a real Git repository.

    Starts a ThingsBoard- and GitHub-compatible server on a free port, prepares boards, installs one release over the air, assigns the
    next one to all of them, shows them update, and proves byte for byte that each drive holds exactly the release.

    Exit code 0: every board holds the release. 1: at least one does not, or the release fits no board. 2: the command cannot run.
    """
    from cota.demo.release import make_example
    from cota.demo.run import Demo, DoesNotFitError, board_lines, make_plan, summary
    from cota.sim.board import warn_if_not_real
    from cota.sim.power import PowerCuts, any_seed
    from cota.sim.profiles import find_profile
    from cota.sim.vm import find_vm

    if (repo is None) != (before is None) or (repo is None) != (after is None):
        raise click.UsageError("--repo, --from and --to go together.")
    if seed is not None and rate is None:
        raise click.UsageError("--seed goes with --power-cut.")
    cuts = None if rate is None else PowerCuts(rate, any_seed() if seed is None else seed, _MOST_CUTS)
    if board is not None:
        find_profile(board)
    warn_if_not_real(find_vm())
    with _workplace(keep) as directory:
        if repo is None:
            repo = directory / "greenhouse.git"
            before, after = make_example(repo)
        assert before is not None  # noqa: S101  (checked above; for the type checker)
        assert after is not None  # noqa: S101
        with _Show(as_json, devices) as show:
            try:
                plan = make_plan(repo, before, after, folder, devices, directory / "boards", board)
                outcome = Demo(plan, show.tell, cuts).run()
            except DoesNotFitError as error:
                show.tell({"event": "error", "text": str(error)})
                context.exit(1)
            show.tell(dict(summary(plan, outcome)))
        for line in board_lines(outcome):
            click.echo(line, err=True)
        if keep is not None:
            click.echo(f"Drives and logs: {keep}", err=True)
    context.exit(0 if len(outcome.updated) == devices else 1)


@contextlib.contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="cota-demo-") as made:
            yield Path(made)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        taken = any(keep.iterdir())
    except OSError as error:
        raise CotaError(f"{keep} cannot be used: {error.strerror}.", "Name a folder that you may write to.") from error
    if taken:
        raise CotaError(f"{keep} is not empty.", "Name a new folder for --keep.")
    yield keep


class _Show:
    """Events as JSON lines on stdout, as progress bars on a terminal, or as plain lines on stderr."""

    def __init__(self, as_json: bool, devices: int) -> None:
        self._json = as_json
        self._devices = devices
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> "_Show":
        if not self._json and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = TextColumn("{task.description:<10}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %  {task.fields[state]}")
            self._progress = Progress(*columns, console=Console(stderr=True))
            self._progress.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def tell(self, event: dict[str, Any]) -> None:
        if self._json:
            click.echo(json.dumps(event))
            return
        text = self._sentence(event)
        if event["event"] == "state" and self._progress is not None:
            self._bar(self._progress, event)
        elif text and self._progress is not None:
            self._progress.console.print(text, markup=False, highlight=False)
        elif text:
            click.echo(text, err=event["event"] != "summary")

    def _bar(self, progress: "Progress", event: dict[str, Any]) -> None:
        name = event["device"]
        if name not in self._bars:
            self._bars[name] = progress.add_task(name, total=100, state="")
        problem = f"  {event['error']}" if event["error"] else ""
        progress.update(self._bars[name], completed=event["percent"], state=event["state"] + problem)

    def _sentence(self, event: dict[str, Any]) -> str:
        kind = event["event"]
        if kind == "lab":
            return f"Started a lab at {event['url']} (ThingsBoard and GitHub for these boards, on this machine only)."
        if kind == "boards":
            return (
                f"Switched on {event['devices']} {event['board']} board(s), each with its own FAT drive, running device/ in {event['vm']}."
            )
        if kind == "assigned":
            verb = {"install": "First install", "update": "Update"}[event["wave"]]
            return f"{verb}: assigned {event['title']} {event['version']} to the boards' profile: {event['url']}"
        if kind == "state":
            problem = f"  {event['error']}" if event["error"] else ""
            return f"  {event['device']:<10} {event['percent']:>3} %  {event['state']}{problem}"
        if kind == "drive":
            return f"  {event['device']:<10} " + ("holds exactly the release." if event["equal"] else "DIFFERS from the release.")
        if kind == "summary":
            requests = ", ".join(f"{count} {name}" for name, count in event["requests"].items() if count)
            commits = f"{event['from'][:10]} to {event['to'][:10]}"
            went = f"{event['updated']} of {event['devices']} boards went from {commits}, proven byte for byte."
            if event["failed"]:
                return f"{went} {event['failed']} did not."
            if event["cuts"]:
                went += f" Their power was cut {event['cuts']} times."
            return f"{went} The update took {requests or 'no'} requests and {event['bytes_down']:,} bytes."
        return str(event.get("text", ""))
