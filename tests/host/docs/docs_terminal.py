"""Typing what a page says: commands in a shell, programs that stay in a terminal of their own, and the port of a lab of the test's."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

_BIN = Path(sys.executable).parent
_PATIENCE_SECONDS = 90
PORT = "8080"  # in the pages; a free one takes its place here


class Terminal:
    """A program that stays, and what it has said so far."""

    def __init__(self, line: str, place: Path, environment: dict[str, str]) -> None:
        self.said = ""
        # `exec`: the shell gives way to the program, so that Ctrl-C reaches it.
        assignments, _, command = line.partition("cota ")
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


def run(script: str, place: Path, environment: dict[str, str], code: int = 0) -> str:
    """Run a script; gives what it printed on stdout."""
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def environment_of(home: Path) -> dict[str, str]:
    """The environment of somebody with this home and nothing set; skips where a program lacks."""
    for program in ("bash", "git", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program.upper()} IS NOT INSTALLED: the pages' commands were not tried")
    if not (_BIN / "cota").exists():
        pytest.skip(f"THE COMMAND cota IS NOT IN {_BIN}: the pages' commands were not tried")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COTA_", "XDG_", "GIT_"))}
    return kept | {"PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "PYTHONUNBUFFERED": "1"}


def at_port(line: str, port: str) -> str:
    """Put a free port in place of the pages' 8080, also where it goes without saying."""
    line = line.replace(PORT, port)
    return f"{line} --port {port}" if "cota lab" in line and "--port" not in line else line
