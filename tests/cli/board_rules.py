"""The board's own check of a release, run here on a listing: the device's modules, without a board."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from loading import device

from cota.git.types import MODE_SUBMODULE, MODE_SYMLINK


class _Plan:
    """The records of a plan in memory, with the calls that the check makes."""

    def __init__(self) -> None:
        self.records: list[list[Any]] = []
        self._at = -1

    def append(self, action: int, length: int, offset: int, digest: bytes | None, path: str) -> None:
        self.records.append([action, length, offset, digest or b"", path])
        if len(self.records) > device("plan").MAX_FILES:
            raise device("errors").error("too_many")

    def rewind(self) -> None:
        self._at = -1

    def next(self) -> bool:
        self._at += 1
        return self._at < len(self.records)

    def place(self) -> tuple[int, int]:
        return 0, self._at

    def mark(self, action: int, offset: int = 0) -> None:
        self.records[self._at][0], self.records[self._at][2] = action, offset

    action = property(lambda self: self.records[self._at][0])
    length = property(lambda self: self.records[self._at][1])
    offset = property(lambda self: self.records[self._at][2])
    digest = property(lambda self: self.records[self._at][3])
    path = property(lambda self: self.records[self._at][4])


def refusal(files: Iterable[tuple[str, int, int]], ignore: bytes = b"") -> str | None:
    """Give the code with which a board refuses a listing of (path, mode, size), None where it takes it."""
    gather, paths, errors = device("gather"), device("paths"), device("errors")
    plan = _Plan()
    rules = paths.Rules()
    job = SimpleNamespace(
        plan=plan, rules=rules, ignore_file=None, case_bits=bytearray(gather._CASE_BYTES), previous="", checksum=0, seal=lambda: None
    )
    try:
        for path, mode, size in files:
            kind = "commit" if mode == MODE_SUBMODULE else "blob"
            gather._add(job, path, f"{mode:06o}" if mode == MODE_SYMLINK else "100644", kind, bytes(20), size)
        rules.ignore(ignore)
        plan.rewind()
        while gather.check(job) == "check":
            pass
    except errors.OverTheAirUpdateError as error:
        return str(error.code)
    return None
