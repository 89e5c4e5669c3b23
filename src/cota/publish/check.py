"""What a board would refuse of a release, found before it is published. The codes are the board's own."""

import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from cota.demo.release import PROGRAMS
from cota.explain import error_codes
from cota.git.types import MODE_SUBMODULE, MODE_SYMLINK
from cota.package.paths import IGNORE_FILE, KEPT, MAX_IGNORE, SETTINGS_FILE, SYSTEM, Rules, clash, fold, problem
from cota.publish import syntax
from cota.publish.source import File
from cota.sim.profiles import PROFILES

Level = Literal["refused", "warning", "note"]

_LFS = b"version https://git-lfs"
_MAX_LFS = 1024  # bytes; a pointer is smaller (Git LFS specification)
_HOOK = b"# cOTA hook 2"
_JOURNAL = b"/cota_sys/s/j"
_BOOT_BYTES = 512
_MAX_FILES = 2000
_MAX_FOLDERS = 400  # that a board's look through its drive remembers at once
# Names in one folder: a board holds them all while it looks through it, and 500 of them cost it 21 kB (see Benchmarks).
_MANY_NAMES = 250
# CircuitPython's compiled modules begin with this letter; MicroPython's, which it refuses, with M.
_MPY = b"C"
_SECTOR = 512
# boot.py and the updater need these; CircuitPython looks for them at the root and in lib/ before it takes its own.
_NEEDED = ("ota", "json", "binascii")
# What the recovery compiles before it changes anything, empty files for broken ones.
_GUARDS = ("boot.py", "safemode.py")
_LIBRARY = "lib/ota/"
# About what the board's own files take besides: lib/ota without comments, boot.py, main.py, settings, the updater's state.
OWN_BYTES = 110 * 1024
# Any form of the statement that imports the library; a word such as "total" does not count.
_IMPORTS_OTA = re.compile(rb"^[ \t]*(?:from[ \t]+ota\b|import[ \t][^#\n]*\bota\b)", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """Something about a release.

    Attributes:
        level: "refused": a board would refuse it or could not run it. "warning": it would install, and hardly do what is meant.
        code: A board's error code, or a word of ours.
        path: The file, "" for the whole release.
        text: What is wrong.
    """

    level: Level
    code: str
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.path + ': ' if self.path else ''}{self.text} [{self.code}]"


Read = Callable[[Iterable[File]], Mapping[str, bytes]]


def check(files: Iterable[File], read: Read) -> list[Finding]:
    """Look at a release as a board would, and a little further.

    Args:
        files: All of its files.
        read: Gives the bytes of some of them.
    """
    everything = list(files)
    ignore = read_ignore(everything, read)
    if isinstance(ignore, Finding):
        return [ignore]
    rules = Rules(ignore=ignore)
    kept = [file for file in everything if not rules.skips(file.path)]
    found = list(_of_paths(everything, kept))
    wanted = [file for file in kept if file.is_plain and (file.path.endswith((".py", ".mpy")) or file.size <= _MAX_LFS)]
    wanted += [file for file in kept if file.is_plain and file.path in PROGRAMS and file not in wanted]
    data = read(wanted)
    if not found:
        found += _of_folders(kept)
    found += _of_contents(data)
    found += _of_programs(kept, data)
    found += _of_room(kept)
    if any(file.path.lower() == SETTINGS_FILE for file in everything):
        found.append(Finding("note", "settings", SETTINGS_FILE, 'left out by boards, unless COTA_UPDATE_SETTINGS is "1" there'))
    order: dict[str, int] = {"refused": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda one: order[one.level])


def read_ignore(files: Iterable[File], read: Read) -> str | Finding:
    """Give the text of a release's .cotaignore, "" where it has none; a finding where a board would refuse it.

    Args:
        files: All of the release's files.
        read: Gives the bytes of some of them.
    """
    file = next((file for file in files if file.path == IGNORE_FILE and file.is_plain), None)
    if file is None:
        return ""
    if file.size > MAX_IGNORE:
        return _refused("ignore", IGNORE_FILE, f"{file.size:,} bytes")
    try:
        return read([file])[IGNORE_FILE].decode("utf-8")
    except UnicodeDecodeError:
        return _refused("ignore", IGNORE_FILE)


def _refused(code: str, path: str, detail: str = "") -> Finding:
    sentence = error_codes()[code][1]
    return Finding("refused", code, path, f"{sentence} ({detail})" if detail else sentence)


def _of_paths(everything: list[File], kept: list[File]) -> Iterator[Finding]:
    if len(everything) > _MAX_FILES:
        yield _refused("too_many", "", f"{len(everything):,}, at most {_MAX_FILES:,}, those that .cotaignore leaves out included")
    if not kept:
        yield Finding("refused", "git_folder", "", "no file is left for a board; look at .cotaignore")
    names: dict[str, str] = {}
    for file in kept:
        code = "submodule" if file.mode == MODE_SUBMODULE else "symlink" if file.mode == MODE_SYMLINK else problem(file.path)
        low = file.path.lower()
        if code:
            yield _refused(code, file.path)
        elif low == "boot.py" and (file.path != "boot.py" or file.size != _BOOT_BYTES):
            yield _refused("boot_hook", file.path, f"{file.size:,} bytes, and the hook has {_BOOT_BYTES}")
        elif _hides(low):
            yield _refused("shadow", file.path)
        elif _is_in_the_way(low):
            yield _refused("path_kept", file.path)
        else:
            yield from _of_case(file.path, names)


