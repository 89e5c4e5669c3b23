"""A release from a repository on this machine, which its remote must have too, because boards read it there."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from cota.errors import AnswerIsNoError, CotaError
from cota.git import Entry, NoSuchPathError, Repository
from cota.git.find import find_repository
from cota.publish.address import Address, read_address
from cota.publish.source import File, Snapshot

_REMOTE = "origin"
_MAX_LISTED = 100_000  # GitHub says "truncated" beyond (docs.github.com, Get a tree)


def files_of(repository: Repository, commit: str, entries: Iterable[Entry], folder: str) -> list[File]:
    """Give the files of a release, in Git's order.

    Args:
        repository: The repository.
        commit: The commit's id.
        entries: The commit's whole tree.
        folder: The release's folder, "" for the whole repository.

    Raises:
        NoSuchPathError: Nothing is there.
    """
    prefix = f"{folder}/" if folder else ""
    files = [_file(entry, len(prefix)) for entry in entries if entry.kind != "tree" and entry.name.startswith(prefix)]
    if not files:
        what = f"has no folder {folder!r}" if folder else "is empty"
        raise NoSuchPathError(f"{repository.path} {what} at {commit[:12]}.", "Name a folder of the repository, or leave --folder out.")
    return files


def _file(entry: Entry, skipped: int = 0) -> File:
    return File(entry.name[skipped:], entry.name, entry.mode, entry.sha, entry.size or 0)


class LocalSource:
    """A repository on this machine; close it, or use it in a `with`.

    Args:
        path: Its top folder, or a folder in it.

    Raises:
        CotaError: There is no repository, or its remote is none that boards could read.
    """

    def __init__(self, path: Path) -> None:
        self._repository = Repository(find_repository(path))
        try:
            self._repository.require_sha1()
            self.address = self._address()
        except CotaError:
            self._repository.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._repository.close()

    def _address(self) -> Address:
        from cota.git.objects import open_repo

        path = self._repository.path
        with open_repo(str(path)) as repo:
            try:
                url = repo.get_config().get((b"remote", _REMOTE.encode()), b"url").decode("utf-8", "replace")
            except KeyError:
                raise CotaError(
                    f"The Git repository at {path} has no remote {_REMOTE!r}, and boards read the release from there.",
                    "`git remote add origin URL` and `git push`; or name the repository by its URL: --repo URL.",
                ) from None
        try:
            return read_address(url)
        except CotaError as error:
            raise CotaError(f"The remote {_REMOTE!r} of {path} is no place that boards can read. {error.message}", error.hint) from error

    def snapshot(self, ref: str | None, folder: str) -> Snapshot:
        """Read a release; see `Source`."""
        repository = self._repository
        commit = repository.resolve(ref or "HEAD")
        everything = list(repository.tree(commit))
        if len(everything) > _MAX_LISTED:
            raise AnswerIsNoError(
                f"{repository.path} has {len(everything):,} files and folders; a Git host lists {_MAX_LISTED:,}, so boards cannot read it.",
                "Keep the boards' files in a repository of their own.",
            )
        files = files_of(repository, commit, everything, folder)
        tags = [tag.name.removeprefix("refs/tags/") for tag in repository.tags() if tag.commit == commit]
        if ref is not None and (name := ref.removeprefix("refs/tags/")) in tags:
            tags = [name]
        outer = {entry.name: _file(entry) for entry in everything if entry.kind != "tree" and "/" not in entry.name}
        time = repository.commit(commit).committer.time
        return Snapshot(self.address, commit, time, folder, tuple(files), tuple(tags), outer, self._read)

    def _read(self, files: Iterable[File]) -> Mapping[str, bytes]:
        return {file.path: self._repository.blob(file.sha) for file in files}
