"""What a board's error means and what to do about it.

A board says `<code> <sentence>`, or `later: <code> <sentence>, next try in <n> s`, in its telemetry `fw_error`. The codes and their
families are the device library's own table, read from the device tree that this package carries; `advice.toml` beside this file says what
to do.
"""

import importlib.util
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import ModuleType

from cota.drive.tree import device_tree

# Not in the device's table, because they are no errors of the library: how a trial ended badly, with the guard's reason behind it.
# Words of device/lib/ota/report.py: what it says -> (what that means, what to do).
TRIAL: Mapping[str, tuple[str, str]] = {
    "undone": (
        "the release ran, failed its trial, and was undone",
        "The release failed on trial and the board went back to the one before. The text is the last line of the program's traceback, or "
        "why the trial ended. Mend the program and publish it with a new version; `cota retry` tries the same release again.",
    ),
    "not undone yet": (
        "the release failed its trial, and the old one cannot be put back yet",
        "The release failed on trial, for the reason that follows, and the old files cannot be put back yet: mostly its program has left "
        "no room for them on the drive. Assign another release, or a mended one: the board installs it over what there is. Or free room: "
        "the board then goes back.",
    ),
}
_FORM = re.compile(rf"(?P<later>later: )?(?:(?P<trial>{'|'.join(TRIAL)})(?![a-z_]):?|(?P<code>[a-z_]+))(?: (?P<text>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Explanation:
    """What an error of a board means.

    Attributes:
        code: Its stable code.
        later: Whether the board tries again by itself.
        text: What the board said behind the code.
        advice: What to do, in Markdown.
    """

    code: str
    later: bool
    text: str
    advice: str


def explain(error: str) -> Explanation | None:
    """Explain the text of `fw_error`; None where it is empty or not of a board of ours."""
    found = _FORM.fullmatch(error.strip())
    if found is None:
        return None
    code = found["trial"] or found["code"]
    advice = TRIAL[code][1] if found["trial"] else _advice().get(code)
    if advice is None:
        return None
    return Explanation(code, bool(found["later"]), found["text"] or "", advice)


def device_module(name: str) -> ModuleType:
    """Load one pure module of the device library by itself.

    Args:
        name: The module's name without `.py`; it must import nothing from its package.

    Raises:
        CotaError: This installation lacks the device tree.
        ImportError: The library has no such module.
    """
    spec = importlib.util.spec_from_file_location(f"device_{name}", device_tree() / "lib" / "ota" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def error_codes() -> dict[str, tuple[bool, str]]:
    """Give each code with whether the device tries again, and its sentence."""
    errors = device_module("errors")
    codes: dict[str, tuple[bool, str]] = {code: (True, sentence) for code, sentence in {**errors._NETWORK, **errors._LATER}.items()}
    codes.update({code: (False, sentence) for code, sentence in errors._NEVER.items()})
    return codes


def error_advice() -> dict[str, dict[str, str]]:
    """Give the advice: group -> code -> what to do."""
    text = resources.files(__name__).joinpath("advice.toml").read_text(encoding="utf-8")
    advice: dict[str, dict[str, str]] = tomllib.loads(text)
    return advice


@cache
def _advice() -> dict[str, str]:
    return {code: text for group in error_advice().values() for code, text in group.items()}
