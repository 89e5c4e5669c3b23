"""Digests over what a VM offers: CircuitPython has only `hashlib.new`, MicroPython only `hashlib.sha1`."""

import hashlib

_new = getattr(hashlib, "new", None)


def sha1():
    """A SHA-1 object with `update` and `digest`; call `digest` once only (MicroPython)."""
    return _new("sha1") if _new else hashlib.sha1()


def git_blob(length):
    """A SHA-1 object primed for a Git blob of `length` bytes (Git's object header is hashed first)."""
    hasher = sha1()
    hasher.update(b"blob %d\0" % length)
    return hasher
