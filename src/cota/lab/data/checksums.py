"""The checksums of OTA packages, spelled as ThingsBoard spells them.

MD5 and SHA are ordinary hex. CRC32 and MURMUR3 are the hex of Guava's HashCode, which is little-endian: the CRC-32 of
`123456789` is `2639f4cb` there, not `cbf43926`.
"""

import hashlib
import struct
import zlib

_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF


def checksum(algorithm: str, data: bytes) -> str:
    """Return a package's checksum in ThingsBoard's spelling.

    Raises:
        KeyError: No such algorithm.
    """
    return _ALGORITHMS[algorithm](data)


def _rotate(value: int, bits: int, width: int) -> int:
    return ((value << bits) | (value >> (width - bits))) & ((1 << width) - 1)


def murmur3_32(data: bytes) -> int:
    """Return MurmurHash3_x86_32 with seed 0."""
    state = 0
    whole = len(data) & ~3
    for (block,) in struct.iter_unpack("<I", data[:whole]):
        mixed = _rotate(block * 0xCC9E2D51 & _MASK32, 15, 32) * 0x1B873593 & _MASK32
        state = (_rotate(state ^ mixed, 13, 32) * 5 + 0xE6546B64) & _MASK32
    tail = int.from_bytes(data[whole:], "little")
    state ^= _rotate(tail * 0xCC9E2D51 & _MASK32, 15, 32) * 0x1B873593 & _MASK32
    state ^= len(data) & _MASK32
    state = (state ^ state >> 16) * 0x85EBCA6B & _MASK32
    state = (state ^ state >> 13) * 0xC2B2AE35 & _MASK32
    return state ^ state >> 16


def _finish64(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK64
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK64
    return value ^ value >> 33


def murmur3_128(data: bytes) -> bytes:
    """Return MurmurHash3_x64_128 with seed 0 as its 16 bytes, low word first."""
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1 = h2 = 0
    whole = len(data) & ~15
    for k1, k2 in struct.iter_unpack("<QQ", data[:whole]):
        h1 ^= _rotate(k1 * c1 & _MASK64, 31, 64) * c2 & _MASK64
        h1 = ((_rotate(h1, 27, 64) + h2) * 5 + 0x52DCE729) & _MASK64
        h2 ^= _rotate(k2 * c2 & _MASK64, 33, 64) * c1 & _MASK64
        h2 = ((_rotate(h2, 31, 64) + h1) * 5 + 0x38495AB5) & _MASK64
    low, high = struct.unpack("<QQ", data[whole:].ljust(16, b"\0"))
    h2 ^= _rotate(high * c2 & _MASK64, 33, 64) * c1 & _MASK64
    h1 ^= _rotate(low * c1 & _MASK64, 31, 64) * c2 & _MASK64
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & _MASK64
    h2 = (h2 + h1) & _MASK64
    h1, h2 = _finish64(h1), _finish64(h2)
    h1 = (h1 + h2) & _MASK64
    h2 = (h2 + h1) & _MASK64
    return struct.pack("<QQ", h1, h2)


_ALGORITHMS = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA256": lambda data: hashlib.sha256(data).hexdigest(),
    "SHA384": lambda data: hashlib.sha384(data).hexdigest(),
    "SHA512": lambda data: hashlib.sha512(data).hexdigest(),
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "little").hex(),
    "MURMUR3_32": lambda data: murmur3_32(data).to_bytes(4, "little").hex(),
    "MURMUR3_128": lambda data: murmur3_128(data).hex(),
}
ALGORITHMS = frozenset(_ALGORITHMS)
