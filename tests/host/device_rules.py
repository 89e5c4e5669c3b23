"""The rules for device code, each a function from source text to the places that break it. test_device_rules.py applies them."""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cota.drive.strip import strip

# What any module of the library may import: values in, values out. Everything else is granted below, to the one module that it is for.
PURE = {"binascii", "collections", "errno", "hashlib", "io", "json", "re", "struct"}
GRANTS = {
    "store": {"os"},
    # These stand alone: run by boot.py and in place of the program, before and instead of the library.
    "redo": {"alarm", "microcontroller", "os", "supervisor", "time"},
    "drive": {"board", "digitalio", "os", "storage", "supervisor"},
    "start": {"code", "main", "microcontroller", "time"},
    "guard": {"alarm", "gc", "microcontroller", "os", "supervisor", "time"},
    "verdict": {"alarm", "microcontroller", "os", "ota", "supervisor", "sys", "time", "traceback", "watchdog", "wifi"},
    "ask": {"os", "socketpool", "ssl", "wifi"},
    "__init__": {"gc"},
    "net": {"gc", "socketpool", "ssl"},
    "board": {
        *(
            "alarm",
            "board",
            "digitalio",
            "gc",
            "microcontroller",
            "os",
            "random",
            "socketpool",
            "ssl",
            "storage",
            "supervisor",
            "sys",
            "time",
        ),
        *("traceback", "watchdog", "wifi"),
    },
}
OPENERS = {"store", "redo", "drive", "guard", "start", "verdict"}
SOCKET_USERS = {"net", "ask"}
SOCKET_WORDS = {"getaddrinfo", "recv_into", "recv", "sendall", "socket", "wrap_socket"}

# Modules that CircuitPython has built in but its stubs leave to the checker's own library, which knows too much. What a board has of each
# (10.x, and 9.x where that has less) stands here.
BUILT_IN = {
    "binascii": {"a2b_base64", "b2a_base64", "crc32", "hexlify", "unhexlify"},
    "collections": {"OrderedDict", "deque", "namedtuple"},
    "errno": {"EACCES", "EAGAIN", "ECONNREFUSED", "ECONNRESET", "EEXIST", "EINVAL", "EIO", "EISDIR", "ENODEV", "ENOENT", "ENOMEM", "ENOSPC"}
    | {"ENOTCONN", "EPERM", "EROFS", "ETIMEDOUT", "errorcode"},
    "gc": {"collect", "disable", "enable", "isenabled", "mem_alloc", "mem_free"},
    "hashlib": {"new"},
    "io": {"BytesIO", "StringIO"},
    "json": {"dump", "dumps", "load", "loads"},
    "os": {
        "chdir",
        "getcwd",
        "getenv",
        "listdir",
        "mkdir",
        "remove",
        "rename",
        "rmdir",
        "sep",
        "stat",
        "statvfs",
        "sync",
        "uname",
        "unlink",
    }
    | {"urandom", "utime"},
    "random": {"choice", "getrandbits", "randint", "random", "randrange", "seed", "uniform"},
    "re": {"compile", "match", "search", "sub"},
    "ssl": {"SSLContext", "SSLSocket", "create_default_context"},
    "struct": {"calcsize", "pack", "pack_into", "unpack", "unpack_from"},
    "sys": {"byteorder", "exit", "implementation", "maxsize", "modules", "path", "platform", "stdin", "stdout", "version", "version_info"},
    "time": {"localtime", "mktime", "monotonic", "monotonic_ns", "sleep", "struct_time", "time"},
}
# Differs from board to board, so no stub can say.
ANYTHING = {"board", "code", "main"}
# Stands behind a test for `hashlib.new`, for MicroPython, which lacks that.
FEATURE_TESTED = {"ask": {"hashlib.sha1"}, "digest": {"hashlib.sha1"}, "redo": {"hashlib.sha1"}, "verdict": {"sys.print_exception"}}

MISSING_NAMES = {"FileNotFoundError", "FileExistsError", "IsADirectoryError", "NotADirectoryError", "PermissionError", "InterruptedError"}
MISSING_METHODS = {"hexdigest", "removeprefix", "removesuffix", "bit_length", "bit_count", "isascii", "format_map", "casefold", "translate"}


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The modules from outside the library that are imported, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or "", node.lineno


def impurities(source: str, module: str) -> list[str]:
    """Imports, opened files and used sockets that are another module's business."""
    tree = ast.parse(source)
    allowed = PURE | GRANTS.get(module, set())
    found = [f"line {line}: imports {name}" for name, line in imports(tree) if name not in allowed]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "open" and module not in OPENERS:
            found.append(f"line {node.lineno}: opens a file")
        if isinstance(node, ast.Attribute) and node.attr in SOCKET_WORDS and module not in SOCKET_USERS:
            found.append(f"line {node.lineno}: uses a socket (.{node.attr})")
    return found


