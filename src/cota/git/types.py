"""The values that a repository gives."""

from dataclasses import dataclass

# Modes of tree entries (gitformat-index(5), "32-bit mode").
MODE_FILE = 0o100644
MODE_EXECUTABLE = 0o100755
MODE_FOLDER = 0o040000
MODE_SYMLINK = 0o120000
MODE_SUBMODULE = 0o160000


def kind_of(mode: int) -> str:
    """Give the object type that a tree entry's mode stands for: "blob", "tree" or "commit"."""
    family = mode & 0o170000
    if family == MODE_FOLDER:
        return "tree"
    return "commit" if family == MODE_SUBMODULE else "blob"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree.

    Attributes:
        path: Path from the tree that was asked for, as Git stores it: any bytes but NUL, parted by "/".
        mode: Mode as in Git's index, such as 0o100644.
        sha: Object id in hex.
        size: Bytes of a blob; None for a folder, for a submodule, and where sizes were not asked for.
    """

    path: bytes
    mode: int
    sha: str
    size: int | None

    @property
    def kind(self) -> str:
        """The object's type: "blob", "tree" or "commit" (a submodule)."""
        return kind_of(self.mode)

    @property
    def name(self) -> str:
        """The path as text; bytes that are not UTF-8 become lone surrogates, so that `os.fsencode` gives them back."""
        return self.path.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote or committed, and when.

    Attributes:
        name: Name as given to Git.
        email: Address as given to Git.
        time: Seconds since 1970, UTC.
    """

    name: str
    email: str
    time: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or a tag.

    Attributes:
        name: Full name, such as "refs/heads/main".
        sha: Object it points at: for an annotated tag the tag object.
        kind: Type of that object: "commit" or "tag".
        commit: The commit it leads to.
    """

    name: str
    sha: str
    kind: str
    commit: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit did to one file.

    Attributes:
        path: Path from the root.
        status: "added", "modified" or "removed".
        sha: The file's id after the commit, or before it where it was removed.
        additions: Lines that came; 0 in a file that is not text or too big to compare.
        deletions: Lines that went.
    """

    path: bytes
    status: str
    sha: str
    additions: int
    deletions: int
