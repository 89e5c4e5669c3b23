"""CircuitPython's reader of settings.toml: byte by byte for one key, blind to everything that it does not need.

The rules are those of CircuitPython 10 (docs/environment.rst and its measured behaviour): only bare keys before the first line that starts
with `[`, the first match wins, basic strings with escapes, everything else is taken as bare text up to a comment or the line's end.
"""

_SPACE = b" \t\v\f\r"
_ESCAPES = {ord("b"): 8, ord("r"): 13, ord("n"): 10, ord("t"): 9, ord("v"): 11}


def _skip(line, at):
    while at < len(line) and line[at] in _SPACE:
        at += 1
    return at


def _string(line, at):
    out = bytearray()
    while True:
        if at >= len(line) or line[at] == 10:
            raise ValueError("Invalid string in settings.toml")
        c = line[at]
        at += 1
        if c == 34:
            at = _skip(line, at)
            if at < len(line) and line[at] not in b"#\n":
                raise ValueError("Invalid byte after string in settings.toml")
            return bytes(out).decode()
        if c == 92:
            if at >= len(line) or line[at] == 10:
                raise ValueError("Invalid string in settings.toml")
            c = line[at]
            at += 1
            if c == 117 or c == 85:
                digits = 4 if c == 117 else 8
                try:
                    out.extend(chr(int(line[at : at + digits].decode(), 16)).encode())
                except (ValueError, OverflowError):
                    raise ValueError("Invalid unicode escape in settings.toml")
                at += digits
                continue
            c = _ESCAPES.get(c, c)
        out.append(c)


def find(path, key):
    """Look a key up.

    Returns:
        None where there is no such key or no such file; else (quoted, text).

    Raises:
        ValueError: the key is there and its value is not well formed.
    """
    wanted = key.encode()
    try:
        f = open(path, "rb")
    except OSError:
        return None
    try:
        while True:
            line = f.readline()
            if not line:
                return None
            at = _skip(line, 0)
            if line[at : at + 1] == b"[":
                return None
            if not wanted or line[at : at + len(wanted)] != wanted:
                continue
            at = _skip(line, at + len(wanted))
            if line[at : at + 1] != b"=":
                continue
            at = _skip(line, at + 1)
            if line[at : at + 1] == b'"':
                return True, _string(line, at + 1)
            return False, line[at:].split(b"#")[0].strip().decode()
    finally:
        f.close()


def typed(path, key):
    """The value as `supervisor.get_setting` gives it: int, bool or str; None where there is none."""
    found = find(path, key)
    if found is None:
        return None
    quoted, text = found
    if quoted:
        return text
    if text == "true" or text == "false":
        return text == "true"
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError("Invalid value in settings.toml: " + key)
