"""Makes the MicroPython VM look, to the runner, like a CircuitPython VM on this machine.

It has storage, socketpool, ssl and hashlib of its own and lacks what the MicroPython wheel has in their place. It stands for the binary
that COTA_CIRCUITPYTHON names, so that the runner's branch for it runs somewhere; it proves nothing about CircuitPython itself.
"""

import hashlib
import io
import sys

import vfs


class _Module:
    pass


def _module(name, **names):
    module = _Module()
    for key, value in names.items():
        setattr(module, key, value)
    sys.modules[name] = module


def _format_exception(error):
    out = io.StringIO()
    sys.print_exception(error, out)
    return [out.getvalue()]


def _new(name, data=b""):
    return {"sha1": hashlib.sha1, "sha256": hashlib.sha256}[name](data)


_module("storage", VfsFat=vfs.VfsFat, mount=vfs.mount, umount=vfs.umount)
_module("socketpool", native=True)
_module("ssl", native=True)
_module("traceback", format_exception=_format_exception)
_module("hashlib", new=_new)
sys.modules["vfs"] = None

sys.path.insert(0, SHIMS)  # noqa: F821  (the wrapper of the test defines it)
import simboard  # noqa: E402

simboard.VM = "circuitpython"
