"""The text manifest: the exact list of a release's files, with sizes and SHA-256; docs/manifest.md defines it.

    cota-manifest 1
    files 2
    bytes 1234
    version v1.4.0

    <64 hexadecimal digits> 1200 main.py
    <64 hexadecimal digits> 34 lib/sensor.py

The reader takes bytes as they come and holds no more than a line and the names that it has seen. It refuses whatever the definition does
not allow, and a list that was cut anywhere. The vectors in tests/vectors/manifest are for this reader and for that of the board.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cota.errors import CotaError
from cota.package.paths import MAX_PATH, fold, problem

MANIFEST_NAME = "cota.manifest"
MANIFEST_SUFFIX = ".manifest"
FIRST_LINE = b"cota-manifest 1"
MAX_FILES = 2000  # as in a listing: the plan on the board's flash
MAX_BYTES = 999_999_999  # of a file and of all: nine digits, more than any drive of a board
MAX_KEYS = 16
MAX_VALUE = 255  # bytes; ThingsBoard's titles and versions have 255 characters
# Digest, size and path with what parts and ends them: a board's buffer holds seven of them.
MAX_LINE = 64 + 1 + 9 + 1 + MAX_PATH + 1
_KEY = re.compile(rb"[a-z][a-z0-9-]{0,18} [^\x00-\x1f\x7f]{1,255}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ENTRY = re.compile(rb"([0-9a-f]{64}) (0|[1-9][0-9]{0,8}) (.+)", re.DOTALL)
_NEEDED = ("files", "bytes")
_TEXTS = ("title", "version")

# What a reader says, by code. Those of paths are the board's own codes.
_SENTENCES = {
    "first": "it does not begin with the line `cota-manifest 1`",
    "key": "a line of its head is none that this version knows",
    "entry": "a line is not digest, size and path",
    "text": "a line is not UTF-8",
    "long": f"a line has more than {MAX_LINE} bytes",
    "order": "the paths are not in the order of their bytes, each once",
    "count": "it does not hold as many files or bytes as it says",
    "end": "it was cut",
    "path_fat": "a path is none that a FAT drive can hold",
    "path_long": "a path or a name is too long",
    "path_case": "a FAT drive takes two paths for one",
}


class ManifestError(CotaError):
    """A manifest that is refused.

    Attributes:
        code: What is wrong, one of `first`, `key`, `entry`, `text`, `long`, `order`, `count`, `end`, `path_fat`, `path_long`, `path_case`.
        line: The line where it shows, from 1.
    """

    def __init__(self, code: str, line: int) -> None:
        super().__init__(f"Line {line} of the manifest: {_SENTENCES[code]}.", "Write it anew with `cota manifest`.")
        self.code = code
        self.line = line


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of a release.

    Attributes:
        path: Path from the release's root, and from the folder of the manifest's URL.
        size: Its bytes.
        sha256: SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says.

    Attributes:
        files: The release's files, in the order of their paths' bytes.
        title: The release's title, where it is told; a board refuses another one than ThingsBoard's.
        version: Its version, in the same way.
        commit: The Git commit that it was made of, where it was.
    """

    files: tuple[ManifestFile, ...]
    title: str | None = None
    version: str | None = None
    commit: str | None = None

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class Reader:
    """Reads a manifest as it arrives; `feed` what comes, then `end`."""

    def __init__(self) -> None:
        self._held = b""
        self._line = 0
        self._keys: dict[str, str] = {}
        self._in_head = True
        self._left_files = 0
        self._left_bytes = 0
        self._last = b""
        self._names: dict[str, tuple[str, bool]] = {}

    @property
    def held(self) -> int:
        """How many bytes wait for the end of their line; never more than MAX_LINE."""
        return len(self._held)

    def feed(self, data: bytes) -> list[ManifestFile]:
        """Take the next bytes and give the files whose lines are whole now.

        Raises:
            ManifestError: The manifest is refused; nothing of it may be used.
        """
        found = []
        *lines, rest = (self._held + data).split(b"\n")
        for line in lines:
            self._line += 1
            if len(line) >= MAX_LINE:
                raise self._error("long")
            file = self._take(line)
            if file is not None:
                found.append(file)
        if len(rest) >= MAX_LINE:
            self._line += 1
            raise self._error("long")
        self._held = rest
        return found

    def end(self) -> Manifest:
        """Say that nothing more comes, and give what the head says; the files were given by `feed`.

        Raises:
            ManifestError: Something is missing.
        """
        if self._held or self._in_head or self._left_files:
            self._line += 1
            raise self._error("end")
        if self._left_bytes:
            raise self._error("count")
        return Manifest((), *(self._keys.get(name) for name in ("title", "version", "commit")))

    def _error(self, code: str) -> ManifestError:
        return ManifestError(code, self._line)

    def _take(self, line: bytes) -> ManifestFile | None:
        if self._line == 1:
            if line != FIRST_LINE:
                raise self._error("first")
        elif not self._in_head:
            return self._take_entry(line)
        elif line:
            self._take_key(line)
        else:
            if any(name not in self._keys for name in _NEEDED):
                raise self._error("key")
            self._left_files, self._left_bytes = int(self._keys["files"]), int(self._keys["bytes"])
            self._in_head = False
        return None

    def _text(self, line: bytes) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            raise self._error("text") from None

    def _take_key(self, line: bytes) -> None:
        if not _KEY.fullmatch(line):
            raise self._error("key")
        name, _, value = self._text(line).partition(" ")
        number = _NUMBER.fullmatch(value)
        good = (
            (name == "files" and number is not None and 0 < int(value) <= MAX_FILES)
            or (name == "bytes" and number is not None)
            or (name == "commit" and _COMMIT.fullmatch(value) is not None)
            or name in _TEXTS
            or name.startswith("x-")
        )
        if not good or value[0] == " " or value[-1] == " " or name in self._keys or len(self._keys) >= MAX_KEYS:
            raise self._error("key")
        self._keys[name] = value

    def _take_entry(self, line: bytes) -> ManifestFile:
        parts = _ENTRY.fullmatch(line)
        if parts is None:
            raise self._error("entry")
        digest, size, raw = parts[1].decode("ascii"), int(parts[2]), parts[3]
        path = self._text(raw)
        if (code := problem(path)) is not None:
            raise self._error(code)
        if raw <= self._last:
            raise self._error("order")
        self._last = raw
        self._check_names(path)
        self._left_files -= 1
        self._left_bytes -= size
        if self._left_files < 0 or self._left_bytes < 0:
            raise self._error("count")
        return ManifestFile(path, size, digest)

    def _check_names(self, path: str) -> None:
        """Compare a path, and each folder on its way, with those before it as FAT does."""
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            here, is_file = "/".join(parts[:end]), end == len(parts)
            if self._names.setdefault(fold(here), (here, is_file)) != (here, is_file):
                raise self._error("path_case")


def read(chunks: Iterable[bytes]) -> Manifest:
    """Read a whole manifest.

    Args:
        chunks: Its bytes, in any pieces.

    Raises:
        ManifestError: It is refused.
    """
    reader = Reader()
    files: list[ManifestFile] = []
    for chunk in chunks:
        files += reader.feed(chunk)
    head = reader.end()
    return Manifest(tuple(files), head.title, head.version, head.commit)


def write(manifest: Manifest) -> bytes:
    """Give a manifest's bytes: the same for the same files, whatever order they come in.

    Raises:
        ManifestError: It would be one that a reader refuses.
    """
    files = sorted(manifest.files, key=lambda file: file.path.encode("utf-8", "surrogatepass"))
    head = [("title", manifest.title), ("version", manifest.version), ("commit", manifest.commit)]
    head += [("files", str(len(files))), ("bytes", str(manifest.total))]
    lines = [FIRST_LINE.decode("ascii"), *(f"{name} {value}" for name, value in head if value is not None), ""]
    lines += [f"{file.sha256} {file.size} {file.path}" for file in files]
    data = "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
    read([data])
    return data
