"""Whatever way a JSON writer spells a tree, the device reads the same entries."""

from __future__ import annotations

import json
from typing import Any

from device_modules import load
from hypothesis import given
from hypothesis import strategies as st

device = load("listing")

# Git paths: any Unicode but NUL and lone surrogates; brackets and quotes more often than chance would have them.
paths = st.text(
    alphabet=st.one_of(st.sampled_from('{}[]",:\\/ '), st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    min_size=1,
    max_size=40,
)
shas = st.text(alphabet="0123456789abcdef", min_size=40, max_size=40)
extras = st.dictionaries(
    st.sampled_from(["url", "a", "html_url", "nodes"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet='{}[]",\\ab', max_size=8), lambda inner: st.lists(inner, max_size=3)
    ),
    max_size=2,
)


KINDS = {"100644": "blob", "100755": "blob", "120000": "blob", "040000": "tree", "160000": "commit"}


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    kind, mode = draw(
        st.sampled_from([("blob", "100644"), ("blob", "100755"), ("blob", "120000"), ("tree", "040000"), ("commit", "160000")])
    )
    entry = {**draw(extras), "path": draw(paths), "mode": mode, "type": kind, "sha": draw(shas)}
    if kind == "blob":
        entry["size"] = draw(st.integers(0, 10**10))
    return dict(draw(st.permutations(list(entry.items()))))


@st.composite
def listings(draw: st.DrawFn) -> dict[str, Any]:
    listing = {**draw(extras), "sha": draw(shas), "tree": draw(st.lists(entries(), max_size=6)), "truncated": False}
    return dict(draw(st.permutations(list(listing.items()))))


def read(text: bytes, cuts: list[int]) -> tuple[list[tuple[Any, ...]], Any]:
    got: list[tuple[Any, ...]] = []
    listing = device.TreeListing(lambda *entry: got.append(entry))
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        listing.feed(memoryview(text)[start:end])
    listing.end()
    return got, listing


spellings = st.fixed_dictionaries(
    {
        "separators": st.sampled_from([None, (",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")]),
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "ensure_ascii": st.booleans(),
        "sort_keys": st.booleans(),
    }
)


@given(listings(), spellings, st.data())
def test_any_spelling_of_a_tree_gives_the_same_entries(tree: dict[str, Any], spelling: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(tree, **spelling).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    got, _ = read(text, cuts)
    assert got == [(e["path"], e["mode"], e["type"], e["sha"], e.get("size", 0)) for e in tree["tree"]]


@given(listings(), spellings, st.data())
def test_a_tree_that_is_cut_anywhere_is_never_taken_for_whole(tree: dict[str, Any], spelling: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(tree, **spelling).encode()
    cut = data.draw(st.integers(0, len(text) - 1))
    try:
        read(text[:cut], [])
    except device.ListingError as exc:
        assert exc.args[0] == "listing_cut"
    else:
        raise AssertionError("a listing without its end was taken for whole")


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_a_listing_or_our_own_error(noise: bytes, begun: bool) -> None:
    try:
        read(b'{"tree":[{' + noise if begun else noise, [])
    except device.ListingError as exc:
        assert exc.args[0] in ("listing_cut", "listing_format", "listing_long")
