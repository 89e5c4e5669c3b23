"""A release that is ready to be published: read, named and checked."""

import json
from dataclasses import dataclass
from pathlib import Path

from cota.publish import version as versions
from cota.publish.address import read_address
from cota.publish.check import Finding, check
from cota.publish.local import LocalSource
from cota.publish.remote import GitHost, NoSuchRefError, NotReachedError
from cota.publish.source import Snapshot

RECORD_BYTES, _SEAL_BYTES = 2048, 8  # a board's record of its release, and the checksum in it
_PYPROJECT = "pyproject.toml"
_MAX_PYPROJECT = 256 * 1024  # bytes; one is a few kilobytes


@dataclass(frozen=True)
class Release:
    """What `cota publish` makes a package of.

    Attributes:
        title: Its title.
        version: Its version.
        url: The package's URL, pinned to the commit.
        commit: The commit's id.
        folder: The release's folder, "" for the whole repository.
        host: The Git host, with a port where it is not the usual one.
        is_github: Whether that is github.com.
        findings: What the check found, the worst first.
    """

    title: str
    version: str
    url: str
    commit: str
    folder: str
    host: str
    is_github: bool
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether a board would refuse it."""
        return any(finding.level == "refused" for finding in self.findings)


def prepare(repo: str, ref: str | None, folder: str, title: str | None, version: str | None) -> Release:
    """Read, name and check a release.

    Args:
        repo: A repository: a path on this machine, or a URL.
        ref: Branch, tag or commit; None is where HEAD is.
        folder: The release's folder, "" for the whole repository.
        title: Its title; None is the repository's name.
        version: Its version; None takes the commit's tag, else pyproject.toml's, else the commit's day.

    Raises:
        CotaError: There is no such repository, ref or folder, the title or version cannot be used, or the repository is not reached.
        AnswerIsNoError: The commit is not pushed, or the repository is private.
    """
    folder = folder.strip("/")
    is_url = "://" in repo
    findings: list[Finding] = []
    with GitHost(read_address(repo)) if is_url else LocalSource(Path(repo)) as source:
        snapshot = source.snapshot(ref, folder)
        name = versions.check_name("version", version if version is not None else _version(snapshot))
        called = versions.check_name("title", title if title is not None else snapshot.address.name)
        url = snapshot.address.pinned(snapshot.commit, folder)
        findings += _check_record(called, name, url)
        findings += check(snapshot.files, snapshot.read)
    if not is_url:
        findings += _look_for(snapshot)
    address = snapshot.address
    return Release(called, name, url, snapshot.commit, folder, address.host, address.is_github, tuple(findings))


def _check_record(title: str, version: str, url: str) -> list[Finding]:
    """See that a board can record what it runs: JSON of at most so many bytes, with the commit and a hash beside (ota.store)."""
    record = {"commit": "0" * 40, "title": title, "version": version, "url": url, "key": "0" * 40}
    size = _SEAL_BYTES + len(json.dumps(record, ensure_ascii=False).encode())
    if size <= RECORD_BYTES:
        return []
    text = f"title, version and URL take {size:,} bytes on a board, and it has {RECORD_BYTES:,}"
    return [Finding("refused", "attributes", "", text)]


def _look_for(snapshot: Snapshot) -> list[Finding]:
    """Make sure that what is committed here can be read there."""
    with GitHost(snapshot.address) as host:
        try:
            if host.has(snapshot.commit):
                return []
        except NotReachedError as error:
            text = f"it is not known whether {snapshot.commit[:12]} is there: {error.message}"
            return [Finding("warning", "not_seen", "", text)]
    raise NoSuchRefError(f"{snapshot.address.url} does not have the commit {snapshot.commit[:12]} yet.", "`git push` it first.")


def _version(snapshot: Snapshot) -> str:
    found = versions.from_tags(snapshot.tags)
    if found is not None:
        return found
    inner = next((file for file in snapshot.files if file.path == _PYPROJECT), None)
    file = inner or snapshot.outer.get(_PYPROJECT)
    if file is not None and file.is_plain and file.size <= _MAX_PYPROJECT:
        found = versions.from_pyproject(snapshot.read([file])[_PYPROJECT])
    return found or versions.from_date(snapshot.time, snapshot.commit)
