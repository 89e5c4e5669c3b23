"""The course of an update wave, pure: how many devices were in which group at which time.

A wave is every device whose target is one release. Its devices may have been assigned at different times.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cota.page.states import GROUPS, group_of

# More points than a chart has pixels tell nothing.
_MOST_POINTS = 400
_SHOWN = GROUPS[:4]
_FINAL = ("updated", "failed")


class Course(NamedTuple):
    """One device's way through a wave.

    Attributes:
        assigned: When it was assigned, milliseconds since 1970.
        states: (time, fw_state) since then, oldest first.
    """

    assigned: int
    states: Sequence[tuple[int, str]]


def steps(course: Course) -> list[tuple[int, str]]:
    """Return (time, group) for each change of group; a state that is told again after a restart changes nothing."""
    found = [(course.assigned, "waiting")]
    for time, state in course.states:
        group = group_of(state)
        if time >= course.assigned and group != "none" and group != found[-1][1]:
            found.append((time, group))
    return found


def series(courses: Iterable[Course], now: int) -> dict[str, Any]:
    """Return the chart: `times` in ms, and for each group but "none" as many counts; and when the wave began and ended.

    Args:
        courses: One for each device.
        now: The time up to which a wave under way is drawn.
    """
    counts = dict.fromkeys(_SHOWN, 0)
    events: list[tuple[int, str | None, str]] = []
    for course in courses:
        before = None
        for time, group in steps(course):
            events.append((time, before, group))
            before = group
    events.sort(key=lambda event: event[0])
    if not events:
        return {"times": [], "counts": {group: [] for group in _SHOWN}, "began": 0, "ended": None}
    times: list[int] = []
    lines: dict[str, list[int]] = {group: [] for group in _SHOWN}
    for time, before, group in events:
        if before is not None:
            counts[before] -= 1
        counts[group] += 1
        if times and times[-1] == time:
            for name in _SHOWN:
                lines[name][-1] = counts[name]
            continue
        times.append(time)
        for name in _SHOWN:
            lines[name].append(counts[name])
    over = all(counts[name] == 0 for name in _SHOWN if name not in _FINAL)
    if not over and now > times[-1]:
        times.append(now)
        for name in _SHOWN:
            lines[name].append(counts[name])
    kept = _thinned(len(times))
    return {
        "times": [times[at] for at in kept],
        "counts": {name: [line[at] for at in kept] for name, line in lines.items()},
        "began": events[0][0],
        "ended": events[-1][0] if over else None,
    }


def _thinned(length: int) -> list[int]:
    if length <= _MOST_POINTS:
        return list(range(length))
    return [round(at * (length - 1) / (_MOST_POINTS - 1)) for at in range(_MOST_POINTS)]
