"""The command line as a contract: help, errors, exit codes, and no traceback whatever ends a command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cota import __version__
from cota.cli import COMMANDS, cli, main
from cota.errors import CotaError

MAIN = "from cota.cli import main; main()"
PATIENCE_SECONDS = 30
linux = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs Linux's /proc")


def cota(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", MAIN, *arguments], capture_output=True, text=True, check=False)


def start(*arguments: str, output: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments], stdout=output, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def boards_of(folder: Path) -> list[str]:
    """The processes that run a board of this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
            if str(folder).encode() in command and b"start.py" in command:
                found.append(entry.name)
    return found


def wait_until_gone(folder: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while boards_of(folder) and time.monotonic() < end:
        time.sleep(0.02)
    assert boards_of(folder) == []


def test_help_names_every_command_and_what_it_is_for() -> None:
    for option in ("--help", "-h"):
        done = cota(option)
        assert (done.returncode, done.stderr) == (0, "")
        for name, text in COMMANDS.items():
            assert re.search(rf"^  {name} +{text.split()[0]}", done.stdout, re.MULTILINE)


def test_without_a_command_the_help_is_shown_and_the_use_is_wrong() -> None:
    done = cota()
    assert done.returncode == 2
    assert "Commands:" in done.stderr + done.stdout


def test_the_version_is_the_packages() -> None:
    done = cota("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"cota, version {__version__}\n", "")


def test_help_needs_no_commands_libraries() -> None:
    """`cota --help` must be quick: the libraries of a command are imported when it runs."""
    program = "import sys\nfrom cota.cli import main\ntry:\n    main()\nfinally:\n    print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    for library in ("uvicorn", "starlette", "dulwich", "rich", "httpx2", "asyncio", "sqlite3"):
        assert f"'{library}'" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_on_itself_and_on_each_option(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    for parameter in (one for one in command.params if isinstance(one, click.Option)):  # click has no help on arguments
        assert getattr(parameter, "help", None), f"{name}: {parameter.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert "Examples:" in result.output
    assert re.search(rf"^ *cota {name}\b", result.output, re.MULTILINE)


def test_an_unknown_command_is_wrong_use() -> None:
    done = cota("upgrade")
    assert done.returncode == 2
    assert "upgrade" in done.stderr
    assert "--help" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_wrong_use(name: str) -> None:
    done = cota(name, "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_that_the_user_can_mend_is_one_message_with_what_to_do_next(tmp_path: Path) -> None:
    done = cota("demo", "--repo", str(tmp_path), "--from", "a", "--to", "b")
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first == f"cota: {tmp_path} is not a Git repository."
    assert "git init" in second


def test_a_cota_error_of_any_command_ends_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(**_: object) -> int:
        raise CotaError("The board has no drive.", "Make one.")

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "cota: The board has no drive.\nMake one.\n")


@linux
@pytest.mark.parametrize("moment", ['"boards"', '"state"', '"UPDATED"'])
def test_ctrl_c_ends_the_demo_without_a_traceback_or_a_process_left(tmp_path: Path, moment: str) -> None:
    process = start("demo", "--json", "--keep", str(tmp_path / "kept"))
    assert process.stdout is not None
    for line in process.stdout:
        if moment in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, err
    assert err.strip() == "cota: stopped."
    for line in out.splitlines():
        json.loads(line)
    assert boards_of(tmp_path) == []


@linux
def test_a_killed_demo_leaves_no_board_behind(tmp_path: Path) -> None:
    process = start("demo", "--json", "--keep", str(tmp_path / "kept"))
    assert process.stdout is not None
    for line in process.stdout:
        if '"state"' in line and boards_of(tmp_path):
            break
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    wait_until_gone(tmp_path)


@linux
def test_a_reader_that_goes_away_ends_the_demo_without_a_traceback(tmp_path: Path) -> None:
    """As `cota demo --json | head -1`."""
    process = start("demo", "--json", "--keep", str(tmp_path / "kept"))
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["event"] == "lab"
    process.stdout.close()
    with process.stderr:
        err = process.stderr.read()
    assert process.wait(PATIENCE_SECONDS) == 1
    assert err == ""
    assert boards_of(tmp_path) == []


def test_help_into_a_pipe_that_nobody_reads_leaves_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    process = start("demo", "--help", output=write)
    os.close(write)
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert "Traceback" not in err
    assert "Exception ignored" not in err
