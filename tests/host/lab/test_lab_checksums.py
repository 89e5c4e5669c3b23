"""Checksums in ThingsBoard's spelling, held to published values."""

import pytest

from cota.lab.data.checksums import ALGORITHMS, checksum

_FOX = b"The quick brown fox jumps over the lazy dog"


@pytest.mark.parametrize(
    ("algorithm", "data", "expected"),
    [
        ("CRC32", b"123456789", "2639f4cb"),
        ("MD5", b"", "d41d8cd98f00b204e9800998ecf8427e"),
        ("SHA256", b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("MURMUR3_32", b"", "00000000"),
        ("MURMUR3_32", b"hello", 0x248BFA47.to_bytes(4, "little").hex()),
        ("MURMUR3_32", b"hello, world", 0x149BBB7F.to_bytes(4, "little").hex()),
        ("MURMUR3_32", _FOX, 0x2E4FF723.to_bytes(4, "little").hex()),
        ("MURMUR3_128", b"hello", "029bbd41b3a7d8cb191dae486a901e5b"),
        ("MURMUR3_128", _FOX, 0xE34BBC7BBC071B6C.to_bytes(8, "little").hex() + 0x7A433CA9C49A9347.to_bytes(8, "little").hex()),
    ],
)
def test_a_checksum_is_spelled_as_thingsboard_spells_it(algorithm: str, data: bytes, expected: str) -> None:
    assert checksum(algorithm, data) == expected


@pytest.mark.parametrize(("algorithm", "digits"), [("SHA384", 96), ("SHA512", 128), ("MURMUR3_128", 32), ("CRC32", 8), ("MURMUR3_32", 8)])
def test_a_checksum_keeps_its_leading_zeros(algorithm: str, digits: int) -> None:
    assert {len(checksum(algorithm, i.to_bytes(2, "big") * i)) for i in range(300)} == {digits}
    assert algorithm in ALGORITHMS
