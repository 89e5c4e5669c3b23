"""What others say of an image: FatFs itself on the host (another build of it than the VM's), and fsck.fat."""

import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from fatfs import FatFSException, RamDisk, create_extended_partition

_SECTOR = 512
_LEFT_OUT = ("boot_out.txt",)
_STATE = "cota_sys"
_LOST = re.compile(r"^Reclaimed (\d+) unused cluster")
# What fsck.fat says of every drive, of lost clusters, and of what it would do: the line before that is judged by itself.
# Entries of a long name without its file are not seen by FatFs; they do no harm.
# The last link of a chain that a cut tore between two sectors of the FAT: beyond the drive's clusters, FatFs takes it for the chain's end.
_TORN_END = re.compile(r"^Cluster \d+ out of range \((\d+) > \d+\)\. Setting to EOF\.$")
_FROM = 0xF00
_HARMLESS = re.compile(
    r"^(fsck\.fat |Reclaimed \d+ unused cluster|Leaving filesystem unchanged|\s*$"
    r"|.*: \d+ files, \d+/\d+ clusters|Orphaned long file name part|\s*Not auto-correcting this|\s*Auto-deleting\.|\s*\(dirty bit\))"
)
UNREADABLE = (OSError, ValueError, FatFSException)
FSCK = shutil.which("fsck.fat") or ("/usr/sbin/fsck.fat" if Path("/usr/sbin/fsck.fat").exists() else None)


def tree(path: Path) -> dict[str, str]:
    """The files of an image by SHA-256, without the state folder and boot_out.txt, as FatFs on this machine reads them.

    Raises:
        OSError, ValueError, FatFSException: it cannot be read.
    """
    partition = create_extended_partition(RamDisk(bytearray(path.read_bytes()), sector_size=_SECTOR))
    partition.mount()
    found: dict[str, str] = {}
    try:
        for folder, _, names in partition.walk("/"):
            for name in names:
                where = f"{folder.strip('/')}/{name}".lstrip("/")
                if where not in _LEFT_OUT and not where.startswith(_STATE + "/"):
                    found[where] = sha256(partition.read_file("/" + where)).hexdigest()
    finally:
        partition.unmount()
    return found


def fsck(path: Path) -> tuple[int, list[str]]:
    """(lost clusters, every line that speaks of more than those)."""
    if FSCK is None:
        return 0, []
    said = subprocess.run([FSCK, "-n", str(path)], capture_output=True, text=True, check=False).stdout.splitlines()
    lost = sum(int(found[1]) for line in said if (found := _LOST.match(line)))
    return lost, [line for line in said if not _HARMLESS.match(line) and not _is_torn_end(line)]


def _is_torn_end(line: str) -> bool:
    found = _TORN_END.match(line.removesuffix("\n").strip())
    return found is not None and int(found[1]) >= _FROM


def shared_pages(path: Path) -> int:
    """How many erase pages from the drive's first on hold the boot sector, the FAT or the root folder."""
    head = path.read_bytes()[:_SECTOR]
    reserved = int.from_bytes(head[14:16], "little")
    fat = head[16] * int.from_bytes(head[22:24], "little")
    root = int.from_bytes(head[17:19], "little") * 32 // _SECTOR
    return -(-(reserved + fat + root) // 8)
