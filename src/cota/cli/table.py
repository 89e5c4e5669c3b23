"""Tables: with frames and colours on a terminal, else plain columns that other programs can read."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cota.cli.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

# How a state looks; the word is always there too, because a colour alone says nothing to many.
_STYLES = {"UPDATED": "green", "FAILED": "bold red", "NONE": "dim", "QUEUED": "dim", "INITIATED": "cyan"}
_ON_THE_WAY = "cyan"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, state: int | None = None) -> None:
    """Print a table on stdout.

    Args:
        columns: Their headings.
        rows: Their cells; None is an empty one.
        state: Which column holds a state, to be coloured and never folded.
    """
    if not sys.stdout.isatty():
        _print_plain(columns, _cells(rows))
        return
    from rich.console import Console

    Console().print(make_table(columns, rows, state=state))


def make_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, state: int | None = None) -> "Table":
    """Make a table for a terminal; see `print_table`."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, heading in enumerate(columns):
        table.add_column(heading, overflow="fold", no_wrap=number == state)
    for row in _cells(rows):
        shown = [Text(cell) for cell in row]
        if state is not None:
            shown[state].stylize(_STYLES.get(row[state], _ON_THE_WAY))
        table.add_row(*shown)
    return table


def _cells(rows: Sequence[Sequence[object]]) -> list[list[str]]:
    return [["" if cell is None else one_line(cell) for cell in row] for row in rows]


def _print_plain(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in (columns, *cells):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def ago(then: int | None, now: int) -> str:
    """Say how long ago a time was, in one unit; "never" where there is none. Both in milliseconds since 1970."""
    if then is None:
        return "never"
    seconds = max(0, now - then) // 1000
    unit, name = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f"{seconds // unit} {name} ago" if seconds else "now"


def iso(milliseconds: int | None) -> str | None:
    """Give milliseconds since 1970 as ISO 8601 in UTC; None stays None."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
