"""An operator's shell: runs `cota` as its own main does, with a configuration folder and an environment of its own."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cota.cli import main

PASSWORD = "correct horse"


class Terminal(io.StringIO):
    """Text that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """What --json printed."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def json(self) -> Any:
        """The one line that --json printed."""
        (line,) = self.lines
        return line


class Shell:
    """Runs commands; `set` changes the environment."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._patch = patch
        for name in ("COTA_URL", "COTA_API_KEY", "COTA_USERNAME", "COTA_PASSWORD", "COTA_SERVER"):
            patch.delenv(name, raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(home))
        patch.setenv("HOME", str(home))

    @property
    def folder(self) -> Path:
        """Where cota keeps its configuration."""
        return self.home / "cota"

    def set(self, **variables: str) -> None:
        """Set environment variables."""
        for name, value in variables.items():
            self._patch.setenv(name, value)

    def unset(self, *names: str) -> None:
        """Take environment variables away."""
        for name in names:
            self._patch.delenv(name, raising=False)

    def __call__(self, *arguments: str, stdin: str = "", terminal: bool = False) -> Done:
        """Run `cota` with these arguments; with `terminal` its stdin and stdout claim to be one."""
        kind = Terminal if terminal else io.StringIO
        out, err = kind(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.setattr(sys, "argv", ["cota", *arguments])
            patch.setattr(sys, "stdin", kind(stdin))
            with pytest.raises(SystemExit) as ended:
                main()
        code = ended.value.code
        assert isinstance(code, int)
        assert "Traceback" not in err.getvalue()
        return Done(code, out.getvalue(), err.getvalue())
