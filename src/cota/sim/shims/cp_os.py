"""`os` as CircuitPython has it: no path, no makedirs, no walk, no truncate, and getenv reads /settings.toml."""

import collections as _collections

import cp_toml as _toml
import simboard as _board

if _board.VM == "cpython":
    from cpython_host import drive as _os
else:
    import os as _os

sep = "/"
chdir = _os.chdir
getcwd = _os.getcwd
listdir = _os.listdir
mkdir = _os.mkdir
remove = _os.remove
rename = _os.rename
rmdir = _os.rmdir
stat = _os.stat
statvfs = _os.statvfs
unlink = _os.remove
urandom = _os.urandom

_uname_result = _collections.namedtuple("uname_result", ("sysname", "nodename", "release", "version", "machine"))


def getenv(key, default=None):
    found = _toml.find("/settings.toml", key)
    return default if found is None else found[1]


def sync():
    """Flush the drive; the simulated drive never holds anything back."""


def uname():
    profile = _board.profile
    version = profile["version"]
    return _uname_result(
        profile["mcu"], profile["mcu"], version, version + " on 2026-09-01", profile["machine"] + " with " + profile["mcu"]
    )
