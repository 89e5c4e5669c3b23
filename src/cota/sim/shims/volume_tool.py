"""Work on a FAT image from inside a VM: make it, fill it, list it, read it. No other FAT code is needed on the host.

`main(request)` takes a JSON text `{"image": …, "steps": [[verb, …], …]}` and prints one JSON line a result.
"""

import binascii
import hashlib
import json

from disk import ImageDisk

try:
    from vfs import VfsFat
except ImportError:
    from storage import VfsFat

_CHUNK = 4096


def _sha256():
    return hashlib.sha256() if hasattr(hashlib, "sha256") else hashlib.new("sha256")


def _parents(fs, path):
    at = path.find("/", 1)
    while at > 0:
        try:
            fs.mkdir(path[:at])
        except OSError as error:
            if error.errno != 17:
                raise
        at = path.find("/", at + 1)


def _put(fs, path, source):
    _parents(fs, path)
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    f = open(source, "rb")
    try:
        out = fs.open(path, "wb")
        try:
            while True:
                n = f.readinto(buffer)
                if not n:
                    break
                out.write(view[:n])
        finally:
            out.close()
    finally:
        f.close()


def _digest(fs, path):
    h = _sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    f = fs.open(path, "rb")
    try:
        while True:
            n = f.readinto(buffer)
            if not n:
                return binascii.hexlify(h.digest()).decode()
            h.update(view[:n])
    finally:
        f.close()


def _list(fs):
    folders = ["/"]
    while folders:
        folder = folders.pop()
        for entry in fs.ilistdir(folder):
            path = folder.rstrip("/") + "/" + entry[0]
            if entry[1] & 0x4000:
                print(json.dumps(["folder", path]))
                folders.append(path)
            else:
                print(json.dumps(["file", path, fs.stat(path)[6], _digest(fs, path)]))


def _read(fs, path):
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    f = fs.open(path, "rb")
    try:
        while True:
            n = f.readinto(buffer)
            if not n:
                return
            print(json.dumps(["bytes", binascii.hexlify(view[:n]).decode()]))
    finally:
        f.close()


def _remove(fs, path):
    if fs.stat(path)[0] & 0x4000:
        fs.rmdir(path)
    else:
        fs.remove(path)


def main(text):
    request = json.loads(text)
    disk = ImageDisk(request["image"])
    fs = None
    for step in request["steps"]:
        verb = step[0]
        try:
            if verb == "mkfs":
                VfsFat.mkfs(disk)
                fs = None
                continue
            if fs is None:
                fs = VfsFat(disk)
            if verb == "put":
                _put(fs, step[1], step[2])
            elif verb == "mkdir":
                _parents(fs, step[1] + "/")
            elif verb == "list":
                _list(fs)
            elif verb == "read":
                _read(fs, step[1])
            elif verb == "remove":
                _remove(fs, step[1])
            elif verb == "statvfs":
                print(json.dumps(["statvfs", list(fs.statvfs("/"))]))
        except (OSError, UnicodeError) as error:
            print(json.dumps(["error", verb, step[1] if len(step) > 1 else None, getattr(error, "errno", 0) or 0]))
            return
    print(json.dumps(["done"]))
