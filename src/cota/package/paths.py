"""Which paths a FAT drive can hold, which of a release's files go onto a board, and which files of the board stay.

The board's own rules are in `ota.paths`; both sides read tests/vectors/paths.json.
"""

import re
from collections.abc import Iterable

MAX_PATH = 200  # bytes of UTF-8: the device's plan holds a record's length in one byte
MAX_PART = 100  # bytes of UTF-8
MAX_IGNORE = 4096  # bytes of .cotaignore
IGNORE_FILE = ".cotaignore"
SETTINGS_FILE = "settings.toml"
KEPT = ("main.py", "boot.py", "safemode.py", SETTINGS_FILE, "lib/")
# Names of the system and of the drive's owner, never part of a release: one that brought cota.usb would give the drive to USB.
SYSTEM = (
    "cota.usb",
    "cota.usb/",
    "boot_out.txt",
    "sd/",
    "system volume information/",
    ".trashes/",
    ".trashes",
    ".fseventsd/",
    ".metadata_never_index",
    ".spotlight-v100/",
    "cota_sys/",
)
_BAD_CHARACTER = re.compile(r'[\x00-\x1f\x7f\ud800-\udfff*?:"|<>\\]')
_ALIAS = re.compile(r"[^~.]+~\d+(\.[^.]*)?")


def problem(path: str) -> str | None:
    """The error code (`path_fat` or `path_long`) for a path that a board cannot hold, or None."""
    if len(path.encode(errors="surrogatepass")) > MAX_PATH:
        return "path_long"
    for part in path.split("/"):
        if part in ("", ".", "..") or part[-1] in ". " or part[0] == " " or _is_alias(part):
            return "path_fat"
        if len(part.encode(errors="surrogatepass")) > MAX_PART:
            return "path_long"
        if _BAD_CHARACTER.search(part):
            return "path_fat"
    return None


def _is_alias(part: str) -> bool:
    stem = part.partition(".")[0]
    name, _, digits = stem.partition("~")
    return bool(_ALIAS.fullmatch(stem)) and len(name) + len(digits) < 8 and part == part.upper()


def fold(text: str) -> str:
    """The name as FAT compares it: the letters of ASCII in lower case."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def clash(one: str, other: str) -> bool:
    """True if two different files cannot both be on a FAT drive: same name but for case, or one is a folder of the other."""
    for a, b in zip(one.split("/"), other.split("/"), strict=False):
        if a != b:
            return fold(a) == fold(b)
    return True


class Rules:
    """What a release may bring and what an update leaves alone.

    Args:
        keep: COTA_KEEP's names: files, and folders with a trailing `/`, from the root.
        update_settings: Whether a release's settings.toml is applied (COTA_UPDATE_SETTINGS).
        ignore: The text of the release's .cotaignore.
    """

    def __init__(self, keep: Iterable[str] = (), update_settings: bool = False, ignore: str = "") -> None:
        own = [name for name in (fold(k.strip()).removeprefix("./").lstrip("/") for k in keep) if name]
        self._kept = [*KEPT, *SYSTEM, *own, *(name + "/" for name in own)]
        self._update_settings = update_settings
        lines = (line.strip() for line in ignore.split("\n"))
        self._ignored = [line.lstrip("/") for line in lines if line and not line.startswith("#")]

    def skips(self, path: str) -> bool:
        """True if this file of the release stays off the board."""
        low = fold(path)
        return _matches(SYSTEM, low) or _is_apple(low) or (low == SETTINGS_FILE and not self._update_settings) or self._ignores(path)

    def keeps(self, path: str) -> bool:
        """True if this file on the drive stays although the release lacks it."""
        low = fold(path)
        return _matches(self._kept, low) or _is_apple(low)

    def _ignores(self, path: str) -> bool:
        return any(
            path.endswith(rule[1:]) if rule.startswith("*.") else path == rule or (rule.endswith("/") and path.startswith(rule))
            for rule in self._ignored
        )


def _matches(rules: Iterable[str], low: str) -> bool:
    return any(low == rule or (rule.endswith("/") and low.startswith(rule)) for rule in rules)


def _is_apple(low: str) -> bool:
    return low.rpartition("/")[2].startswith("._")
