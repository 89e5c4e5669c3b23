"""What a drive must hold after an update, worked out from the Git repository alone, and how a real drive differs from it."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cota.errors import CotaError
from cota.git import NoSuchPathError, Repository
from cota.git.make import commit_tree, create_repository
from cota.git.types import MODE_SUBMODULE, MODE_SYMLINK
from cota.package.paths import IGNORE_FILE, Rules

EXAMPLE = Path(__file__).parent / "example"
PROGRAMS = ("code.txt", "code.py", "main.py", "main.txt")  # CircuitPython runs the first of these that it finds
_SECTOR = 512
# A program that imports the library, by any form of the statement; a word such as "total" does not count.
_IMPORTS_OTA = re.compile(rb"^[ \t]*(?:from[ \t]+ota\b|import[ \t][^#\n]*\bota\b)", re.MULTILINE)


def make_example(path: Path) -> tuple[str, str]:
    """Make the example application's repository; gives the commits of its two releases."""
    create_repository(path)
    shas = []
    for number in ("1", "2"):
        root = EXAMPLE / number
        files = {
            file.relative_to(root).as_posix(): file.read_bytes()
            for file in sorted(root.rglob("*"))
            if file.is_file() and "__pycache__" not in file.parts
        }
        shas.append(commit_tree(path, files, f"Greenhouse watch {number}", time=1_790_000_000 + int(number)))
    return shas[0], shas[1]


@dataclass(frozen=True)
class Release:
    """A release as the repository has it.

    Attributes:
        commit: The commit's id.
        files: Path on the drive -> content, without what stays off the boards.
    """

    commit: str
    files: Mapping[str, bytes]

    @property
    def program(self) -> str | None:
        """The file that CircuitPython would run, or None where the release brings none."""
        return next((name for name in PROGRAMS if name in self.files), None)

    @property
    def updates_itself(self) -> bool:
        """Whether the release's program leaves an updater on the board: its own, or the one that the board keeps."""
        program = self.program
        return program is None or _IMPORTS_OTA.search(self.files[program]) is not None

    def bytes_on_drive(self, cluster: int) -> int:
        """How much of a drive the files take, in whole clusters."""
        return sum(-(-len(data) // cluster) * cluster for data in self.files.values())


def read_release(path: Path, ref: str, folder: str = "") -> Release:
    """Read a release from a repository.

    Args:
        path: The repository.
        ref: Branch, tag or commit.
        folder: The release's folder in it, "" for all of it.

    Raises:
        CotaError: there is no such ref or folder.
    """
    with Repository(path) as repository:
        repository.require_sha1()
        commit = repository.resolve(ref)
        prefix = folder.strip("/") + "/" if folder.strip("/") else ""
        entries = [
            (entry.name[len(prefix) :], entry)
            for entry in repository.tree(commit, sizes=False)
            if entry.kind != "tree" and entry.name.startswith(prefix)
        ]
        if not entries:
            raise NoSuchPathError(f"{path} has no folder {folder!r} at {ref}.", "Name a folder of the repository, or leave --folder out.")
        ignore = next((repository.blob(entry.sha).decode(errors="replace") for name, entry in entries if name == IGNORE_FILE), "")
        rules = Rules(ignore=ignore)
        files = {
            name: repository.blob(entry.sha)
            for name, entry in entries
            if not rules.skips(name) and entry.mode not in (MODE_SYMLINK, MODE_SUBMODULE)
        }
    if not files:
        raise CotaError(f"The release at {ref} of {path} holds no file for a board.", "Look at its .cotaignore.")
    return Release(commit, files)


def differences(drive: Mapping[str, tuple[int, str]], release: Release, base: Mapping[str, bytes]) -> list[str]:
    """Say how a drive differs from what it must hold; empty means byte for byte equal.

    Args:
        drive: Path -> (length, SHA-256 in hex), as read from the drive.
        release: The release that it must hold.
        base: What the board was prepared with: of it, what an update keeps must still be there.
    """
    rules = Rules()
    expected = {path: data for path, data in base.items() if rules.keeps(path)} | dict(release.files)
    found = []
    for path, data in sorted(expected.items()):
        if path not in drive:
            found.append(f"{path} is missing")
        elif drive[path] != (len(data), hashlib.sha256(data).hexdigest()):
            found.append(f"{path} differs: {drive[path][0]} bytes on the drive, {len(data)} in the release")
    found += [f"{path} should not be there" for path in sorted(drive) if path not in expected and not rules.keeps(path)]
    return found


def room_needed(release: Release, base: Mapping[str, bytes], cluster: int) -> int:
    """About how many bytes a drive must have: the board's own files, the release live and staged, the plan, folders."""
    own = sum(-(-len(data) // cluster) * cluster for path, data in base.items() if path not in release.files)
    staged = sum(-(-len(data) // _SECTOR) * _SECTOR for data in release.files.values())
    folders = len({path.rpartition("/")[0] for path in release.files}) + len(release.files) // 8
    return own + release.bytes_on_drive(cluster) + staged + 90 * len(release.files) + folders * cluster + 40 * 1024
