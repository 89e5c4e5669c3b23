"""One repository for every shape of the Git host: the same ids wherever it is made."""

from pathlib import Path

from cota.git.make import Moded, commit_tree, create_branch, create_repository, create_tag

FIRST = {"code.py": b"print(1)\n", "lib/a.py": b"a = 1\n"}
SECOND = {
    "code.py": b"print(2)\n",
    "data.bin": bytes(range(256)),
    "empty": b"",
    "grüße/ä b%20.txt": b"umlaut",
    "lib/a.py": b"a = 1\n",
    "lib/deep/b.py": b"b = 2\n",
    "link": Moded(0o120000, b"lib/a.py"),
    "run.sh": Moded(0o100755, b"#!/bin/sh\n"),
    "sub": Moded(0o160000, b"1" * 40),
}
FILES = {name: data for name, data in SECOND.items() if name not in ("link", "sub")}


def content(name: str) -> bytes:
    data = SECOND[name]
    return data.content if isinstance(data, Moded) else data


def make(path: Path) -> tuple[str, str]:
    """Make it, and give its two commits."""
    create_repository(path)
    first = commit_tree(path, FIRST, "First")
    create_branch(path, "feature/new", first)
    create_tag(path, "v1.2.3", first)
    create_tag(path, "v1.10.0", first, "an annotated one")
    create_tag(path, "nightly", first)
    second = commit_tree(path, SECOND, "Second\n\nwith a body", "Zoë <z@example.org>", 1_700_000_100)
    return first, second
