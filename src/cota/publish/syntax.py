"""Whether CircuitPython could compile a program, as far as CPython can tell.

CPython's own compiler finds what is no Python at all. CircuitPython's grammar is MicroPython's, which is Python 3.4 with most of what came
since and without the rest; a test holds the list below against the real MicroPython.
"""

import ast
import warnings
from collections.abc import Iterator

# Grammar of this version has the walrus, and neither `match`, `except*`, `type`, nor parentheses around the managers of a `with`.
_GRAMMAR = (3, 8)


def problem(source: bytes) -> str | None:
    """Say what is wrong with a program and in which line; None where nothing is."""
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"line {source[: error.start].count(10) + 1}: not UTF-8"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a release, not of ours
        try:
            compile(text, "<release>", "exec", dont_inherit=True)
        except SyntaxError as error:
            return f"line {error.lineno or 1}: {error.msg}"
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            return f"it cannot be compiled: {error}"
        try:
            tree = ast.parse(text, feature_version=_GRAMMAR)
        except SyntaxError as error:
            return f"line {error.lineno or 1}: CircuitPython has no such syntax ({error.msg})"
    return next(_lacking(tree), None)


def _lacking(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        what = _what_lacks(node)
        if what:
            yield f"line {getattr(node, 'lineno', 1)}: CircuitPython has no {what}"


def _what_lacks(node: ast.AST) -> str | None:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if node.args.posonlyargs:
            return "positional-only parameters (/)"
        case ast.List(ctx=ast.Load()) | ast.Tuple(ctx=ast.Load()) | ast.Set() if any(isinstance(one, ast.Starred) for one in node.elts):
            return "unpacking (*) in a list, tuple or set; use list(…) and +"
        case ast.Dict() if None in node.keys:
            return "unpacking (**) in a dict; use dict(…) and update"
        case ast.FormattedValue(conversion=97):
            return "!a in an f-string"
        case ast.FormattedValue() if any(isinstance(inner, ast.Lambda) for inner in ast.walk(node.value)):
            return "lambda in an f-string"
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() if any(one.is_async for one in node.generators):
            return "async comprehensions"
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() if any(
            isinstance(inner, ast.Await) for inner in ast.walk(node)
        ):
            return "await in a comprehension"
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if not all(map(_is_plain_decorator, node.decorator_list)):
            return "decorators that are more than a name or a call"
    return None


def _is_plain_decorator(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
