"""The title and version of a release, and which of them ThingsBoard would spoil."""

import datetime
import re
import tomllib
from collections.abc import Iterable

from cota.errors import CotaError

_MAX = 255  # characters that ThingsBoard keeps of a title or a version
# What ThingsBoard stores as a number when a board reports it as text: Apache's NumberUtils.isParsable, any script's digits.
_NUMBER = re.compile(r"-?\d*\.?\d+")
# What ThingsBoard refuses as markup (see its XSS filter): a tag, or a template expression.
_MARKUP = re.compile(r"<[A-Za-z/!?]|\{\{.*\}\}", re.DOTALL)


def check_name(what: str, text: str) -> str:
    """Return a title or a version if ThingsBoard keeps it as it is.

    Args:
        what: "title" or "version".
        text: The name.

    Raises:
        CotaError: It does not.
    """
    if not text.strip() or text != text.strip() or not text.isprintable():
        raise CotaError(f"{text!r} cannot be a {what}.", "Use printable text without spaces at its ends.")
    if _NUMBER.fullmatch(text):
        value = float(text)
        stored = f"{value:g}" if "." in text else str(int(text))
        raise CotaError(
            f"The {what} {text!r} looks like a number. ThingsBoard makes {stored} of such text when a board reports it, so that the {what} "
            "that runs never equals the one that was assigned.",
            f"Name it v{text}, or give it three parts, as 1.2.0 has.",
        )
    if len(text) > _MAX:
        raise CotaError(f"The {what} has {len(text)} characters, and ThingsBoard takes {_MAX}.", "Shorten it.")
    if _MARKUP.search(text):
        raise CotaError(f"The {what} {text!r} looks like markup, which ThingsBoard refuses.", "Leave < and {{ out.")
    return text


def from_tags(tags: Iterable[str]) -> str | None:
    """Choose the version among a commit's tags: the newest by its numbers, and of firmware/v1.2.0 what is behind the last slash."""
    names = [tag.rpartition("/")[2] for tag in tags]
    return max(names, key=_numbers) if names else None


def _numbers(name: str) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d{1,18}", name)], name


def from_pyproject(data: bytes) -> str | None:
    """Read the version of a pyproject.toml (packaging.python.org, "project" table); None where it has none that is written there."""
    try:
        version = tomllib.loads(data.decode("utf-8")).get("project", {}).get("version")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError):
        return None
    return version if isinstance(version, str) and version else None


def from_date(time: int, commit: str) -> str:
    """Make a version of the day of a commit and its id: the same commit always has the same one."""
    return f"{datetime.datetime.fromtimestamp(time, datetime.UTC):%Y.%m.%d}-{commit[:7]}"