def _hides(low: str) -> bool:
    """Whether a file, or a folder that it is in, would be imported in place of what the updater needs; as the board reckons it."""
    bare = low.replace("lib/ota", "").replace("lib/", "").replace(".mpy", "").replace(".py", "")
    return bare.split("/")[0] in _NEEDED


def _is_in_the_way(low: str) -> bool:
    """Whether the release has a file where every drive keeps a folder, or the other way round."""
    return any(low == rule[:-1] if rule.endswith("/") else low.startswith(rule + "/") for rule in (*KEPT, *SYSTEM))


def _of_case(path: str, names: dict[str, str]) -> Iterator[Finding]:
    """Compare a path, and each folder on its way, with those before it as FAT does."""
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        here = "/".join(parts[:end])
        other = names.setdefault(fold(here), here)
        if other != here and clash(other, here):
            yield _refused("path_case", path, f"{other} and {here}")
            return


def _of_folders(kept: list[File]) -> Iterator[Finding]:
    """Look at the tree as a board does that holds it and looks for the release after it."""
    names: dict[str, int] = {}
    inside: dict[str, set[str]] = {}
    for file in kept:
        names[file.path.rpartition("/")[0]] = names.get(file.path.rpartition("/")[0], 0) + 1
        parts = file.path.split("/")
        for end in range(1, len(parts)):
            inside.setdefault("/".join(parts[: end - 1]), set()).add("/".join(parts[:end]))
    names = {folder: count + len(inside.get(folder, ())) for folder, count in names.items()}
    inside[""] = {
        folder for folder in inside.get("", set()) if f"{folder.lower()}/" not in (*KEPT, *SYSTEM)
    }  # a board does not look into these
    if (most := _most_waiting(inside, "")) > _MAX_FOLDERS:
        yield _refused("too_many", "", f"{most:,} folders side by side, and a board looks through {_MAX_FOLDERS} at once")
    folder, count = max(names.items(), key=lambda one: one[1], default=("", 0))
    if count > _MANY_NAMES:
        text = f"{count:,} files in one folder, whose names a Pico W may have no room for beside its program; spread them over several"
        yield Finding("warning", "memory", folder, text)


def _most_waiting(inside: Mapping[str, set[str]], folder: str) -> int:
    """How many folders wait at most while one is looked through depth first, whatever the order of its names."""
    here = inside.get(folder, set())
    return max([len(here), *(len(here) - 1 + _most_waiting(inside, one) for one in here)])


def _of_contents(data: Mapping[str, bytes]) -> Iterator[Finding]:
    for path, content in data.items():
        if len(content) <= _MAX_LFS and content.startswith(_LFS):
            yield _refused("lfs", path)
        elif path == "boot.py" and len(content) == _BOOT_BYTES and not (content.startswith(_HOOK) and _JOURNAL in content):
            yield _refused("boot_hook", path)
        elif path.endswith(".py") or path in PROGRAMS:
            is_guard = path in _GUARDS or path.startswith(_LIBRARY)
            wrong = "it is empty, and a board installs no such file there" if is_guard and not content else syntax.problem(content)
            if wrong:
                yield Finding("refused", "syntax", path, f"{wrong}; mend it, or name the file in .cotaignore")
        elif path.endswith(".mpy") and not content.startswith(_MPY):
            yield Finding("warning", "mpy", path, "compiled for MicroPython and not for CircuitPython, whose import refuses it")


def _of_programs(kept: list[File], data: Mapping[str, bytes]) -> Iterator[Finding]:
    programs = [name for name in PROGRAMS if any(file.path == name for file in kept)]
    if not programs:
        yield Finding("note", "no_program", "", "the release has neither main.py nor code.py; boards go on with the main.py that they have")
        return
    own = [content for path, content in data.items() if (path.endswith(".py") or path in programs) and not path.startswith("lib/ota/")]
    if not any(map(_IMPORTS_OTA.search, own)):
        text = f"no program imports ota, so after {programs[0]} runs no board looks for a release again; the trial undoes it"
        yield Finding("warning", "no_ota", programs[0], text)


def _of_room(kept: list[File]) -> Iterator[Finding]:
    live = sum(-(-file.size // _SECTOR) * _SECTOR for file in kept)
    drives = {profile.name: profile.drive_bytes for profile in PROFILES.values()}
    if live + OWN_BYTES > max(drives.values()):
        yield _refused("space", "", f"{live:,} bytes, and the largest drive known here has {max(drives.values()):,}")
        return
    # New files need their room twice: staged, then in place.
    small = sorted(name for name, size in drives.items() if 2 * live + OWN_BYTES > size)
    if small:
        yield Finding("warning", "space", "", f"{live:,} bytes, which may not fit twice (staged and in place) on: {', '.join(small)}")


def how_it_was_checked() -> str:
    """Say what the check of the syntax is worth."""
    return f"compiled with Python {platform.python_version()}, which is near CircuitPython and not the same"
