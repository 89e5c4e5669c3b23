"""What publishing reads of a repository, wherever it lies."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from cota.git.types import MODE_SUBMODULE, MODE_SYMLINK
from cota.publish.address import Address


@dataclass(frozen=True)
class File:
    """One file of a release.

    Attributes:
        path: Path from the release's root.
        place: Path from the repository's root.
        mode: As in Git's index.
        sha: The blob's id in hex.
        size: Its bytes; 0 for a submodule.
    """

    path: str
    place: str
    mode: int
    sha: str
    size: int

    @property
    def is_plain(self) -> bool:
        """Whether it is a file with bytes of its own."""
        return self.mode not in (MODE_SYMLINK, MODE_SUBMODULE)


@dataclass(frozen=True)
class Snapshot:
    """A release as its repository has it.

    Attributes:
        address: Where boards read it.
        commit: The commit's id.
        time: When it was committed, seconds since 1970.
        folder: The release's folder, "" for the whole repository.
        files: Its files, in Git's order.
        tags: Tags that lead to the commit, by short name.
        outer: Files beside the release's folder that say something about it, by path from the repository's root.
        read: Gives the bytes of files, by path, checked against their ids.
    """

    address: Address
    commit: str
    time: int
    folder: str
    files: tuple[File, ...]
    tags: tuple[str, ...]
    outer: Mapping[str, File]
    read: Callable[[Iterable[File]], Mapping[str, bytes]]


class Source(Protocol):
    """A repository that can be asked for a snapshot."""

    def snapshot(self, ref: str | None, folder: str) -> Snapshot:
        """Resolve a ref, once, and read what the commit holds.

        Args:
            ref: Branch, tag or commit; None is where HEAD is.
            folder: Folder of the release, "" for the whole repository.

        Raises:
            CotaError: There is no such ref or folder, or the repository is not reached.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *unused: object) -> None: ...


def blob_id(data: bytes) -> str:
    """Give Git's id of a file's bytes (gitformat: "blob", length, NUL, bytes)."""
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()
