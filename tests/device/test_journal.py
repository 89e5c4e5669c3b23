"""The journal's entries: one sector each."""

from ota import journal

PURE = True


def _fullest():
    """The longest entry without its one text of any length: 32-bit checksums, the sectors of a drive of 16 MB, digests in hex."""
    entry = {"p": journal.TRIAL, "w": ""}
    for name in "qkhH":
        entry[name] = 0xFFFFFFFF
    for name in "cnfmFM":
        entry[name] = 32768 * 512
    for name in "sabvoz":
        entry[name] = 255
    entry["u"] = entry["i"] = 30 * 86400
    entry["t"] = [0xFFFFFFF, 9999, 9999, 90000]
    entry["x"] = entry["y"] = "f" * 40
    entry["e"] = "f" * 8
    return entry


def test_the_fullest_entry_fits_its_sector_and_reads_back():
    entry = _fullest()
    raw = journal.sealed(entry, journal.SECTOR)
    assert len(raw) == journal.SECTOR
    assert journal.unsealed(raw) == entry


def test_an_entry_that_is_too_long_is_none():
    entry = _fullest()
    entry["w"] = "x" * 400
    assert journal.sealed(entry, journal.SECTOR) is None


def test_of_two_slots_the_newer_valid_one_counts():
    old, new = (journal.sealed({"q": q, "p": journal.IDLE, "s": 1}, journal.SECTOR) for q in (3, 4))
    assert journal.newest(old, new)["q"] == journal.newest(new, old)["q"] == 4
    assert journal.newest(old, new[:-1] + b"x")["q"] == 3
    assert journal.newest(b"", b"\xff" * 512) == {"q": 0, "p": journal.IDLE, "s": 0}
