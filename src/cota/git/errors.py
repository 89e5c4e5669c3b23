"""What can be wrong with a repository, each as its own error."""

from cota.errors import CotaError


class GitError(CotaError):
    """A repository cannot give what was asked of it."""


class NotARepositoryError(GitError):
    """The path holds no Git repository that can be read."""


class EmptyRepositoryError(GitError):
    """The repository has no commit yet."""


class NoSuchRefError(GitError):
    """No branch, tag or commit answers to the name."""


class AmbiguousRefError(NoSuchRefError):
    """A short id begins the ids of several commits."""


class NoSuchPathError(GitError):
    """The commit has nothing at the path."""


class WrongObjectFormatError(GitError):
    """The repository names its objects with another hash than the one needed."""


class DamagedRepositoryError(GitError):
    """An object is missing or its bytes do not match its name."""
