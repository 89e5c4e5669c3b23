"""Which paths a FAT drive can hold, which of a release's files go onto the board, and which files on the board stay.

Paths are relative to the drive's root, with `/` between the parts and none at the ends.
"""

from .errors import error

STATE_FOLDER = "cota_sys"  # an 8.3 name of one directory entry; not `ota`, which would shadow lib/ota
IGNORE_FILE = ".cotaignore"
SETTINGS_FILE = "settings.toml"
MAX_PATH = 200  # bytes of UTF-8: a plan record's length is one byte
MAX_PART = 100  # bytes: FAT holds 255 UTF-16 units, but each 13 cost a directory entry
MAX_IGNORE = 4096  # bytes of .cotaignore, which is held in RAM while the listing is checked

_BAD_CHARS = '*?:"|<>\\\x7f'  # refused by FatFs, or (backslash) a separator to it
# What the board's owner keeps even where a release lacks it, as the original does; a trailing / names a folder.
_KEPT = ["main.py", "boot.py", "safemode.py", SETTINGS_FILE, "lib/"]
# What the system and the owner put on the drive; never part of a release, never deleted. A release that brought cota.usb would give the
# drive to USB and could never be undone.
_SYSTEM = "cota.usb cota.usb/ boot_out.txt sd/ .trashes/ .trashes .fseventsd/ .metadata_never_index .spotlight-v100/".split()
_SYSTEM += ["system volume information/", STATE_FOLDER + "/"]


def problem(path):
    """The error code for a path that a board cannot hold, or None. (Halves of surrogate pairs are refused with the listing.)"""
    if len(path.encode()) > MAX_PATH:
        return "path_long"
    for part in path.split("/"):
        if not part or part[-1] in ". " or part[0] == " " or _is_alias(part):
            return "path_fat"
        if len(part.encode()) > MAX_PART:
            return "path_long"
    for char in path:
        if char < " " or char in _BAD_CHARS:
            return "path_fat"
    return None


def _is_alias(part):
    """True for a name such as `GONE_L~1.PY`: FAT gives these to torn long names, and the recovery removes them."""
    stem, mark, digits = part.partition(".")[0].partition("~")
    return bool(mark and stem and digits.isdigit() and len(stem) + len(digits) < 8 and part == part.upper())


def clash(one, other):
    """True if two records' paths cannot both be on a FAT drive: they are the same, meet in a name that differs only by case, or one is a
    folder of the other.
    """
    for a, b in zip(one.split("/"), other.split("/")):  # noqa: B905 (a board's zip has no strict)
        if a != b:
            return a.lower() == b.lower()
    return True


class Rules:
    """What a release may bring and what an update leaves alone.

    Args:
        keep: Names of COTA_KEEP: files, and folders with a trailing `/`, all from the root.
        update_settings: Whether a release's settings.toml is applied.
    """

    def __init__(self, keep=(), update_settings=False):
        self._kept = _KEPT + _SYSTEM
        for name in keep:
            low = name.strip().lower()
            low = (low[2:] if low[:2] == "./" else low).lstrip("/")
            if low:
                self._kept.append(low)
                self._kept.append(low + "/")  # whoever leaves out the / of a folder means the folder too
        self.update_settings = update_settings
        self._ignored = b""

    def ignore(self, text):
        """Take a release's .cotaignore: bytes, one path, `folder/` or `*.ext` a line; `#` starts a comment line.

        Raises:
            OverTheAirUpdateError: "ignore" where it is not UTF-8.
        """
        try:
            text.decode()
        except UnicodeError:
            raise error("ignore")
        self._ignored = text

    def skips(self, path):
        """True if this file of the release stays off the board: the system's names, settings.toml unless asked for, what is ignored."""
        low = path.lower()
        return _matches(_SYSTEM, low) or (low == SETTINGS_FILE and not self.update_settings) or self._ignores(path)

    def keeps(self, path):
        """True if this file on the drive stays although the release lacks it."""
        return _matches(self._kept, path.lower())

    def keeps_folder(self, path):
        """True if everything in this folder of the drive stays although the release lacks it."""
        return _matches(self._kept, path.lower() + "/")

    def _ignores(self, path):
        """The lines are read anew for each path: as a list they would take ten times the heap."""
        text, path = self._ignored, path.encode()
        start = 0
        while start < len(text):
            end = text.find(b"\n", start)
            end = len(text) if end < 0 else end
            rule = text[start:end].strip()
            start = end + 1
            if rule[:1] == b"#":
                continue
            rule = rule.lstrip(b"/")
            if rule[:2] == b"*.":
                if path.endswith(rule[1:]):
                    return True
            elif path == rule or (rule[-1:] == b"/" and path.startswith(rule)):
                return True
        return False


def _matches(rules, low):
    for rule in rules:
        if low == rule or (rule[-1] == "/" and low.startswith(rule)):
            return True
    return low.split("/")[-1][:2] == "._"  # macOS keeps a file's extra attributes there
