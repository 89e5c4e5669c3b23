"""The board on CPython, where no MicroPython VM exists: the drive is a folder, the heap is not limited, FAT's limits are not modelled.

Code from the drive sees the board's modules and paths; CPython's own library, which shares the process, goes on seeing the real ones. The
two are told apart by the file of the module that imports.
"""

import builtins
import errno
import gc
import linecache
import os
import posixpath
import sys
import tokenize
import traceback  # noqa: F401  (loaded now, because it reads the real files and modules)
import types

import simboard

_real_open = builtins.open
_real_import = builtins.__import__
# CPython's modules that CircuitPython has too.
_SHARED = "array asyncio atexit binascii builtins collections io json math random re select struct sys warnings".split()


def _no(number):
    raise simboard.os_error(number, errno.errorcode[number])


class Drive:
    """The functions of `os` over a folder that stands for the drive."""

    def __init__(self):
        self.root = ""
        self.cwd = "/"
        self.writable = lambda: True

    def host(self, path):
        """The host's path of a path on the board; `..` ends at the root."""
        path = os.fspath(path)
        if isinstance(path, bytes):
            path = path.decode()
        return self.root + posixpath.normpath(posixpath.join("/", self.cwd, path))

    def _write(self, path):
        if not self.writable():
            _no(errno.EROFS)
        return self.host(path)

    def chdir(self, path):
        if not os.path.isdir(self.host(path)):
            _no(errno.ENOENT)
        self.cwd = posixpath.normpath(posixpath.join("/", self.cwd, path))

    def getcwd(self):
        return self.cwd

    def listdir(self, path=""):
        return os.listdir(self.host(path))

    def mkdir(self, path):
        os.mkdir(self._write(path))

    def remove(self, path):
        target = self._write(path)
        if os.path.isdir(target):
            _no(errno.EISDIR)
        os.remove(target)

    def rmdir(self, path):
        target = self._write(path)
        if os.path.isdir(target) and os.listdir(target):
            _no(errno.EACCES)
        os.rmdir(target)

    def rename(self, old, new):
        source, target = self._write(old), self._write(new)
        if os.path.isdir(target) and source != target:
            _no(errno.EISDIR)
        os.replace(source, target)

    def stat(self, path):
        if len(path) > 1 and path.endswith("/"):
            _no(errno.EINVAL)
        found = os.stat(self.host(path))
        kind = 0x4000 if os.path.isdir(self.host(path)) else 0x8000
        at = int(found.st_mtime)
        return (kind, 0, 0, 0, 0, 0, 0 if kind == 0x4000 else found.st_size, at, at, at)

    def statvfs(self, path):
        cluster = simboard.profile["cluster"]
        total = simboard.profile["drive_bytes"] // cluster
        used = 0
        for folder, _, names in os.walk(self.root):
            used += 1
            for name in names:
                used += -(-os.stat(os.path.join(folder, name)).st_size // cluster)
        free = max(0, total - used)
        return (cluster, cluster, total, free, free, 0, 0, 0, 0, 255)

    def open(self, path, mode="r", *rest, **named):
        if isinstance(path, int):
            return _real_open(path, mode, *rest, **named)
        target = self.host(path)
        if os.path.isdir(target):
            _no(errno.ENOENT)
        if not self.writable() and set(mode) & set("wax+"):
            _no(errno.EROFS)
        if "b" not in mode:
            named.setdefault("encoding", "utf-8")
            named.setdefault("newline", "")
        return _real_open(target, mode, *rest, **named)


drive = Drive()
drive.urandom = os.urandom


def prepare(folder):
    """Name the folder that stands for the drive; to be called before the shims are imported."""
    drive.root = folder


def _module(name, **names):
    module = types.ModuleType(name)
    for key, value in names.items():
        setattr(module, key, value)
    return module


def _heap(used):
    return lambda: used


def take_over(modules):
    """Give code from the drive the board's view: `open`, imports and sys.path."""
    storage = modules["storage"]
    drive.writable = storage.python_writes
    storage._disk["fs"] = storage.VfsFat(None, drive)
    modules["gc"] = _module(
        "gc",
        collect=gc.collect,
        disable=gc.disable,
        enable=gc.enable,
        isenabled=gc.isenabled,
        mem_alloc=_heap(0),
        mem_free=_heap(simboard.profile["heap"]),
    )
    modules["micropython"] = _module("micropython", const=lambda value: value, opt_level=lambda level=0: None)
    root = drive.root
    foreign = os.path.dirname(os.__file__)

    def board_import(name, namespace=None, local=None, fromlist=(), level=0):
        # A call of __import__ names no namespace; then the caller's own counts.
        space = sys._getframe(1).f_globals if namespace is None else namespace
        file = space.get("__file__")
        spec = space.get("__spec__")
        if file is None:
            from_board = spec is None
        else:
            # A program that is named by its path from the drive's root has that path as its file.
            from_board = not os.path.isabs(file) or file.startswith(root) or os.path.exists(root + file)
        if level or not from_board:
            return _real_import(name, namespace, local, fromlist, level)
        top = name.partition(".")[0]
        if top in modules:
            return modules[top]
        if top in _SHARED or _on_drive(root, top):
            return _real_import(name, namespace, local, fromlist, level)
        raise ImportError(f"no module named '{name}'", name=name)

    builtins.open = drive.open
    builtins.__import__ = board_import
    sys.path[:] = [root, root + "/lib", foreign, *[path for path in sys.path if path.startswith(foreign)]]
    sys.dont_write_bytecode = True
    _keep_real_open()


def _on_drive(root, top):
    return any(os.path.exists(f"{root}/{folder}{top}{end}") for folder in ("", "lib/") for end in ("", ".py"))


def _keep_real_open():
    """The traceback printer reads source lines by host paths."""
    tokenize._builtin_open = _real_open
    linecache.open = _real_open
