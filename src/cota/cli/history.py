"""`cota history`: what happened to one device."""

import re
import time

import click

from cota.cli.common import connected, json_option, say, server_option, tell_json

_KEYS = ("fw_state", "fw_error", "current_fw_title", "current_fw_version", "target_fw_title", "target_fw_version")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,6})([smhdw])")
# The server keeps more; a person reads the end.
_MAX_EVENTS = 10_000


class _Span(click.ParamType[int]):
    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _SPAN.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is not a span such as 90s, 30m, 12h, 7d or 4w.", param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


@click.command(
    epilog="""\b
Examples:
  cota history bench-1
  cota history bench-1 --since 7d --limit 200
  cota history bench-1 --json | jq -r '[.time, .state, .error] | @tsv'
"""
)
@click.argument("device", help="The device's name.")
@server_option
@click.option("--since", type=_Span(), metavar="SPAN", help="Only the last 90s, 30m, 12h, 7d or 4w.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, _MAX_EVENTS), help="At most so many events, the newest.")
@json_option
def command(device: str, server: str | None, since: int | None, limit: int, as_json: bool) -> None:
    """Show a device's states, errors and releases, the oldest first.

    What happened in one millisecond is one event, because the server keeps one time for it.
    """
    from cota.cli.status import explain_errors
    from cota.cli.table import iso, print_table
    from cota.explain import explain
    from cota.thingsboard import id_of

    # A board whose clock goes ahead dates its reports in the future; they are shown too.
    end = time.time_ns() // 1_000_000 + 86_400_000
    start = 0 if since is None else end - 86_400_000 - since * 1000
    with connected(server) as client:
        found = client.telemetry.history(id_of(client.devices.need(device)), _KEYS, start, end, limit=limit, newest=True)
    events: dict[int, dict[str, str]] = {}
    for key, samples in found.items():
        for sample in samples:
            events.setdefault(sample.time, {})[key] = str(sample.value)
    lines = []
    for moment in sorted(events)[-limit:]:
        values = events[moment]
        error = values.get("fw_error", "")
        meaning = explain(error)
        lines.append(
            {
                "time": iso(moment),
                "state": values.get("fw_state"),
                "running": _release(values, "current_fw_"),
                "target": _release(values, "target_fw_"),
                "error": error or None,
                "code": meaning.code if meaning else None,
                "advice": meaning.advice if meaning else None,
            }
        )
    if as_json:
        for line in lines:
            tell_json(line)
        return
    if not lines:
        say(f"{device} has no history{' in that time' if since else ''}: nothing was assigned to it, and it reported nothing.")
        return
    rows = [(line["time"], line["state"], line["target"], line["running"], line["error"]) for line in lines]
    print_table(("TIME", "STATE", "TARGET", "RUNNING", "ERROR"), rows, state=1)
    explain_errors(line["error"] or "" for line in lines)


def _release(values: dict[str, str], prefix: str) -> str | None:
    return f"{values.get(prefix + 'title', '')} {values.get(prefix + 'version', '')}".strip() or None