@cache
def stub(module: str) -> dict[str, str | None] | None:
    """The module's public names in circuitpython-stubs, each with its class where the stub says one; None without a stub."""
    root = Path(str(importlib.metadata.distribution("circuitpython-stubs").locate_file("")))
    path = root / f"{module}-stubs" / "__init__.pyi"
    if not path.is_file():
        return None
    names: dict[str, str | None] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names[node.name] = None
        elif isinstance(node, ast.ClassDef):
            names[node.name] = node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] = node.annotation.id if isinstance(node.annotation, ast.Name) else None
    return names


@cache
def members(module: str, kind: str) -> set[str] | None:
    """What a class of the stub holds; None for one that inherits, or is none of the stub's own."""
    root = Path(str(importlib.metadata.distribution("circuitpython-stubs").locate_file("")))
    for node in ast.parse((root / f"{module}-stubs" / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == kind and not node.bases:
            names = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
            return names | {n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    return None


def unknown_names(source: str, module: str) -> list[str]:
    """Modules, names in them, and attributes of those, that no board has as far as the stubs and BUILT_IN know."""
    tree = ast.parse(source)
    found: list[str] = []
    bound: dict[str, str] = {}

    def check(name: str, attribute: str, line: int) -> None:
        known = BUILT_IN.get(name) or stub(name)
        if known is not None and attribute not in known and f"{name}.{attribute}" not in FEATURE_TESTED.get(module, ()):
            found.append(f"line {line}: {name}.{attribute} is not on a board")

    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
            for alias in node.names:
                check(node.module or "", alias.name, node.lineno)
        for name in names:
            bound[name] = name
            if name not in BUILT_IN and name not in ANYTHING and name != "ota" and stub(name) is None:
                found.append(f"line {node.lineno}: the module {name} is not on a board")
        if isinstance(node, ast.Import):
            bound.update({alias.asname or alias.name: alias.name for alias in node.names})
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        if isinstance(owner, ast.Name) and owner.id in bound:
            check(bound[owner.id], node.attr, node.lineno)
        elif isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name) and owner.value.id in bound:
            name = bound[owner.value.id]
            kind = (stub(name) or {}).get(owner.attr) if name not in BUILT_IN else None
            known = members(name, kind) if kind else None
            if known is not None and node.attr not in known:
                found.append(f"line {node.lineno}: {name}.{owner.attr}.{node.attr} is not on a board")
    return found


def forbidden(source: str) -> list[str]:
    """Constructs that one of the VMs lacks, or that cost too much there."""
    tree = ast.parse(source)
    found: list[tuple[int, str]] = []
    for name, line in imports(tree):
        if name in ("typing", "__future__", "collections.abc"):
            found.append((line, f"{name} does not exist on a board"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Match):
            found.append((node.lineno, "match statement"))
        elif isinstance(node, ast.Attribute):
            if node.attr in MISSING_METHODS:
                found.append((node.lineno, f".{node.attr} does not exist on a board"))
            if node.attr == "path" and isinstance(node.value, ast.Name) and node.value.id == "os":
                found.append((node.lineno, "os.path does not exist on a board"))
        elif isinstance(node, ast.Name) and node.id in MISSING_NAMES:
            found.append((node.lineno, f"{node.id} does not exist on a board; compare OSError.errno"))
        elif isinstance(node, ast.Delete) and any(isinstance(t, ast.Subscript) and isinstance(t.slice, ast.Slice) for t in node.targets):
            found.append((node.lineno, "a slice cannot be deleted on a board; assign b'' to it"))
        elif isinstance(node, ast.keyword) and node.arg == "sort_keys":
            found.append((node.value.lineno, "json.dumps has no sort_keys on a board"))
        elif isinstance(node, (ast.AsyncFunctionDef, ast.Await)):
            found.append((node.lineno, "async costs memory and another dependency"))
        elif isinstance(node, ast.FunctionDef):
            if node.args.posonlyargs:
                found.append((node.lineno, "positional-only parameters"))
            if node.args.vararg or node.args.kwarg:
                found.append((node.lineno, "*args and **kwargs shorten the call stack of a board by two thirds"))
            if any(_calls_itself(node, call) for call in ast.walk(node) if isinstance(call, ast.Call)):
                found.append((node.lineno, f"{node.name} calls itself; a board has 18 to 48 frames"))
    return [f"line {line}: {what}" for line, what in sorted(found)]


def _calls_itself(function: ast.FunctionDef, call: ast.Call) -> bool:
    """By its own name, or through self where it is a method."""
    called = call.func
    is_method = bool(function.args.args) and function.args.args[0].arg == "self"
    if is_method:
        return isinstance(called, ast.Attribute) and called.attr == function.name and ast.unparse(called.value) == "self"
    return isinstance(called, ast.Name) and called.id == function.name


def code_bytes(source: str) -> int:
    """Bytes of the module as it lies on a drive: without comments, docstrings and wide layout, every name kept."""
    return len(strip(source).encode())
