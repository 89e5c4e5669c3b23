"""Temp + rename, the usual way to replace files: each file whole under another name in its folder, then renamed over the old one.

Its bytes cost nothing: they come from the host, in the blocks in which cOTA stages.
"""

import os

import probe

BLOCK = 2048

probe.mark("contact")
view = memoryview(bytearray(BLOCK))
for path, length in probe.payload():
    folder = path.rpartition("/")[0]
    if folder:
        try:
            os.mkdir("/" + folder)
        except OSError:
            pass
    with open("/" + path + ".new", "wb") as f:
        left = length
        while left:
            part = view[: min(left, BLOCK)]
            probe.read_payload(part)
            f.write(part)
            left -= len(part)
    os.rename("/" + path + ".new", "/" + path)
probe.mark("end")
