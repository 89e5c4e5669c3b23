"""The board's flash as a block device over an image file: every sector reaches the file at once, so a killed VM is a power cut."""

SECTOR = 512
# One erase page of flash holds eight sectors; page 0 holds the boot sector and the only FAT.
PAGE_SECTORS = 8


class ImageDisk:
    """A block device in MicroPython's simple protocol, with counts of what a flash would wear by."""

    def __init__(self, path):
        self._file = open(path, "r+b")
        self.sectors = self._file.seek(0, 2) // SECTOR
        self.written = 0
        self.written_page0 = 0

    def readblocks(self, block, buf):
        self._file.seek(block * SECTOR)
        self._file.readinto(buf)
        return 0

    def writeblocks(self, block, buf):
        self._file.seek(block * SECTOR)
        self._file.write(buf)
        self.written += len(buf) // SECTOR
        if block < PAGE_SECTORS:
            self.written_page0 += 1
        return 0

    def ioctl(self, op, arg):
        if op == 4:
            return self.sectors
        if op == 5:
            return SECTOR
        return 0
