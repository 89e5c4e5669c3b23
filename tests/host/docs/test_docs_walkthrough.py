"""What the pages tell a newcomer to type is typed here, in order, in an empty folder, and does what they say."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_markdown import DOCS, steps

from cota.demo.release import make_example
from cota.lab.server import LabConfig, running_lab

_BIN = Path(sys.executable).parent
_PATIENCE_SECONDS = 90
_PORT = "8080"  # in the pages; a free one takes its place here


class Terminal:
    """A program that stays, and what it has said so far."""

    def __init__(self, line: str, place: Path, environment: dict[str, str]) -> None:
        self.said = ""
        # `exec`: the shell gives way to the program, so that Ctrl-C reaches it.
        assignments, _, command = line.rpartition("cota ")
        self._process = subprocess.Popen(
            ["bash", "-c", f"{assignments}exec cota {command}"],
            cwd=place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        """Press Ctrl-C and wait."""
        if not self.ended:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5)
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    for program in ("bash", "git", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program.upper()} IS NOT INSTALLED: the walk-through was not tried")
    if not (_BIN / "cota").exists():
        pytest.skip(f"THE COMMAND cota IS NOT IN {_BIN}: the walk-through was not tried")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COTA_", "XDG_", "GIT_"))}
    return kept | {"PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in reversed(opened):
        terminal.close()


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def until(text: str, terminals: list[Terminal]) -> None:
    """Wait until a terminal has said the text."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not any(text in terminal.said for terminal in terminals):
        said = "\n---\n".join(terminal.said for terminal in terminals)
        assert time.monotonic() < end, f"nobody said {text!r}:\n{said}"
        assert not any(terminal.ended for terminal in terminals), f"a program ended before {text!r}:\n{said}"
        time.sleep(0.1)


def run(script: str, place: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_starting_without_a_board_works_as_written(tmp_path: Path, environment: dict[str, str], terminals: list[Terminal]) -> None:
    port = free_port()
    done = []
    for step in steps(DOCS / "start-without-a-board.md"):
        kind, _, detail = step.mark.partition(": ")
        text = step.text.replace(_PORT, port)
        if kind == "run":
            run("\n".join(line.replace(_PORT, port) for line in step.commands), tmp_path, environment)
        elif kind == "background":
            for line in step.commands:
                terminals.append(Terminal(line.replace(_PORT, port), tmp_path, environment))
                until("Ctrl-C", terminals[-1:])
        elif kind == "file":
            (tmp_path / detail).write_text(text, encoding="utf-8")
        elif kind == "wait for":
            until(detail, terminals)
        else:
            assert not kind, f"the page has a mark that nobody knows: {step.mark}"
            continue
        done.append(kind)
    assert done == ["run", "run", "background", "background", "file", "run", "wait for", "run", "wait for"]


def test_the_curl_examples_of_the_lab_work_as_written(tmp_path: Path, environment: dict[str, str]) -> None:
    repository = tmp_path / "greenhouse.git"
    make_example(repository)
    marked = [step for step in steps(DOCS / "lab.md") if step.mark == "run in a lab"]
    assert len(marked) == 2
    with running_lab(LabConfig(repositories={"demo/greenhouse": repository}, password="greenhouse")) as lab:
        port = str(lab.port)
        said = [
            run("\n".join(line.replace(_PORT, port).replace("curl -s ", "curl -sf ") for line in step.commands), tmp_path, environment)
            for step in marked
        ]
    assert "Greenhouse watch 2" in said[0]
    assert 'print("greenhouse watch 2")' in said[0]
    assert '"name":"kitchen"' in said[1]
    assert said[1].endswith("{}")
