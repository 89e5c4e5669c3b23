"""Device code as a board needs it: without comments, docstrings and blank lines, indented by one space.

A Pico W's drive holds 490 KiB; the library's reasons and explanations are most of its source, and a board compiles every byte at each
start. The meaning is unchanged: the text is written anew from its syntax tree, and a test compares the two trees.
"""

import ast
import re

_INDENT = 4  # spaces a level, as ast.unparse writes


def strip(source: str) -> str:
    """Give the same program in fewer bytes.

    Raises:
        SyntaxError: it is no Python program.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and _has_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.arg):
            node.annotation = None
    # unparse writes every string on one line once no docstring is left, so leading spaces are indentation only.
    text = re.sub(r"^( +)", lambda spaces: " " * (len(spaces[1]) // _INDENT), ast.unparse(tree), flags=re.MULTILINE)
    return text + "\n"


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
