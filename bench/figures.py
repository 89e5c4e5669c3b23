"""Figures, the bars they are held to, and how they are shown and kept. No I/O."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Value = int | float | str
SCHEMA = 1
_COLUMNS = ("what", "cOTA", "bar", "peer", "")
_MAX_WHAT = 74


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        group: The part of the bench it comes from.
        what: What was measured, with its unit.
        value: The number; text where there is none, such as "out of memory".
        bar: What it may be at most; None: it has no bar.
        peer: The same of what it is compared with (the plain updater, or temp + rename).
        report_only: A missed bar is said and does not fail the run.
        note: How it was measured, where that matters.
    """

    group: str
    what: str
    value: Value
    bar: float | None = None
    peer: Value | None = None
    report_only: bool = False
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None without a bar. A value that is no number holds no bar."""
        if self.bar is None:
            return None
        return not isinstance(self.value, str) and self.value <= self.bar

    @property
    def verdict(self) -> str:
        """One word for the table."""
        held = self.holds
        if held is None:
            return ""
        if held:
            return "ok"
        return "missed, report only" if self.report_only else "MISSED"


def failures(figures: Iterable[Figure]) -> list[Figure]:
    """The figures that fail the run."""
    return [figure for figure in figures if figure.holds is False and not figure.report_only]


def same_within(values: Sequence[float]) -> float:
    """How far values lie apart: the largest distance from their middle (half of least plus most), as a part of it.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no values to compare")
    middle = (max(values) + min(values)) / 2
    return (max(values) - middle) / middle if middle else 0.0


def ratio(part: float, whole: float, digits: int = 3) -> float:
    """`part` / `whole`, rounded; 0 of 0 is 0.

    Raises:
        ZeroDivisionError: something of nothing.
    """
    return 0.0 if part == whole == 0 else round(part / whole, digits)


def shown(value: Value | None) -> str:
    """A value as the table shows it, with thousands apart."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def table(figures: Sequence[Figure]) -> str:
    """The figures as text for people, grouped, notes below each group."""
    lines: list[str] = []
    for group in dict.fromkeys(figure.group for figure in figures):
        rows = [_COLUMNS] + [
            (figure.what, shown(figure.value), "" if figure.bar is None else f"<= {shown(figure.bar)}", shown(figure.peer), figure.verdict)
            for figure in figures
            if figure.group == group
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        widths[0] = max(widths[0], _MAX_WHAT)
        lines.append(f"\n{group}")
        for row in rows:
            cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:4], widths[1:4], strict=True)), row[4]]
            lines.append(("  " + "  ".join(cells)).rstrip())
        lines += [f"  * {note}" for note in dict.fromkeys(figure.note for figure in figures if figure.group == group and figure.note)]
    return "\n".join(lines)


def summary(figures: Sequence[Figure]) -> str:
    """One line: how many bars hold."""
    judged = [figure for figure in figures if figure.holds is not None]
    held = sum(figure.holds is True for figure in judged)
    failed = len(failures(judged))
    return f"{held} of {len(judged)} bars hold; {failed} missed; {len(judged) - held - failed} missed that are only reported."


def document(figures: Iterable[Figure], groups: Literal["all"] | Sequence[str]) -> str:
    """The figures as JSON text: no times, no paths, no names of machines, so that two runs can be compared line by line."""
    rows = []
    for figure in figures:
        row: dict[str, object] = {"group": figure.group, "what": figure.what, "value": figure.value}
        if figure.bar is not None:
            row |= {"bar": figure.bar, "pass": figure.holds, "report_only": figure.report_only}
        if figure.peer is not None:
            row["peer"] = figure.peer
        if figure.note:
            row["note"] = figure.note
        rows.append(row)
    return json.dumps({"schema": SCHEMA, "groups": groups if groups == "all" else list(groups), "figures": rows}, indent=1) + "\n"
