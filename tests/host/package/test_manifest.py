"""The text manifest: the vectors that board and host share, and whatever else may come."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cota.package import manifest as format_
from cota.package.manifest import MAX_FILES, MAX_LINE, Manifest, ManifestError, ManifestFile, Reader, read, write
from cota.package.paths import MAX_PART, MAX_PATH

VECTORS = Path(__file__).parents[2] / "vectors/manifest"
ACCEPTED = json.loads((VECTORS / "accepted.json").read_text(encoding="utf-8"))
REFUSED = json.loads((VECTORS / "refused.json").read_text(encoding="utf-8"))
WHOLE = (VECTORS / "accepted_all_keys_in_any_order.manifest").read_bytes()

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
values = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=60).filter(
    lambda t: t == t.strip(" ")
)
files = st.lists(st.builds(ManifestFile, paths, st.integers(0, 999_999), digests), min_size=1, max_size=12)


def manifest_of(name: str) -> Manifest:
    value = ACCEPTED[name]
    return Manifest(tuple(ManifestFile(*file) for file in value["files"]), value["title"], value["version"], value["commit"])


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_what_the_definition_allows_is_read(name: str) -> None:
    data = (VECTORS / f"accepted_{name}.manifest").read_bytes()
    assert read([data]) == manifest_of(name)
    assert read(bytes([byte]) for byte in data) == manifest_of(name)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_the_definition_does_not_allow_is_refused_at_its_line(name: str) -> None:
    data = (VECTORS / f"refused_{name}.manifest").read_bytes()
    for chunks in ([data], [bytes([byte]) for byte in data]):
        with pytest.raises(ManifestError) as caught:
            read(chunks)
        assert [caught.value.code, caught.value.line] == REFUSED[name]
        assert f"Line {caught.value.line} " in caught.value.message


def test_every_vector_is_named_by_its_lists() -> None:
    named = {f"accepted_{name}.manifest" for name in ACCEPTED} | {f"refused_{name}.manifest" for name in REFUSED}
    assert {path.name for path in VECTORS.glob("*.manifest")} == named
    assert all(name.startswith(code) for name, (code, _) in REFUSED.items())


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_a_manifest_that_is_cut_anywhere_is_refused(name: str) -> None:
    data = (VECTORS / f"accepted_{name}.manifest").read_bytes()
    for end in range(len(data)):
        with pytest.raises(ManifestError):
            read([data[:end]])


def test_two_manifests_in_one_stream_are_refused() -> None:
    with pytest.raises(ManifestError):
        read([WHOLE, WHOLE])
    with pytest.raises(ManifestError):
        read([WHOLE, b"\n"])


def test_a_manifest_of_as_many_files_as_a_board_takes_is_read_and_one_more_is_not() -> None:
    most = tuple(ManifestFile(f"{number:04}.py", 1, "a" * 64) for number in range(MAX_FILES))
    assert read([write(Manifest(most))]).total == MAX_FILES
    with pytest.raises(ManifestError) as caught:
        write(Manifest((*most, ManifestFile("z.py", 1, "a" * 64))))
    assert caught.value.code == "key"


@given(found=files, title=values, version=values, data=st.data())
def test_what_is_written_is_read_again_in_any_pieces_and_from_any_order(
    found: list[ManifestFile], title: str | None, version: str | None, data: st.DataObject
) -> None:
    manifest = Manifest(tuple(found), title, version)
    try:
        written = write(manifest)
    except ManifestError:
        return  # not a release that a drive could hold, which the vectors say more of
    assert written == write(Manifest(tuple(data.draw(st.permutations(found))), title, version))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=5)))
    pieces = [written[start:end] for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    again = read(pieces)
    assert (again.title, again.version, again.commit) == (title, version, None)
    assert sorted(again.files, key=lambda file: file.path) == sorted(found, key=lambda file: file.path)
    assert [file.path.encode() for file in again.files] == sorted(file.path.encode() for file in found)


def test_the_written_form_of_plain_files_is_never_refused() -> None:
    plain = tuple(ManifestFile(f"lib/{letter}.py", number, "0" * 64) for number, letter in enumerate("zyx"))
    assert write(Manifest(plain, "Greenhouse", "v1", "0" * 40)).decode().splitlines() == [
        "cota-manifest 1",
        "title Greenhouse",
        "version v1",
        f"commit {'0' * 40}",
        "files 3",
        "bytes 3",
        "",
        f"{'0' * 64} 2 lib/x.py",
        f"{'0' * 64} 1 lib/y.py",
        f"{'0' * 64} 0 lib/z.py",
    ]


def refused_or_read(chunks: list[bytes]) -> Manifest | None:
    """Read, and make sure that nothing but our error leaves the reader and that it holds no more than a line."""
    reader, found = Reader(), []
    try:
        for chunk in chunks:
            found += reader.feed(chunk)
            assert reader.held < MAX_LINE
        head = reader.end()
    except ManifestError:
        return None
    return Manifest(tuple(found), head.title, head.version, head.commit)


@given(chunks=st.lists(st.binary(max_size=400), max_size=8))
@example(chunks=[b"cota-manifest 1\n" + b"x" * 10_000])
def test_any_bytes_are_refused_or_read_with_a_bounded_buffer(chunks: list[bytes]) -> None:
    refused_or_read(chunks)


@given(data=st.data(), name=st.sampled_from(sorted(ACCEPTED)))
def test_a_damaged_manifest_is_refused_or_is_another_good_one(data: st.DataObject, name: str) -> None:
    good = bytearray((VECTORS / f"accepted_{name}.manifest").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(good) - 1))
        kind = data.draw(st.sampled_from(["change", "insert", "delete", "repeat"]))
        if kind == "change":
            good[place] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            good[place:place] = data.draw(st.sampled_from([b"\n", b" ", b"\0", b"\r", b"0", b"/", b"..", b"\xff"]))
        elif kind == "delete":
            del good[place : place + data.draw(st.integers(1, 80))]
        else:
            good[place:place] = good[place : place + data.draw(st.integers(1, 80))]
        if not good:
            break
    manifest = refused_or_read([bytes(good)])
    if manifest is not None:
        assert read([write(manifest)]) == manifest


def test_the_page_defines_what_the_reader_does() -> None:
    page = (Path(__file__).parents[3] / "docs/manifest.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```text\n(cota-manifest 1\n.*?)```", page, re.DOTALL)
    assert read([example.encode()]).total == 17
    told = {code for row in re.findall(r"(?m)^\| ((?:`[a-z_]+`(?:, )?)+) \| [^|]*\|$", page) for code in re.findall("`(.*?)`", row)}
    assert told == {code for code, _ in REFUSED.values()} == set(format_._SENTENCES)
    for limit in (MAX_LINE, MAX_FILES, format_.MAX_BYTES, format_.MAX_KEYS, format_.MAX_VALUE, MAX_PATH, MAX_PART):
        assert re.search(rf"\b{limit}\b", page), limit
