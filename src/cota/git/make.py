"""Make a repository from plain dictionaries of files, for the demo, the examples and the tests."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cota.git.errors import GitError
from cota.git.objects import open_repo
from cota.git.types import MODE_EXECUTABLE, MODE_FILE, MODE_SUBMODULE, MODE_SYMLINK

_MODES = frozenset((MODE_FILE, MODE_EXECUTABLE, MODE_SYMLINK, MODE_SUBMODULE))


@dataclass(frozen=True, slots=True)
class Moded:
    """A tree entry with a mode of its own.

    Attributes:
        mode: 0o100644, 0o100755, 0o120000 or 0o160000.
        content: The file's bytes; a symbolic link's target; a submodule's commit id in hex.
    """

    mode: int
    content: bytes


Files = Mapping[str, bytes | Moded]


def create_repository(path: str | os.PathLike[str], branch: str = "main", *, bare: bool = True, hash_name: str = "sha1") -> Path:
    """Make an empty repository whose HEAD names a branch.

    Args:
        path: Folder to make it in; made where it is missing, and it must be empty.
        branch: Name of the first branch.
        bare: Without a working copy, so that nothing looks changed after `commit_tree`.
        hash_name: "sha1" or "sha256".

    Returns:
        The path.

    Raises:
        GitError: The folder is not empty or cannot be written.
    """
    from dulwich.repo import Repo

    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise GitError(f"{folder} is not empty, so no repository was made there.", "Name a new folder.")
        make = Repo.init_bare if bare else Repo.init
        make(folder, default_branch=branch.encode("utf-8"), object_format=hash_name).close()
    except OSError as error:
        raise GitError(f"No repository could be made at {folder}: {error}.", "Check the path and who may write there.") from error
    return folder


def commit_tree(
    path: str | os.PathLike[str],
    files: Files,
    message: str = "Change",
    author: str = "cOTA <cota@localhost>",
    time: int = 1_700_000_000,
    *,
    branch: str | None = None,
    parents: tuple[str, ...] | None = None,
) -> str:
    """Commit exactly these files, whatever was there before, and move the branch to the new commit.

    The same arguments on the same history give the same commit id.

    Args:
        path: The repository.
        files: Path from the root, parted by "/", to the bytes of a file, or to a `Moded` entry.
        message: The commit message.
        author: Author and committer, as "Name <address>".
        time: Seconds since 1970, UTC.
        branch: Branch to commit to, made where it is missing; None is the one that HEAD names.
        parents: Whole ids of the commits before; None is the branch's last one.

    Returns:
        The new commit's id.

    Raises:
        GitError: No repository, or a path that no tree can hold.
    """
    from dulwich.index import commit_tree as write_tree
    from dulwich.objects import Blob, Commit, ObjectID
    from dulwich.refs import HEADREF, Ref

    with open_repo(os.fspath(path)) as repo:
        store, form = repo.object_store, repo.object_format
        lines = []
        for name in files:
            _check_path(name, files)
        for name, content in files.items():
            item = content if isinstance(content, Moded) else Moded(MODE_FILE, content)
            if item.mode not in _MODES:
                raise GitError(f"{name} has the mode {item.mode:o}, which Git does not have.")
            if item.mode == MODE_SUBMODULE:
                sha = ObjectID(item.content)
            else:
                blob = Blob.from_string(item.content)
                blob.object_format = form
                store.add_object(blob)
                sha = ObjectID(blob.get_id(form))
            lines.append((name.encode("utf-8", "surrogateescape"), sha, item.mode))
        head = Ref(f"refs/heads/{branch}".encode()) if branch is not None else repo.refs.follow(HEADREF)[0][-1]
        before = repo.refs.follow(head)[1]
        commit = Commit()
        commit.object_format = form
        commit.tree = write_tree(store, lines, form)
        commit.parents = [ObjectID(sha.encode()) for sha in parents] if parents is not None else [before] if before else []
        commit.author = commit.committer = author.encode("utf-8")
        commit.author_time = commit.commit_time = time
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = message.encode("utf-8")
        store.add_object(commit)
        new = ObjectID(commit.get_id(form))
        repo.refs[head] = new
        return new.decode("ascii")


def create_branch(path: str | os.PathLike[str], name: str, sha: str) -> None:
    """Point a branch at a commit."""
    _set_ref(path, f"refs/heads/{name}", sha)


def create_tag(path: str | os.PathLike[str], name: str, sha: str, message: str | None = None, time: int = 1_700_000_000) -> str:
    """Tag a commit, with a tag object of its own where there is a message; give the id that the tag's ref holds."""
    from dulwich.objects import Commit, ObjectID, Tag

    if message is not None:
        with open_repo(os.fspath(path)) as repo:
            tag = Tag()
            tag.object_format = repo.object_format
            tag.name = name.encode("utf-8")
            tag.object = (Commit, ObjectID(sha.encode()))
            tag.tagger = b"cOTA <cota@localhost>"
            tag.tag_time, tag.tag_timezone = time, 0
            tag.message = message.encode("utf-8")
            repo.object_store.add_object(tag)
            sha = tag.get_id(repo.object_format).decode("ascii")
    _set_ref(path, f"refs/tags/{name}", sha)
    return sha


def _set_ref(path: str | os.PathLike[str], full: str, sha: str) -> None:
    from dulwich.objects import ObjectID
    from dulwich.refs import Ref

    with open_repo(os.fspath(path)) as repo:
        repo.refs[Ref(full.encode("utf-8"))] = ObjectID(sha.encode())


def _check_path(name: str, files: Files) -> None:
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..", ".git") for part in parts):
        raise GitError(f"{name!r} is not a path that a commit can hold.", "Use plain names parted by single slashes.")
    for end in range(1, len(parts)):
        if "/".join(parts[:end]) in files:
            raise GitError(f"{'/'.join(parts[:end])!r} cannot be a file and a folder at once.")
