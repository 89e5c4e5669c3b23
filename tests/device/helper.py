"""What device tests share. It runs in every VM, so there is no pytest in it."""


def raises(kind, function, *arguments):
    """The exception of this kind that function(*arguments) raises; an AssertionError if it raises none."""
    try:
        result = function(*arguments)
    except kind as exc:
        return exc
    raise AssertionError("%s expected, but it returned %r" % (kind.__name__, result))


def lines(path):
    """The lines of a vector file that are neither empty nor comments, one at a time, because a board could not hold them all."""
    with open(path) as file:
        for line in file:
            line = line.strip()
            if line and line[0] != "#":
                yield line


def utf8(parts):
    """The bytes that a vector describes: a list of texts, and [text, count] pairs for repetitions."""
    out = bytearray()
    for part in parts:
        text, count = (part, 1) if isinstance(part, str) else part
        out += text.encode() * count
    return out


def latin(parts):
    """The same with one character a byte."""
    out = bytearray()
    for part in parts:
        text, count = (part, 1) if isinstance(part, str) else part
        piece = bytearray()
        for char in text:
            piece.append(ord(char))
        piece = bytes(piece)
        for _ in range(count):
            out += piece
    return out


def pieces(raw, first, step):
    """The bytes, first `first` of them, then `step` at a time: one piece in memory at a time."""
    if first:
        yield raw[:first]
    for at in range(first, len(raw), step):
        yield raw[at : at + step]
