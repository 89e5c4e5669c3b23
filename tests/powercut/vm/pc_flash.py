"""The flash under the drive: a block device of 512-byte sectors over erase pages of 4 KiB, which logs every page that it writes.

Two ports of CircuitPython write differently, and both are modelled:

* "rp2" holds one dirty page in RAM. It goes to the flash when another page is written, on any read, and on sync.
* "esp" holds nothing back: each write of the file system erases and programs its page at once; one across pages does so for each.
"""

from hashlib import sha1

SECTOR = 512
PAGE = 4096
_ERASED = b"\xff"
# What marks a folder entry of a file or a folder, and a year of the host's clock in it.
_KINDS = (0x20, 0x10)
_YEAR = (2024 - 1980) << 1
_START = b"\0\0\x21\x28"  # 1 January 2000


class Image:
    """What a flash holds: bytes that many images share, and the pages that differ from them. A copy costs little."""

    def __init__(self, base, pages=None):
        self._base = base
        self._view = memoryview(base)
        self._pages = {} if pages is None else pages  # page -> (its bytes, their SHA-1)

    def __len__(self):
        return len(self._base)

    def copy(self):
        return Image(self._base, dict(self._pages))

    def become(self, other):
        """Hold what `other` holds; both must have the same base."""
        self._pages = dict(other._pages)

    def page(self, number):
        """One page's bytes."""
        found = self._pages.get(number)
        return self._view[number * PAGE : (number + 1) * PAGE] if found is None else found[0]

    def write(self, number, data):
        """Replace one page."""
        if data == self._view[number * PAGE : (number + 1) * PAGE]:
            self._pages.pop(number, None)
        else:
            self._pages[number] = (data, sha1(data).digest())

    def read_into(self, at, buf):
        """Fill `buf` with what stands at byte `at`."""
        view = memoryview(buf)
        done = 0
        while done < len(view):
            number, start = divmod(at + done, PAGE)
            count = min(PAGE - start, len(view) - done)
            view[done : done + count] = memoryview(self.page(number))[start : start + count]
            done += count

    def digest(self):
        """Equal for images of the same base that hold the same."""
        hasher = sha1()
        for number in sorted(self._pages):
            hasher.update(b"%d " % number + self._pages[number][1])
        return hasher.digest()

    def write_to(self, file):
        """Write all bytes to a file."""
        for number in range(len(self._base) // PAGE):
            file.write(self.page(number))

    def whole(self):
        """All bytes, as a new base."""
        data = bytearray(self._base)
        for number in self._pages:
            data[number * PAGE : (number + 1) * PAGE] = self._pages[number][0]
        return data


class Flash:
    """A block device in MicroPython's simple protocol.

    Attributes:
        image: What the flash holds, changed in place.
        log: A list that takes (page, its new bytes) for each page written, or None.
        writes: How many pages were written.
        off: Nothing reaches the flash any more: what finalisers do after a reset must not.
    """

    def __init__(self, image, kind, log=None):
        self.image = image
        self.log = log
        self.writes = 0
        self.off = False
        self._held_back = kind == "rp2"
        self._page = -1
        self._cache = bytearray(PAGE)
        self._view = memoryview(self._cache)

    def readblocks(self, block, buf):
        self.flush()
        self.image.read_into(block * SECTOR, buf)
        return 0

    def writeblocks(self, block, buf):
        view = memoryview(buf)
        at = block * SECTOR
        done = 0
        while done < len(view):
            page, start = divmod(at + done, PAGE)
            count = min(PAGE - start, len(view) - done)
            if page != self._page:
                self.flush()
                self._view[:] = self.image.page(page)
                self._page = page
            self._view[start : start + count] = view[done : done + count]
            self._stop_clock(start, start + count)
            done += count
            if not self._held_back:
                self.flush()
        return 0

    def _stop_clock(self, start, end):
        """Put the time at which a board without a clock starts in place of the host's into the folder entries of the page.

        So that the same course writes the same bytes, and the same cut is not tried twice.
        """
        page = self._cache
        for at in range(start, end, 32):
            if page[at + 11] in _KINDS and not (page[at + 13] or page[at + 18] or page[at + 19]):
                for time in (14, 22):  # made, changed
                    if page[at + time + 3] >= _YEAR:
                        page[at + time : at + time + 4] = _START

    def flush(self):
        """Erase and program the page that is held back."""
        page = self._page
        if page < 0:
            return
        self._page = -1
        if self.off:
            return
        self.writes += 1
        data = bytes(self._cache)
        if self.log is not None:
            self.log.append((page, data))
        self.image.write(page, data)

    def ioctl(self, op, arg):
        if op == 4:
            return len(self.image) // SECTOR
        if op == 5:
            return SECTOR
        self.flush()
        return 0


def torn(image, page, new, how):
    """What a cut inside the writing of a page leaves: "erased" only, or "half" of it programmed."""
    keep = 0 if how == "erased" else PAGE // 2
    image.write(page, new[:keep] + _ERASED * (PAGE - keep))
