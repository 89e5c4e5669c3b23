"""A commit's tree as a stream of tar.gz."""

import gzip
import io
import tarfile
from collections.abc import Iterator

from cota.git.repository import Repository
from cota.git.types import MODE_EXECUTABLE, MODE_SYMLINK, Entry

# Modes that `git archive` writes with its default tar.umask of 002.
_FILE_MODE = 0o664
_EXECUTABLE_MODE = 0o775


class _Sink(io.RawIOBase):
    """What tarfile writes to and the stream takes from."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._held += view
        return view.nbytes

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


def _member(entry: Entry, folder: str, time: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"{folder}/{entry.name}")
    info.mtime = time
    info.uname = info.gname = "root"
    if entry.kind == "blob":
        info.mode = _EXECUTABLE_MODE if entry.mode == MODE_EXECUTABLE else _FILE_MODE
        info.size = entry.size or 0
    else:
        # A submodule is an empty folder, as in `git archive`.
        info.type, info.mode = tarfile.DIRTYPE, _EXECUTABLE_MODE
    return info


def tar_gz(repository: Repository, sha: str, folder: str) -> Iterator[bytes]:
    """Give a commit's files as the pieces of one tar.gz, at most one file in memory at a time.

    The bytes are the same each time for the same commit and folder.

    Args:
        repository: Stays open until the last piece is taken.
        sha: Whole commit id.
        folder: Name of the one folder that holds everything.

    Raises:
        GitError: The commit or an object of it cannot be read; pieces may have been given before.
    """
    time = repository.commit(sha).committer.time
    sink = _Sink()
    with (
        gzip.GzipFile(filename="", fileobj=sink, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, pax_headers={"comment": sha}, errors="surrogateescape") as tar,
    ):
        top = tarfile.TarInfo(folder)
        top.type, top.mode, top.mtime, top.uname, top.gname = tarfile.DIRTYPE, _EXECUTABLE_MODE, time, "root", "root"
        tar.addfile(top)
        for entry in repository.tree(sha, sizes=False):
            data = repository.blob(entry.sha) if entry.kind == "blob" else b""
            info = _member(Entry(entry.path, entry.mode, entry.sha, len(data)), folder, time)
            if entry.mode == MODE_SYMLINK:
                info.type, info.size, info.linkname = tarfile.SYMTYPE, 0, data.decode("utf-8", "surrogateescape")
                data = b""
            tar.addfile(info, io.BytesIO(data))
            if piece := sink.take():
                yield piece
    yield sink.take()
