"""The one seam to dulwich: objects by id, and its exceptions turned into ours.

dulwich is imported when a repository is opened and not with this module, so that commands which touch no repository start fast.
"""

import contextlib
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cota.git.errors import DamagedRepositoryError, GitError, NotARepositoryError
from cota.git.types import Commit, Person

if TYPE_CHECKING:
    from dulwich import objects as dulwich_objects
    from dulwich.repo import Repo


def open_repo(path: str) -> "Repo":
    """Open the repository at a path: its top folder, its .git folder or a bare repository.

    Raises:
        NotARepositoryError: Nothing there, no repository, or one of a kind that cannot be read.
    """
    from dulwich.errors import NotGitRepository
    from dulwich.file import FileLocked
    from dulwich.repo import InvalidWorktreeConfiguration, Repo, UnsupportedExtension, UnsupportedVersion

    try:
        return Repo(path)
    except NotGitRepository as error:
        raise NotARepositoryError(
            f"{path} is not a Git repository.", "Give the folder that holds .git, or a bare repository; `git init` makes one."
        ) from error
    except (UnsupportedVersion, UnsupportedExtension, InvalidWorktreeConfiguration) as error:
        raise NotARepositoryError(
            f"{path} is a Git repository of a kind that cannot be read here: {error}.", "A plain `git clone` of it can be read."
        ) from error
    except (OSError, ValueError, FileLocked) as error:
        raise NotARepositoryError(
            f"The Git repository at {path} cannot be opened: {error}.", "Check the path and who may read it."
        ) from error


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what dulwich raises on missing and damaged objects into `DamagedRepositoryError`."""
    from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException, ObjectMissing, WrongObjectException

    try:
        yield
    except GitError:
        raise
    except (
        ApplyDeltaError,
        AssertionError,
        ChecksumMismatch,
        EOFError,
        FileFormatException,
        IndexError,
        KeyError,
        ObjectMissing,
        OSError,
        ValueError,
        WrongObjectException,
        zlib.error,
    ) as error:
        detail = f"{type(error).__name__}: {error}"
        raise DamagedRepositoryError(
            f"The Git repository at {path} is damaged or not complete ({detail}).", "`git fsck` there names what is missing."
        ) from error


def _person(line: bytes, time: int) -> Person:
    text = line.decode("utf-8", "replace")
    name, _, rest = text.partition(" <")
    return Person(name, rest.removesuffix(">"), time)


def commit_value(found: "dulwich_objects.Commit") -> Commit:
    """Give a dulwich commit as a value."""
    encoding = (found.encoding or b"utf-8").decode("ascii", "replace")
    try:
        message = found.message.decode(encoding, "replace")
    except LookupError:
        message = found.message.decode("utf-8", "replace")
    return Commit(
        sha=found.id.decode("ascii"),
        tree=found.tree.decode("ascii"),
        parents=tuple(parent.decode("ascii") for parent in found.parents),
        author=_person(found.author, found.author_time),
        committer=_person(found.committer, found.commit_time),
        message=message,
    )
