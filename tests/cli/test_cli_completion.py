"""Completion, in the shells themselves where they are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from operator_shell import Shell

from cota.cli import COMMANDS
from cota.config import Book, Entry


@pytest.fixture
def environment(stranger: Shell, tmp_path: Path) -> dict[str, str]:
    """An environment in which `cota` is this one."""
    Book("home", {"home": Entry("http://a", "", "api-key", "file"), "hut": Entry("http://b", "", "api-key", "file")}).write()
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cota").write_text(f"#!{sys.executable}\nfrom cota.cli import main\nmain()\n")
    (folder / "cota").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "XDG_CONFIG_HOME": str(stranger.home)}


def run(shell: str, program: str, environment: dict[str, str]) -> list[str]:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run([found, *quiet, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


WORDS = [
    ("cota st", {"status"}),
    ("cota re", {"retry"}),
    ("cota status --dev", {"--device"}),
    ("cota status --server h", {"home", "hut"}),
    ("cota dashboard ", {"install", "export"}),
    ("cota xyz", set()),
]


@pytest.mark.parametrize(("line", "found"), WORDS)
def test_bash_completes(line: str, found: set[str], environment: dict[str, str]) -> None:
    words = line.split(" ")
    program = f"""
        eval "$(cota completion bash)"
        COMP_WORDS=({" ".join(word or "''" for word in words)}) COMP_CWORD={len(words) - 1}
        _cota_completion cota "{words[-1]}" "{words[-2]}"
        echo "${{COMPREPLY[@]}}"
        [[ $(complete -p cota) == *_cota_completion* ]]
    """
    assert set(run("bash", program, environment)) == found


@pytest.mark.parametrize(("line", "found"), WORDS)
def test_zsh_completes(line: str, found: set[str], environment: dict[str, str]) -> None:
    words = line.split(" ")
    # compadd and _describe need a line that is edited; in their place is what they are given.
    program = f"""
        compdef() {{ : }}
        _describe() {{ local name=${{@[-2]:-}}; [[ $name == -* ]] && name=$2; print -l -- ${{${{(P)3}}%%:*}} }}
        compadd() {{ print -l -- ${{(P)${{@[-1]}}}} }}
        eval "$(cota completion zsh)"
        words=({" ".join(word or "''" for word in words)}); CURRENT={len(words)}
        _cota_completion
    """
    assert set(run("zsh", program, environment)) == found


@pytest.mark.parametrize(("line", "found"), WORDS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_is_answered(shell: str, line: str, found: set[str], environment: dict[str, str]) -> None:
    words = line.split(" ")
    asked = {"_COTA_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1)}
    done = subprocess.run(["cota"], env=environment | asked, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    told = {
        "bash": [one.partition(",")[2] for one in lines],
        "zsh": lines[1::3],
        "fish": [one.partition(",")[2].partition("\t")[0] for one in lines],
    }
    assert set(told[shell]) - {""} == found


def test_every_command_is_completed(environment: dict[str, str]) -> None:
    asked = {"_COTA_COMPLETE": "bash_complete", "COMP_WORDS": "cota ", "COMP_CWORD": "1"}
    done = subprocess.run(["cota"], env=environment | asked, capture_output=True, text=True, check=True, timeout=60)
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == set(COMMANDS)


def test_the_shell_in_use_is_taken_and_another_is_told(stranger: Shell) -> None:
    stranger.set(SHELL="/usr/bin/zsh")
    assert "#compdef cota" in stranger("completion").out
    stranger.set(SHELL="/bin/dash")
    done = stranger("completion")
    assert (done.code, done.out) == (2, "")
    assert "dash cannot be completed for.\nName one: bash, zsh, fish." in done.err
    assert stranger("completion", "powershell").code == 2


def test_a_damaged_list_of_servers_breaks_no_completion(environment: dict[str, str], stranger: Shell) -> None:
    (stranger.folder / "servers.json").write_text("{")
    asked = {"_COTA_COMPLETE": "bash_complete", "COMP_WORDS": "cota status --server h", "COMP_CWORD": "3"}
    done = subprocess.run(["cota"], env=environment | asked, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("", "")
