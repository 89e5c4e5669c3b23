"""Recognising what lies on a drive: ours, the original cOTA's, CircuitPython's own, or the user's."""

import ast
import json
import re
from binascii import crc32
from typing import Literal

BOOT_HOOK = b"# cOTA hook"  # the first bytes of every boot.py of ours, whatever its version
PROGRAMS = ("code.txt", "code.py", "main.py", "main.txt")  # CircuitPython runs the first of these that it finds
# The program that CircuitPython puts on a new drive.
_GREETING = b'print("Hello World!")'
_RECORDS_AT = (3584, 7680)  # as boot.py reads them
_IMPORTS_OTA = re.compile(rb"^[ \t]*(?:from[ \t]+ota\b|import[ \t][^#\n]*\bota\b)", re.MULTILINE)

BootKind = Literal["none", "ours", "original", "foreign"]


def boot_kind(data: bytes | None) -> BootKind:
    """Say whose boot.py this is. An empty one is none: a write that the cable ended leaves that."""
    if data is None or not data.strip(b"\0 \t\r\n"):
        return "none"
    if data.startswith(BOOT_HOOK):
        return "ours"
    return "original" if _only_remounts(data) else "foreign"


def _only_remounts(data: bytes) -> bool:
    """The original cOTA's boot.py: it imports `storage`, remounts the drive for the program, and does nothing else."""
    try:
        body = ast.parse(data).body
    except (SyntaxError, ValueError):
        return False
    calls = [node for node in body if not isinstance(node, ast.Import) and not _is_text(node)]
    imports = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    return imports == {"storage"} and len(calls) == 1 and _is_remount(calls[0])


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_remount(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    call = node.value
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    values = [argument.value for argument in given if isinstance(argument, ast.Constant)]
    return ast.unparse(call.func) == "storage.remount" and len(values) == len(given) and values in (["/"], ["/", False])


def is_originals_library(data: bytes | None) -> bool:
    """Say whether a lib/ota.py is the original cOTA's."""
    return data is not None and b"class OverTheAirUpdate" in data and b"class HashMismatchError" in data


def is_greeting(data: bytes | None) -> bool:
    """Say whether a program is the greeting of a new drive, which nobody wrote."""
    return data is not None and data.strip() == _GREETING


def is_our_safemode(data: bytes | None) -> bool:
    """Say whether a safemode.py is ours, of any version, or none at all."""
    return data is None or not data.strip(b"\0 \t\r\n") or b"cOTA:" in data


def imports_ota(data: bytes) -> bool:
    """Say whether a program imports the library."""
    return _IMPORTS_OTA.search(data) is not None


def update_phase(journal: bytes | None) -> str:
    """Tell from the updater's journal (cota_sys/s/j) what it is in the midst of: "C" an update that is not applied yet, "U" an undo, "T" a
    trial, "" nothing. It keeps two records with a checksum before each; the newer one counts.
    """
    newest: dict[str, object] = {"q": 0, "p": ""}
    for at in _RECORDS_AT:
        record = (journal or b"")[at : at + 512]
        if record[:8] == b"%08x" % crc32(record[8:]):
            try:
                told = json.loads(record[8:])
            except ValueError:
                continue
            if isinstance(told, dict) and told.get("q", 0) > newest["q"]:
                newest = told
    return str(newest.get("p", ""))
