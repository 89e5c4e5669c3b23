"""Every command line that the pages show is one that the program takes."""

import re
import shlex
from pathlib import Path

import click
import pytest
from docs_markdown import PAGES, ROOT, prose, steps

from cota.cli import cli

_ROOT_CONTEXT = click.Context(cli, info_name="cota")
_COMMANDS = {name: command for name in cli.list_commands(_ROOT_CONTEXT) if (command := cli.get_command(_ROOT_CONTEXT, name))}
_TARGETS = set(re.findall(r"(?m)^([a-z-]+):.*##", (ROOT / "Makefile").read_text()))


def shown() -> list[tuple[str, str]]:
    """(page, command line) for all that a reader may type: lines after `$ ` in blocks, and `cota …` or `make …` between backticks."""
    found = []
    for page in PAGES:
        found += [(page.name, line) for step in steps(page) if step.language == "console" for line in step.commands]
        found += [(page.name, text) for text in re.findall(r"`((?:[A-Z_]+=\S+ )*(?:cota|make) [^`\n]+)`", prose(page))]
    return found


def words(line: str) -> list[str]:
    """The command line's words without the variables before it."""
    parts = shlex.split(line)
    while parts and re.fullmatch(r"[A-Z_]+=.*", parts[0]):
        parts = parts[1:]
    return parts


def check(arguments: list[str]) -> None:
    """Raise what click would raise; files that are only examples need not exist."""
    name, *rest = arguments
    if name in ("--help", "--version", "-h"):
        return
    command = _COMMANDS[name]
    context = click.Context(command, info_name=name, parent=_ROOT_CONTEXT)
    options, left, order = command.make_parser(context).parse_args(rest)
    if left:
        raise click.UsageError(f"too much: {left}")
    for parameter in order:
        # What was not given is a value of click's own.
        if isinstance(value := options[parameter.name], str | tuple | list) and not isinstance(parameter.type, click.Path):
            parameter.type_cast_value(context, value)


def test_the_pages_show_command_lines_at_all() -> None:
    assert sum(line.startswith("cota ") or " cota " in line for _, line in shown()) > 10


@pytest.mark.parametrize(("page", "line"), shown())
def test_a_command_line_in_the_pages_is_understood(page: str, line: str) -> None:
    program, *arguments = words(line)
    if program == "cota":
        check(arguments)
    elif program == "make":
        assert {word for word in arguments if "=" not in word} <= _TARGETS, page


@pytest.mark.parametrize("bad", ["demo --nonsense", "demo --devices many", "lab extra", "sim --board"])
def test_a_wrong_command_line_would_be_noticed(bad: str) -> None:
    with pytest.raises(click.UsageError):
        check(shlex.split(bad))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    known = {option for command in [cli, *_COMMANDS.values()] for parameter in command.params for option in parameter.opts}
    known.add("--help")
    named = {
        option for text in re.findall(r"`([^`\n]+)`", prose(page)) if text.startswith("--") for option in re.findall(r"--[a-z-]+", text)
    }
    assert named <= known
