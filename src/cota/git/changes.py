"""What differs between two trees."""

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cota.git.types import MODE_SUBMODULE, Change

if TYPE_CHECKING:
    from dulwich.object_store import BaseObjectStore
    from dulwich.objects import TreeEntry

# Files above this are not compared line by line: difflib's time grows with the square of the lines.
_MAX_COMPARED = 64 * 1024

_STATUS = {"add": "added", "delete": "removed", "modify": "modified", "unchanged": "modified"}


def between(store: "BaseObjectStore", before: str | None, after: str) -> Iterator[Change]:
    """Give the files that differ, by path.

    Args:
        store: Where both trees are.
        before: Tree id; None for no tree.
        after: Tree id.
    """
    from dulwich.diff_tree import tree_changes
    from dulwich.objects import ObjectID

    old_tree = None if before is None else ObjectID(before.encode("ascii"))
    for change in tree_changes(store, old_tree, ObjectID(after.encode("ascii"))):
        shown = change.new or change.old
        if shown is None or shown.path is None or shown.sha is None:
            continue
        came, went = _lines(_text(store, change.old), _text(store, change.new))
        yield Change(shown.path, _STATUS.get(change.type, "modified"), shown.sha.decode("ascii"), came, went)


def _text(store: "BaseObjectStore", entry: "TreeEntry | None") -> list[bytes] | None:
    """Give an entry's lines; none for no entry, None for what cannot be compared."""
    if entry is None or entry.sha is None:
        return []
    if entry.mode == MODE_SUBMODULE:
        return None
    data = store.get_raw(entry.sha)[1]
    return None if len(data) > _MAX_COMPARED or b"\0" in data else data.splitlines()


def _lines(old: list[bytes] | None, new: list[bytes] | None) -> tuple[int, int]:
    if old is None or new is None:
        return 0, 0
    came = went = 0
    for kind, old_start, old_end, new_start, new_end in difflib.SequenceMatcher(None, old, new, autojunk=True).get_opcodes():
        if kind != "equal":
            came, went = came + new_end - new_start, went + old_end - old_start
    return came, went
