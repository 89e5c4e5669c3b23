"""A release as a manifest: of a folder that a static web server serves, or of a commit."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cota.errors import CotaError
from cota.git import Repository
from cota.git.find import find_repository
from cota.git.types import MODE_FILE, MODE_SYMLINK
from cota.package.manifest import MANIFEST_NAME, Manifest, ManifestFile, write
from cota.package.paths import IGNORE_FILE, Rules
from cota.publish.check import Finding, check, read_ignore
from cota.publish.local import files_of
from cota.publish.source import File

# What Git keeps beside the files; never a part of a release.
_GIT = ".git"


@dataclass(frozen=True)
class Draft:
    """A release that was looked through.

    Attributes:
        findings: What the check found, the worst first.
        manifest: The manifest; None where a board would refuse the release.
        data: The manifest's bytes, empty where there is none.
        read: Gives the bytes of one of its files by its path.
    """

    findings: tuple[Finding, ...]
    manifest: Manifest | None
    data: bytes
    read: Callable[[str], bytes]


def of_folder(folder: Path, *, title: str | None = None, version: str | None = None, leave_out: Path | None = None) -> Draft:
    """Look through a folder. What belongs to Git, and a manifest at its top, is left out; links are not followed.

    Args:
        folder: The release's root.
        title: The release's title, to be told in the manifest.
        version: Its version, in the same way.
        leave_out: A file that is not part of the release, such as a manifest of another name.

    Raises:
        CotaError: Something in it cannot be read.
    """
    manifests = {(folder / MANIFEST_NAME).absolute(), (leave_out or folder / MANIFEST_NAME).absolute()}
    apart = manifests | {_fresh(path) for path in manifests}
    with _telling(folder):
        files = [file for file in _walk(folder, "") if (folder / file.path).absolute() not in apart]

    def read(file: File) -> bytes:
        with _telling(folder):
            return (folder / file.path).read_bytes()

    return _draft(files, read, Manifest((), title, version))


@contextlib.contextmanager
def of_commit(repo: Path, ref: str | None, inner: str = "", *, title: str | None = None, version: str | None = None) -> Iterator[Draft]:
    """Look through a commit of a repository on this machine, which need not be pushed; files can be read inside the `with`.

    Args:
        repo: The repository, or a folder in it.
        ref: Branch, tag or commit; None is HEAD.
        inner: The release's folder in it, "" for all of it.
        title: The release's title, to be told in the manifest.
        version: Its version, in the same way.

    Raises:
        CotaError: There is no such repository, ref or folder, or it cannot be read.
    """
    with Repository(find_repository(repo)) as repository:
        repository.require_sha1()  # the manifest tells the commit, which has 40 digits in it
        commit = repository.resolve(ref or "HEAD")
        files = files_of(repository, commit, repository.tree(commit), inner.strip("/"))
        yield _draft(files, lambda file: repository.blob(file.sha), Manifest((), title, version, commit))


def export(draft: Draft, folder: Path) -> None:
    """Write a release's files and its manifest into a new folder, the manifest last.

    Args:
        draft: A release that has a manifest.
        folder: Where to; made where it is missing, and it must be empty.

    Raises:
        CotaError: It is not empty, or cannot be written.
    """
    files = () if draft.manifest is None else draft.manifest.files
    with _telling(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CotaError(f"{folder} is not empty, so nothing was written there.", "Name a new folder: one release, one folder.")
        for file in files:
            place = folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(draft.read(file.path))
        save(draft, folder / MANIFEST_NAME)


def save(draft: Draft, path: Path) -> None:
    """Write the manifest in one step: who reads it meanwhile has the old one or the new one, whole.

    Raises:
        CotaError: It cannot be written.
    """
    fresh = _fresh(path)
    with _telling(path):
        try:
            fresh.write_bytes(draft.data)
            os.replace(fresh, path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".new")


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise CotaError(
            f"{os.fsdecode(where)!r}: {error.strerror or error}.", "Check the path, and who may read and write there."
        ) from error


def _walk(folder: Path, prefix: str) -> Iterator[File]:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        path = prefix + entry.name
        if entry.name == _GIT:
            continue
        if entry.is_symlink():
            yield File(path, path, MODE_SYMLINK, "", 0)
        elif entry.is_dir():
            yield from _walk(folder / entry.name, f"{path}/")
        elif entry.is_file():
            yield File(path, path, MODE_FILE, "", entry.stat().st_size)
        else:
            raise CotaError(f"{entry.path!r} is neither a file nor a folder, so no board can be given it.", "Take it out of the folder.")


def _draft(files: Iterable[File], read: Callable[[File], bytes], head: Manifest) -> Draft:
    everything = {file.path: file for file in files}

    def read_all(wanted: Iterable[File]) -> dict[str, bytes]:
        return {file.path: read(file) for file in wanted}

    def read_one(path: str) -> bytes:
        return read(everything[path])

    ignore = read_ignore(everything.values(), read_all)
    if isinstance(ignore, Finding):
        return Draft((ignore,), None, b"", read_one)
    if IGNORE_FILE in everything and everything[IGNORE_FILE].is_plain:
        # What it leaves out is left out here, so the board has no use for it.
        del everything[IGNORE_FILE]
    # Whether settings.toml is applied, each board decides; so it is listed.
    rules = Rules(ignore=ignore, update_settings=True)
    wanted = [file for path, file in everything.items() if not rules.skips(path)]
    findings = tuple(check(wanted, read_all))
    if any(finding.level == "refused" for finding in findings):
        return Draft(findings, None, b"", read_one)
    listed = [ManifestFile(file.path, len(data), hashlib.sha256(data).hexdigest()) for file in wanted for data in [read(file)]]
    manifest = replace(head, files=tuple(sorted(listed, key=lambda file: file.path.encode("utf-8"))))
    return Draft(findings, manifest, write(manifest), read_one)
