"""Device code as a board needs it: without comments, docstrings and wide layout; every name stays.

A Pico W's drive holds 490 KiB; the library's reasons and explanations are half of its source, and a board compiles every byte at each
start. Names stay, so that a traceback from a board still says where it was.
"""

from functools import cache


@cache
def strip(source: str) -> str:
    """Give the same program in fewer bytes.

    Raises:
        SyntaxError: it is no Python program.
    """
    from python_minifier import minify

    text: str = minify(source, remove_literal_statements=True, rename_locals=False, rename_globals=False, hoist_literals=False)
    return text + "\n"
