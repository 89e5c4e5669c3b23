"""`cota lab` as a process of its own."""

import json
import os
import subprocess
import sys
from typing import Any

SECONDS = 60  # far beyond anything but a hang


class LabProcess:
    """A lab that has said where it is; facts are empty where it could not start."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", "from cota.cli import main; main()", "lab", "--port", "0", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if key != "COTA_LAB_PASSWORD"} | environment,
        )
        assert self.process.stdout is not None
        self.facts: dict[str, Any] = json.loads(self.process.stdout.readline() or "{}")

    def end(self) -> tuple[int, str]:
        """Wait for the end; return exit code and stderr."""
        _, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, errors
