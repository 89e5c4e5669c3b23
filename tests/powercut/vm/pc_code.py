"""Compiled code, kept by its text: a board compiles its library at every start, and a sweep starts boards by the thousand.

The text is read from the drive each time, as by a board; only its parsing is spared. What cannot be read that way is left to the VM.
"""

import builtins
import sys

_codes = {}
_exec = exec
_compile = compile
_import = __import__
_PACKAGE = "ota"
_FOLDER = "/lib/" + _PACKAGE + "/"


def _code(text, name="drive"):
    code = _codes.get(text)
    if code is None:
        code = _codes[text] = _compile(text, name, "exec")
    return code


def run(path, scope):
    """Execute a file of the drive."""
    with open(path, "rb") as file:
        text = file.read()
    _exec(_code(text, path), scope)


class _Module:
    """A module of the library; the VM makes none of its own kind without a file."""

    def __init__(self, scope):
        self.scope = scope

    def __getattr__(self, name):
        try:
            return self.scope[name]
        except KeyError:
            raise AttributeError(name) from None


def _load(name):
    module = sys.modules.get(name)
    if module is None:
        path = _FOLDER + (name[len(_PACKAGE) + 1 :] or "__init__") + ".py"
        module = sys.modules[name] = _Module({"__name__": name, "__file__": path})
        try:
            run(path, module.scope)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        for key in module.scope:
            setattr(module, key, module.scope[key])
    return module


def _import_from_drive(name, scope=None, local=None, names=None, level=0):
    full = name
    if level:  # the library has no folders
        full = _PACKAGE + "." + name if name else _PACKAGE
    if full.split(".")[0] != _PACKAGE:
        return _import(name, scope, local, names, level)
    package = _load(_PACKAGE)
    module = package
    if full != _PACKAGE:
        module = _load(full)
        setattr(package, full[len(_PACKAGE) + 1 :], module)
    if not names:
        return package
    for each in names:
        if module is package and not hasattr(package, each):
            try:
                setattr(package, each, _load(_PACKAGE + "." + each))
            except OSError:
                raise ImportError(each) from None
    return module


def _execute(code, scope=None, local=None):
    if not isinstance(code, (str, bytes)):
        return _exec(code, scope)
    return _exec(_code(code), {} if scope is None else scope)


def install():
    """Take the place of the VM's own import, exec and compile."""
    builtins.__import__ = _import_from_drive
    builtins.exec = _execute
    builtins.compile = lambda text, name, mode: _code(text, name)
