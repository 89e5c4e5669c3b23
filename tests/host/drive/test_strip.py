"""What goes on a drive does what the source does; the end-to-end tests run it."""

import ast
from pathlib import Path

import pytest

from cota.drive.strip import strip
from cota.drive.tree import device_tree, drive_files

LIBRARY = sorted((device_tree() / "lib" / "ota").glob("*.py"))


def _names(source: str) -> set[str]:
    """Every name that the program defines or uses, its attributes and its arguments."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "arg", "name"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                names.add(value)
    return names


def _without_annotations(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.unparse(tree)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_name_stays_and_every_docstring_goes(path: Path) -> None:
    source = path.read_text()
    stripped = strip(source)
    assert _names(_without_annotations(stripped)) == _names(_without_annotations(source))
    nodes = [node for node in ast.walk(ast.parse(stripped)) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    assert [ast.get_docstring(node) for node in nodes if ast.get_docstring(node)] == []
    assert len(stripped) < len(source)


def test_comments_docstrings_and_wide_layout_go_and_strings_stay() -> None:
    source = 'def f(a):\n    """Doc."""\n    # why\n    if a:\n        return "    # not a comment"\n'
    assert strip(source) == "def f(a):\n\tif a:return'    # not a comment'\n"


def test_what_is_no_program_is_refused() -> None:
    with pytest.raises(SyntaxError):
        strip("def f(:\n")


def test_a_drive_gets_the_library_stripped_and_everything_else_as_it_is() -> None:
    files = drive_files(device_tree())
    assert files["boot.py"] == (device_tree() / "boot.py").read_bytes()
    assert files["main.py"] == (device_tree() / "main.py").read_bytes()
    assert b'"""' not in files["lib/ota/client.py"]
