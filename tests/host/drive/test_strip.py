"""What goes on a drive means what the source means."""

import ast
from pathlib import Path

import pytest

from cota.drive.strip import strip
from cota.drive.tree import device_tree, drive_files

LIBRARY = sorted((device_tree() / "lib" / "ota").glob("*.py"))


def _meaning(source: str) -> str:
    """The syntax tree without what does nothing: docstrings and the annotations of arguments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
            node.body = node.body or [ast.Pass()]
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(tree)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_stripped_module_means_the_same(path: Path) -> None:
    source = path.read_text()
    stripped = strip(source)
    assert _meaning(stripped) == _meaning(source)
    assert len(stripped) < len(source)


def test_comments_docstrings_and_wide_indentation_go_and_strings_stay() -> None:
    source = (
        'def f(a: int):\n    """Doc."""\n    # why\n    if a:\n        return "    # not a comment"\n\n\nclass C:\n    """Only this."""\n'
    )
    assert strip(source) == "def f(a):\n if a:\n  return '    # not a comment'\n\nclass C:\n pass\n"


def test_a_drive_gets_the_library_stripped_and_everything_else_as_it_is() -> None:
    files = drive_files(device_tree())
    assert files["boot.py"] == (device_tree() / "boot.py").read_bytes()
    assert files["main.py"] == (device_tree() / "main.py").read_bytes()
    assert b'"""' not in files["lib/ota/client.py"]
