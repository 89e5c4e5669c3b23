"""Why a board failed, in words: `fw_error` taken apart, and the table of the device library's own errors with what to do.

The codes and sentences come from the device library itself (`lib/ota/errors.py`), the advice from the table that the documentation is
made from, so that board, page and manual say the same.
"""

import functools
import importlib.util
import re
import tomllib
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from cota.drive.tree import device_tree
from cota.errors import CotaError

# How the device words it (device/lib/ota/report.py): "later: <code> <sentence>, next try in <n> s" or "<code> <sentence>".
_LATER = re.compile(r"later: (?P<code>[a-z_]+)(?: (?P<text>.*?))?(?:, next try in (?P<wait>\d+) s)?", re.DOTALL)
_GIVEN_UP = re.compile(r"(?P<code>[a-z_]+)(?: (?P<text>.*))?", re.DOTALL)

# Not errors of the library but verdicts of the guard, and the reader asks the same of them.
_VERDICTS = {
    "undone": (
        "the release ran, failed its trial, and was undone",
        "The board runs the release that it had before. What the message names made the trial fail: mend that in your program and "
        "publish a new version. If it was bad luck, such as an outage, retry this one.",
    ),
}


class Told(NamedTuple):
    """What a board said.

    Attributes:
        code: The error's stable code; empty where the text has none that is known.
        later: Whether the board tries again by itself.
        text: What it said beside that.
        wait: Seconds until its next try when it said so; None where it did not.
    """

    code: str
    later: bool
    text: str
    wait: int | None


def split(error: str) -> Told:
    """Take a device's `fw_error` apart. Any text may come in; one that is not the library's is kept as it is."""
    found = _LATER.fullmatch(error) or _GIVEN_UP.fullmatch(error)
    if found is None or found["code"] not in table():
        return Told("", False, error, None)
    wait = found.groupdict().get("wait")
    return Told(found["code"], error.startswith("later: "), found["text"] or "", int(wait) if wait and len(wait) < 10 else None)


@functools.cache
def table() -> dict[str, dict[str, str]]:
    """Return code -> its sentence (`says`) and what to do about it (`todo`, with code in backquotes).

    Raises:
        CotaError: The installation lacks the device tree or the advice.
    """
    errors, advice = _errors(), _advice()
    says: dict[str, str] = {**errors._NETWORK, **errors._LATER, **errors._NEVER}
    known = {code: {"says": sentence, "todo": advice.get(code, "")} for code, sentence in says.items()}
    return known | {code: {"says": sentence, "todo": todo} for code, (sentence, todo) in _VERDICTS.items()}


def _errors() -> ModuleType:
    path = device_tree() / "lib" / "ota" / "errors.py"
    spec = importlib.util.spec_from_file_location("cota_device_errors", path)
    if spec is None or spec.loader is None:
        raise CotaError(f"{path} cannot be read.", "Install circuitpython-cota again.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _advice() -> dict[str, str]:
    package = Path(str(resources.files("cota")))
    # In an installed wheel beside the device tree, in a checkout where the documentation is made.
    for path in (package / "_error_advice.toml", package.parent.parent / "docs" / "error_advice.toml"):
        if path.is_file():
            groups: dict[str, dict[str, str]] = tomllib.loads(path.read_text(encoding="utf-8"))
            return {code: text for group in groups.values() for code, text in group.items()}
    raise CotaError("The table of what to do about errors is missing from this installation of cota.", "Install circuitpython-cota again.")
