"""The releases that are measured: plain dictionaries of files, the same bytes in every run. No I/O."""

import hashlib
import io
import tarfile
from collections.abc import Mapping

Release = dict[str, bytes]

# As the original's own example: 7 files, 64,295 bytes.
_EXAMPLE = {
    "code_helpers.py": 2_915,
    "display/fonts.bin": 24_576,
    "display/screen.py": 7_204,
    "sensors/bme280.py": 9_140,
    "sensors/sps30.py": 12_350,
    "station.py": 6_010,
    "README.md": 2_100,
}
# Files of a package in one folder: few folders are larger on a board, and FAT looks through a folder from its start.
FOLDER_FILES = 25


def content(name: str, size: int, version: int = 1) -> bytes:
    """`size` bytes that depend on name and version only and that no two files share."""
    out = bytearray()
    number = 0
    while len(out) < size:
        out += hashlib.sha256(f"{name} {version} {number}".encode()).digest()
        number += 1
    return bytes(out[:size])


def example() -> Release:
    """A small application, as large as the original's example."""
    return {path: content(path, size) for path, size in _EXAMPLE.items()}


def files(count: int, size: int, version: int = 1, per_folder: int = FOLDER_FILES) -> Release:
    """`count` files of `size` bytes, spread over folders."""
    names = [f"pkg{number // per_folder}/module_{number:03}.py" for number in range(count)]
    return {name: content(name, size, version) for name in names}


def with_changes(release: Mapping[str, bytes], sizes: Mapping[str, int], version: int = 2) -> Release:
    """A release in which some files have new content, of the sizes given."""
    return {**release, **{name: content(name, size, version) for name, size in sizes.items()}}


def tar_bytes(release: Mapping[str, bytes]) -> int:
    """The size of the release as a plain tar: a header of 512 bytes a file, content in blocks of 512, records of 10,240."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in sorted(release.items()):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return len(out.getvalue())
