"""A local repository, read at one commit."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cota.git import changes, objects, refs
from cota.git.errors import DamagedRepositoryError, EmptyRepositoryError, NoSuchPathError, NoSuchRefError, WrongObjectFormatError
from cota.git.types import MODE_FOLDER, Change, Commit, Entry, Ref, kind_of

if TYPE_CHECKING:
    from dulwich.objects import ObjectID, ShaFile, Tree

_USUAL_BRANCHES = ("main", "master")
# Folders in folders that a walk goes down; Git has no limit, a file system's path length has.
_MAX_DEPTH = 4096


class Repository:
    """An open repository; close it, or use it in a `with`.

    One thread at a time may use it. It sees commits that others make while it is open.

    Args:
        path: The top folder of a working copy, or a bare repository.

    Raises:
        NotARepositoryError: There is none that can be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._where = os.fspath(path)
        self._repo = objects.open_repo(self._where)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Repository({self._where!r})"

    def close(self) -> None:
        """Close the files that are open; calling it again does nothing."""
        self._repo.close()

    @property
    def hash_name(self) -> str:
        """The hash that names this repository's objects: "sha1" or "sha256"."""
        return str(self._repo.object_format.name)

    def require_sha1(self) -> None:
        """Make sure that objects are named by SHA-1, as GitHub and boards need it.

        Raises:
            WrongObjectFormatError: They are named by another hash.
        """
        if self.hash_name != "sha1":
            raise WrongObjectFormatError(
                f"The Git repository at {self._where} names its objects by {self.hash_name.upper()}, and boards check SHA-1.",
                "Use a repository made without --object-format=sha256.",
            )

    @property
    def default_branch(self) -> str:
        """The branch that HEAD names, existing or not; of a detached HEAD "main", else "master", else the first there is."""
        head = refs.head_branch(self._repo)
        if head is not None:
            return head
        names = [ref.name.removeprefix("refs/heads/") for ref in self.branches()]
        return next((name for name in (*_USUAL_BRANCHES, *names) if name in names), _USUAL_BRANCHES[0])

    def is_empty(self) -> bool:
        """Say whether there is no commit yet."""
        with objects.reading(self._where):
            return refs.is_empty(self._repo)

    def resolve(self, name: str = "HEAD") -> str:
        """Give the commit id that a branch, tag, short or whole id, or HEAD stands for; see `cota.git.refs.resolve`."""
        with objects.reading(self._where):
            return refs.resolve(self._repo, name, self._where)

    def branches(self) -> list[Ref]:
        """Give every branch by name."""
        with objects.reading(self._where):
            return refs.list_refs(self._repo, "refs/heads/")

    def tags(self) -> list[Ref]:
        """Give every tag by name."""
        with objects.reading(self._where):
            return refs.list_refs(self._repo, "refs/tags/")

    def ref(self, full: str) -> Ref:
        """Give one ref by its full name, such as "refs/heads/main".

        Raises:
            EmptyRepositoryError, NoSuchRefError: There is none.
        """
        with objects.reading(self._where):
            sha = refs.read_ref(self._repo, full)
            commit = None if sha is None else refs.peel(self._repo, sha)
            if sha is None or commit is None:
                if refs.is_empty(self._repo):
                    raise EmptyRepositoryError(f"The Git repository at {self._where} has no commit yet.", "Commit something first.")
                raise NoSuchRefError(f"The Git repository at {self._where} has no {full!r}.")
            return Ref(full, sha.decode("ascii"), "commit" if sha == commit else "tag", commit.decode("ascii"))

    def names_ref(self, name: str) -> bool:
        """Say whether a branch or tag has this short or full name."""
        return refs.full_name(self._repo, name) is not None

    def commit(self, sha: str) -> Commit:
        """Give the commit of this whole id.

        Raises:
            NoSuchRefError: No commit has it.
        """
        from dulwich import objects as dulwich_objects

        with objects.reading(self._where):
            found = self._object(sha)
            if not isinstance(found, dulwich_objects.Commit):
                raise NoSuchRefError(f"The Git repository at {self._where} has no commit {sha}.")
            return objects.commit_value(found)

    def history(self, sha: str, path: bytes | None = None) -> Iterator[Commit]:
        """Give a commit and those before it, newest first; with a path only those that changed it."""
        with objects.reading(self._where):
            walker = self._repo.get_walker(include=[self._id(sha)], paths=[path] if path else None)
            for step in walker:
                yield objects.commit_value(step.commit)

    def changes(self, commit: Commit) -> Iterator[Change]:
        """Give what a commit changed against its first parent, by path."""
        with objects.reading(self._where):
            # A shallow clone lacks the parents of its oldest commits.
            before = next((self.commit(sha).tree for sha in commit.parents[:1] if self._object(sha) is not None), None)
            yield from changes.between(self._repo.object_store, before, commit.tree)

    def is_tree(self, sha: str) -> bool:
        """Say whether the repository has a tree of this whole id."""
        from dulwich.objects import Tree

        with objects.reading(self._where):
            return isinstance(self._object(sha), Tree)

    def tree(self, sha: str, *, recursive: bool = True, sizes: bool = True) -> Iterator[Entry]:
        """Walk a tree in Git's order, each folder before what it holds.

        Args:
            sha: Whole id of a tree or of a commit.
            recursive: Go into folders too.
            sizes: Read blobs for their size; without it every size is None, and a big tree comes much faster.

        Raises:
            NoSuchRefError: There is neither a tree nor a commit of this id.
            DamagedRepositoryError: A tree or blob is missing or damaged.
        """
        from dulwich.objects import Tree

        with objects.reading(self._where):
            todo = [(b"", iter(self._tree(sha).items()))]
            while todo:
                prefix, lines = todo[-1]
                line = next(lines, None)
                if line is None:
                    todo.pop()
                    continue
                path = prefix + line.path
                kind = kind_of(line.mode)
                size = len(self._repo.object_store.get_raw(line.sha)[1]) if kind == "blob" and sizes else None
                yield Entry(path, line.mode, line.sha.decode("ascii"), size)
                if kind == "tree" and recursive:
                    below = self._repo.object_store[line.sha]
                    if not isinstance(below, Tree) or len(todo) >= _MAX_DEPTH:
                        raise DamagedRepositoryError(f"The Git repository at {self._where} has a folder that is none or too deep.")
                    todo.append((path + b"/", iter(below.items())))

    def find(self, sha: str, path: bytes) -> Entry:
        """Give what a tree or commit has at a path, its size left out; the empty path is the tree itself.

        Raises:
            NoSuchPathError: Nothing is there.
        """
        from dulwich.objects import Tree

        with objects.reading(self._where):
            tree = self._tree(sha)
            found = Entry(b"", MODE_FOLDER, tree.id.decode("ascii"), None)
            for depth, part in enumerate(path.split(b"/") if path else []):
                below = tree if depth == 0 else self._object(found.sha) if found.kind == "tree" else None
                if not isinstance(below, Tree) or part in (b"", b".", b"..") or part not in below:
                    shown = path.decode("utf-8", "replace")
                    raise NoSuchPathError(f"Nothing is at {shown!r} in {sha[:12]} of the Git repository at {self._where}.")
                mode, below_sha = below[part]
                found = Entry(path, mode, below_sha.decode("ascii"), None)
            return found

    def blob(self, sha: str) -> bytes:
        """Give a blob's bytes, checked against its id.

        Raises:
            NoSuchPathError: There is no blob of this id.
            DamagedRepositoryError: Its bytes do not match its id.
        """
        with objects.reading(self._where):
            store = self._repo.object_store
            if not self._is_whole_id(sha) or self._id(sha) not in store:
                raise NoSuchPathError(f"The Git repository at {self._where} has no blob {sha}.")
            kind, data = store.get_raw(self._id(sha))
            if kind != 3:  # The blob's number in a pack (gitformat-pack(5)).
                raise NoSuchPathError(f"{sha} of the Git repository at {self._where} is not a blob.")
            digest = hashlib.new(self.hash_name, b"blob %d\0" % len(data), usedforsecurity=False)
            digest.update(data)
            if digest.hexdigest() != sha:
                raise DamagedRepositoryError(
                    f"Blob {sha} of the Git repository at {self._where} is damaged.", "`git fsck` there names what is wrong."
                )
            return data

    def _is_whole_id(self, sha: str) -> bool:
        return len(sha) == self._repo.object_format.hex_length and all(digit in "0123456789abcdef" for digit in sha)

    def _id(self, sha: str) -> "ObjectID":
        from dulwich.objects import ObjectID

        return ObjectID(sha.encode("ascii"))

    def _object(self, sha: str) -> "ShaFile | None":
        if not self._is_whole_id(sha) or self._id(sha) not in self._repo.object_store:
            return None
        return self._repo.object_store[self._id(sha)]

    def _tree(self, sha: str) -> "Tree":
        from dulwich import objects as dulwich_objects

        found = self._object(sha)
        if isinstance(found, dulwich_objects.Commit):
            found = self._repo.object_store[found.tree]
        if not isinstance(found, dulwich_objects.Tree):
            raise NoSuchRefError(f"The Git repository at {self._where} has no tree {sha}.")
        return found
