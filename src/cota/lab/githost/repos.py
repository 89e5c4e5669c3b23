"""The repositories that the Git host shows, by "owner/repo"."""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from pathlib import Path

from cota.errors import CotaError
from cota.git import Entry, NoSuchPathError, NoSuchRefError, Repository

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")
# First path segments that the lab itself answers.
_TAKEN_OWNERS = frozenset(("api", "assets", "codeload", "gh", "page", "raw", "static", "v1"))
# Names of branches with more slashes than this are looked for no further.
_MAX_REF_PARTS = 16
# Answers that are kept, all in all: a listing of 100,000 entries is about 25 MB.
_CACHE_BYTES = 64 * 1024 * 1024


class Repositories:
    """Opens repositories by name. Names are as GitHub's: upper and lower case are one.

    Args:
        paths: "owner/repo" to the repository's folder; looked at anew for each request.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    def check(self) -> None:
        """Open each repository once.

        Raises:
            CotaError: A name that no URL can hold, no repository at a path, or one that is not named by SHA-1.
        """
        for name, path in self._paths.items():
            if not _NAME.fullmatch(name) or name.endswith((".", "/..")) or name.split("/")[0].lower() in _TAKEN_OWNERS:
                raise CotaError(
                    f"{name!r} cannot name a repository on the Git host.",
                    f"Use owner/repo with letters, digits, '.', '_' and '-'; the owner is none of {', '.join(sorted(_TAKEN_OWNERS))}.",
                )
            with Repository(path) as repository:
                repository.require_sha1()

    def full_name(self, owner: str, repo: str) -> str | None:
        """Give a repository's name as it was configured; None where there is none."""
        asked = f"{owner}/{repo}"
        if asked in self._paths:
            return asked
        return next((name for name in self._paths if name.lower() == asked.lower()), None)

    def by_number(self, number: int) -> str | None:
        """Give the name of the repository that has this number; see `number_of`."""
        return next((name for name in self._paths if number_of(name) == number), None)

    def open(self, full_name: str) -> Repository:
        """Open a repository by the name that `full_name` gave."""
        repository = Repository(self._paths[full_name])
        try:
            repository.require_sha1()
        except CotaError:
            repository.close()
            raise
        return repository


def number_of(name: str) -> int:
    """Give an id as hosts number what they have; it only has to be stable."""
    return int.from_bytes(hashlib.sha256(name.lower().encode()).digest()[:4], "big")


def split_ref(repository: Repository, text: str) -> tuple[str, str, bytes]:
    """Part "ref/path" where the ref may hold slashes itself.

    The shortest start that names a branch or tag is the ref; Git allows no branch `a` beside a branch `a/b`. A whole commit id goes before
    every name, a short one after.

    Returns:
        The ref as given, the commit's id, and the path.

    Raises:
        GitError: Nothing of it names a commit.
    """
    parts = text.split("/")
    if len(parts[0]) != 40 or not all(digit in "0123456789abcdefABCDEF" for digit in parts[0]):
        for count in range(1, min(len(parts), _MAX_REF_PARTS) + 1):
            name = "/".join(parts[:count])
            if repository.names_ref(name):
                return name, repository.resolve(name), _as_path(parts[count:])
    if not parts[0]:
        raise NoSuchRefError("No ref was given.")
    return parts[0], repository.resolve(parts[0]), _as_path(parts[1:])


def file_at(repository: Repository, sha: str, path: bytes) -> tuple[Entry, bytes]:
    """Give a file of a commit and its bytes; those of a symbolic link are its target.

    Raises:
        NoSuchPathError: There is nothing at the path, or no file.
    """
    entry = repository.find(sha, path)
    if entry.kind != "blob":
        raise NoSuchPathError("Not a file.")
    return entry, repository.blob(entry.sha)


def _as_path(parts: list[str]) -> bytes:
    return "/".join(parts).encode("utf-8", "surrogateescape")


class Cache:
    """Keeps the answers used last, up to a number of bytes. Safe to use from several threads."""

    def __init__(self, limit: int = _CACHE_BYTES) -> None:
        self._limit = limit
        self._held = 0
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Give what was put under a key, if it is still held."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: Hashable, answer: bytes) -> None:
        """Hold an answer, and drop those used longest ago until all fit."""
        with self._lock:
            self._held -= len(self._answers.pop(key, b""))
            if len(answer) > self._limit:
                return
            self._answers[key] = answer
            self._held += len(answer)
            while self._held > self._limit:
                self._held -= len(self._answers.popitem(last=False)[1])
