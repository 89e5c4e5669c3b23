"""`traceback` as CircuitPython has it: print_exception and format_exception."""

import simboard as _board


def _error(exc, value):
    return exc if value is None else value


def format_exception(exc, value=None, tb=None, limit=None, chain=True):
    return [line + "\n" for line in _board.format_exception(_error(exc, value)).rstrip("\n").split("\n")]


def print_exception(exc, value=None, tb=None, limit=None, file=None, chain=True):
    text = _board.format_exception(_error(exc, value))
    if file is None:
        print(text.rstrip("\n"))
    else:
        file.write(text)
