"""Read a local Git repository at one commit, with no git program and no checkout."""

from cota.git.errors import (
    AmbiguousRefError,
    DamagedRepositoryError,
    EmptyRepositoryError,
    GitError,
    NoSuchPathError,
    NoSuchRefError,
    NotARepositoryError,
    WrongObjectFormatError,
)
from cota.git.repository import Repository
from cota.git.types import Change, Commit, Entry, Ref

__all__ = [
    "AmbiguousRefError",
    "Change",
    "Commit",
    "DamagedRepositoryError",
    "EmptyRepositoryError",
    "Entry",
    "GitError",
    "NoSuchPathError",
    "NoSuchRefError",
    "NotARepositoryError",
    "Ref",
    "Repository",
    "WrongObjectFormatError",
]
