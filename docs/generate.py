"""Writes the pages that follow from the code: docs/errors.md, docs/cli.md and docs/boards.md.

    python docs/generate.py            writes them
    python docs/generate.py --check    writes nothing, and exits with 1 if one is not as it should be

`src/cota/explain/advice.toml` says for each code of `device/lib/ota/errors.py` what to do about it; a test fails where one lacks.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cota.explain import TRIAL, device_module, error_advice, error_codes

DOCS = Path(__file__).parent
_NOTE = "<!-- Made by docs/generate.py. Change that, or what it reads, and run it again. -->"
_HELP_WIDTH = 100  # columns of the help texts, whatever terminal this runs in

_GROUPS = {
    "network": ("The network", "These are `ota.NetworkError`, which is a `ConnectionError`. The board tries again by itself."),
    "thingsboard": ("ThingsBoard", "What the server said, or what a package says."),
    "source": ("The repository", "What `fw_url` names, and what the Git host said."),
    "release": ("The release's files", "What a board cannot hold. Nothing on the drive has changed."),
    "board": ("The board", "The drive, the memory, the updater."),
}
_ERRORS_HEAD = """# Errors

Every error has a short code that never changes. ThingsBoard shows it in the telemetry `fw_error`; the exception carries it as `.code`.

**Later** means that the device tries again by itself: first after 15 to 30 seconds, then after longer and longer times, at most an hour.
Until then `fw_state` stays as it is and `fw_error` reads `later: <code> <sentence>, next try in <n> s`. After {tries} tries that failed the
device gives the release up; failures of a network, a host's limit or a held drive never do that. A server that asks for a longer wait
(`Retry-After`, or GitHub's reset time) gets it. Tries and waits outlast a restart of the board; a board that wakes from deep sleep has
waited.

**Never** means that the device gives this release up at once. `fw_state` becomes `FAILED` and `fw_error` reads `<code> <sentence>`. The
release that the board runs goes on running.

A release that was given up is tried again when its title, version, URL or checksum changes, or when you set the shared attribute
`cota_retry` of the device to a text that it has not had before, such as `r-1`.

Errors while the device only looks for a release are not counted; it looks again at its next poll, or when the server asks it to.
"""

_TRIAL_HEAD = """## The trial

A release that was installed and then failed its trial. These words stand in the place of a code in `fw_error`, with the reason behind
them: the last line of a traceback, how the program ended, or that it had no contact. See
[When a release is bad](recovery.md#when-a-release-is-bad)."""

_BOARDS_HEAD = """# Boards known to fit

cOTA runs on stock CircuitPython 9 and 10 on boards with Wi-Fi. These are the ones whose drive, heap and limits the simulator knows; a test
runs updates on each of them, simulated. The first column is what `cota sim` and `cota demo` take as `--board`.

| `--board` | board | chip | drive | heap | largest release, first | largest release, again and again |
|---|---|---|---:|---:|---:|---:|
{rows}

* **Drive** is the size of CIRCUITPY. **Heap** is what a program finds free at its start, and a TLS connection takes about 30 KB of it on a
  Pico W while it is open; on Espressif's chips it takes nothing of it. An update needs about 12 KB besides your program.
* **Largest release** is an estimate in KiB of files, with {own} KiB for cOTA itself and its state, as `cota install` puts
  it there; copied by hand it takes some 70 KiB more. The first release needs its room twice:
  once staged, once in place. For a later one in which every file changes the old contents are kept too, so that it can be undone: three
  times. An update that changes little needs little; a board that lacks the room says so (`space`) before anything has changed.
* Other boards with these chips fit alike: look at the size of the drive and at the free heap (`gc.mem_free()`).

What differs between them:

| `--board` | CircuitPython's board id | drive over USB | longest watchdog | remembers across resets |
|---|---|---|---:|---|
{limits}

* Without a drive over USB the board is written over [the web workflow](install.md#over-the-network), and nobody holds the drive.
* A watchdog of 8 seconds is too short to be armed by cOTA itself: see `COTA_WATCHDOG` in [Settings](settings.md). On the others a trial
  arms it, so that a release that hangs is undone too.
* What a board remembers across resets are the runs and failures of a program, so that power cycles are told from crashes.
"""


def errors_page() -> str:
    """Make the page of the error codes."""
    codes, classes = error_codes(), device_module("errors")._CLASSES
    lines = [_NOTE, "", _ERRORS_HEAD.format(tries=device_module("attempts").MAX_TRIES)]
    for group, advice in error_advice().items():
        title, text = _GROUPS[group]
        lines += [f"## {title}", "", text, ""]
        for code, what_to_do in advice.items():
            later, sentence = codes[code]
            kind = f" (`ota.{classes[code].__name__}`)" if code in classes else ""
            lines += [f"### `{code}`", "", f"**{'Later' if later else 'Never'}:** `{sentence}`{kind}", "", what_to_do, ""]
    lines += [_TRIAL_HEAD, ""]
    for words, (sentence, what_to_do) in TRIAL.items():
        lines += [f"### `{words}`", "", f"**Never:** {sentence}", "", what_to_do, ""]
    return "\n".join(lines)


def cli_page() -> str:
    """Make the page of the command line from the commands' own help."""
    lines = [_NOTE, "", "# Command line", ""]
    lines += [
        "Exit codes: 0 done, 1 it ran and the answer is no, 2 wrong use or an environment that does not allow it, 130 stopped with Ctrl-C.",
        "",
    ]
    lines += ["Data goes to stdout, everything else to stderr.", ""]
    lines += ['`eval "$(cota completion)"` in the shell\'s start file lets the Tab key complete commands, options and servers.', ""]
    for name, text in help_texts():
        lines += [f"## {name}", "", "```text", text, "```", ""]
    return "\n".join(lines)


def boards_page() -> str:
    """Make the page of the boards from the simulator's profiles."""
    from cota.publish.check import OWN_BYTES
    from cota.sim.profiles import KIB, PROFILES

    rows, limits = [], []
    for board in PROFILES.values():
        room = board.drive_bytes - OWN_BYTES
        sizes = [board.drive_bytes, board.heap, room // 2, room // 3]
        rows.append(f"| `{board.name}` | {board.machine} | {board.mcu} | " + " | ".join(f"{size // KIB:,} KiB" for size in sizes) + " |")
        usb, memory = "yes" if board.msc else "no", "yes" if board.sleep_bytes else "no"
        limits.append(f"| `{board.name}` | `{board.board_id}` | {usb} | {board.watchdog_max:g} s | {memory} |")
    text = _BOARDS_HEAD.format(rows="\n".join(rows), limits="\n".join(limits), own=OWN_BYTES // KIB)
    return f"{_NOTE}\n\n{text}"


def help_texts() -> Iterator[tuple[str, str]]:
    """Give the name and the help of `cota` and of each command."""
    import click

    from cota.cli import cli

    context = click.Context(cli, info_name="cota", terminal_width=_HELP_WIDTH, **cli.context_settings)
    yield "cota", cli.get_help(context)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is not None:
            below = click.Context(command, info_name=name, parent=context, terminal_width=_HELP_WIDTH)
            yield f"cota {name}", command.get_help(below)


def bench_table(path: Path) -> str:
    """Make Markdown tables of the bench's results, or say that there are none."""
    if not path.exists():
        return "There are no results in this checkout yet. `make bench` makes them."
    figures: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    lines = []
    for group in dict.fromkeys(figure["group"] for figure in figures):
        lines += [f"**{_cell(group)}**", "", "| what | cOTA | bar | peer |", "|---|---:|---:|---:|"]
        members = [figure for figure in figures if figure["group"] == group]
        notes = dict.fromkeys(figure["note"] for figure in members if figure.get("note"))
        lines += [*map(_row, members), "", *(f"* {note}" for note in notes), ""]
    return "\n".join(lines)


def _row(figure: Mapping[str, Any]) -> str:
    bar = f"≤ {_cell(figure['bar'])}" if "bar" in figure else ""
    if figure.get("pass") is False:
        bar += " (missed, only reported)" if figure.get("report_only") else " (missed)"
    return f"| {_cell(figure['what'])} | {_cell(figure['value'])} | {bar} | {_cell(figure.get('peer', ''))} |"


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|")


PAGES = {"errors.md": errors_page, "cli.md": cli_page, "boards.md": boards_page}


def stale_pages() -> list[str]:
    """Name the pages that are not what the code says now."""
    return [name for name, make in PAGES.items() if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != make()]


def main(arguments: list[str]) -> int:
    """Write every page, or with --check say which are stale; gives the exit code."""
    stale = stale_pages()
    if arguments == ["--check"]:
        for name in stale:
            print(f"docs/{name} is not what the code says: run python docs/generate.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
