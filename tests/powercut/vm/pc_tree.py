"""What is on the drive, and making a drive to begin with."""

import os
from binascii import a2b_base64, hexlify
from hashlib import sha256

import vfs
from pc_flash import SECTOR, Flash, Image

_CHUNK = bytearray(4096)
_MOST = 1000  # entries of a tree; a torn FAT may make a folder its own child
_LEFT_OUT = ("/boot_out.txt", "/cota_sys/")
# Text, so that a folder that grows into it shows names: an image of zeros hides that fault.
_RUBBISH = b"the quick brown fox jumps over the lazy dog 0123456789 GONE_L~1PY \n"


def look(fs):
    """The tree as a dict: path -> SHA-256 in hex, folders with a trailing / -> ""; a text where it cannot be read."""
    tree = {}
    folders = ["/"]
    view = memoryview(_CHUNK)
    try:
        while folders:
            folder = folders.pop()
            for entry in fs.ilistdir(folder[:-1] or "/"):
                path = folder + entry[0]
                if entry[1] & 0x4000:
                    path += "/"
                if path in _LEFT_OUT:
                    continue
                if path[-1] == "/":
                    tree[path[1:]] = ""
                    folders.append(path)
                    if len(tree) > _MOST:
                        return "unreadable: folders without end"
                    continue
                hasher = sha256()
                with fs.open(path, "rb") as file:
                    while True:
                        count = file.readinto(view)
                        if not count:
                            break
                        hasher.update(view[:count])
                tree[path[1:]] = hexlify(hasher.digest()).decode()
                if len(tree) > _MOST:
                    return "unreadable: a folder without end"
    except (OSError, UnicodeError, ValueError) as exc:
        return "unreadable: " + repr(exc)
    return tree


def whole(files):
    """`files` (path -> SHA-256) with the folders that they lie in, as `look` gives it."""
    tree = dict(files)
    for path in files:
        at = path.find("/")
        while at > 0:
            tree[path[: at + 1]] = ""
            at = path.find("/", at + 1)
    return tree


def name_of(tree, known):
    """The name under which `known` has this tree, or what differs from the last of them."""
    if isinstance(tree, str):
        return tree
    names = sorted(known)
    for name in names:
        if known[name] == tree:
            return name
    said = []
    for name in names:
        lacks = [path for path in known[name] if path not in tree]
        extra = [path for path in tree if path not in known[name]]
        wrong = [path for path in tree if path in known[name] and tree[path] != known[name][path]]
        said.append((len(lacks) + len(extra) + len(wrong), f"{name} but lacks {lacks[:4]} has {extra[:4]} wrong {wrong[:4]}"))
    return "neither: " + min(said)[1]


def make(sectors, files, blobs, fill):
    """A drive with these files (path -> SHA-256) on it, every free cluster full of rubbish; `fill` more clusters are taken by ballast."""
    image = Image(bytes(sectors * SECTOR))
    flash = Flash(image, "esp")
    vfs.VfsFat.mkfs(flash)
    fs = vfs.VfsFat(flash)
    with fs.open("/rubbish", "wb") as file:
        block = (_RUBBISH * (65536 // len(_RUBBISH) + 1))[:65536]
        for size in (65536, 512):
            try:
                while file.write(block[:size]) == size:
                    pass
            except OSError:
                pass
    fs.remove("/rubbish")
    fs = vfs.VfsFat(flash)  # allocation begins at the first cluster again
    for path in sorted(files):
        at = path.find("/")
        while at > 0:
            try:  # noqa: SIM105
                fs.mkdir("/" + path[:at])
            except OSError:
                pass
            at = path.find("/", at + 1)
        with fs.open("/" + path, "wb") as file:
            file.write(blobs[files[path]])
    if fill:
        cluster = fs.statvfs("/")[0]
        with fs.open("/ballast.bin", "wb") as file:
            for _ in range(fill * cluster // 512):
                file.write(block[:512])
    flash.flush()
    return Image(image.whole())


def unpack(blobs):
    """Blobs from base64, by their SHA-256."""
    return {name: a2b_base64(blobs[name]) for name in blobs}


def posix():
    """The host's drive, after the board's took its place."""
    return vfs.VfsPosix() if hasattr(vfs, "VfsPosix") else os
