"""settings.toml as CircuitPython reads it, and filling it in without losing a line of its owner's.

CircuitPython takes a subset of TOML (docs/environment.rst): bare keys, strings in double quotes, whole numbers, true and false, before the
first [table]. The first line of a key counts.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

SETTINGS = "settings.toml"

_KEY_LINE = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*$")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(#.*)?$')
_BARE = re.compile(r"([^\s#]+)\s*(#.*)?$")
_SHIPPED = re.compile(r"(?m)^(?:# )?([A-Z0-9_]+) = ")
_OURS = ("COTA_", "THINGSBOARD_")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?$")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_CURLED = "\u201c\u201d\u201e\u2018\u2019"


@dataclass
class Settings:
    """What a settings.toml says.

    Attributes:
        values: Each key's text.
        problems: What CircuitPython would not take, one sentence each, with the line's number.
    """

    values: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)  # the line that counts, from 0


def read_settings(text: str) -> Settings:
    """Read the text of a settings.toml. No problem repeats a value: it may be a password."""
    found = Settings()
    for number, line in enumerate(text.splitlines()):
        bare = line.strip()
        if number == 0 and bare.startswith("\ufeff"):
            found.problems.append("the file begins with a byte order mark; save it as UTF-8 without one")
            bare = bare[1:]
        if not bare or bare.startswith("#"):
            continue
        if bare.startswith("["):
            break
        problem = _take(found, number, bare)
        if problem:
            found.problems.append(f"line {number + 1} {problem}")
    return found


def unknown_keys(given: Iterable[str], shipped: str) -> list[str]:
    """Say which keys are named as cOTA's are and are none of them, one sentence each; a program's own keys have other names.

    Args:
        given: The keys.
        shipped: The text of the shipped settings.toml, where every key has a line, most of them behind a #.
    """
    known = _SHIPPED.findall(shipped)
    notes = []
    for key in given:
        if key.startswith(_OURS) and key not in known:
            near = get_close_matches(key, known, n=1)
            notes.append(f"cOTA has no setting {key}; " + (f"is it {near[0]}?" if near else "boards pass over it."))
    return notes


def _take(found: Settings, number: int, line: str) -> str:
    match = _KEY_LINE.match(line)
    if match is None:
        return "is not KEY = VALUE"
    key, rest = match[1], match[2]
    if key in found.values:
        return f"sets {key} again; only the first one counts"
    if string := _STRING.match(rest):
        try:
            found.values[key] = _ESCAPE.sub(_unescape, string[1])
        except (KeyError, ValueError, OverflowError):
            return f"has a backslash in {key} that means nothing; write \\\\ for a backslash"
        found.lines[key] = number
        return ""
    bare = _BARE.match(rest)
    if bare and (_NUMBER.match(bare[1]) or bare[1] in ("true", "false")):
        found.values[key], found.lines[key] = bare[1], number
        return ""
    if any(mark in rest for mark in _CURLED):
        return f'has curled quotes around {key}; write plain ones: "'
    if rest.startswith("'"):
        return f'has single quotes around {key}; CircuitPython takes only double ones: "'
    if rest.startswith('"'):
        return f"does not end the text of {key} with a quote"
    return f'has no quotes around {key}; write {key} = "..."'


def _unescape(match: re.Match[str]) -> str:
    what = match[1]
    return chr(int(what[1:], 16)) if what[0] in "uU" and len(what) > 1 else _ESCAPES[what]


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Set keys in the text of a settings.toml; every other line stays as it is.

    A key that is there keeps its place and its comment. A new one goes below the commented line that shows its default, or behind the last
    line before the first [table].
    """
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.removeprefix("\ufeff").splitlines()
    known = read_settings(text.removeprefix("\ufeff")).lines
    new = {key: value for key, value in values.items() if key not in known}
    for key in values.keys() & known.keys():
        match = _STRING.search(lines[known[key]]) or _BARE.search(lines[known[key]].partition("=")[2].strip())
        comment = f"  {match[2]}" if match and match[2] else ""
        lines[known[key]] = setting_line(key, values[key]) + comment
    for key, value in new.items():
        # A line of this key that CircuitPython would not take is mended in its place.
        broken = next((n for n, line in enumerate(lines) if re.match(rf"\s*{re.escape(key)}\s*=", line) and n < _end(lines)), None)
        if broken is not None:
            lines[broken] = setting_line(key, value)
            continue
        shown = next((n for n, line in enumerate(lines) if re.match(rf"\s*#\s*{re.escape(key)}\s*=", line)), None)
        lines.insert(_end(lines) if shown is None or shown >= _end(lines) else shown + 1, setting_line(key, value))
    return ending.join(lines) + ending


def _end(lines: list[str]) -> int:
    """The index behind the last line that CircuitPython reads, without the blank lines there."""
    end = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    while end and not lines[end - 1].strip():
        end -= 1
    return end


def setting_line(key: str, value: str) -> str:
    """Give one line; every value is text, which `os.getenv` gives in any case."""
    for character, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(character, escape)
    return f'{key} = "{value}"'
