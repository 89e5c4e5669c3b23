"""Text of others on a terminal."""


def printable(text: str) -> str:
    """Give text without control characters: a device's name or error must not move the cursor or colour the screen of who reads it.

    Line feeds stay, because messages of ours have them; everything else that is not printable shows as its escape.
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def one_line(text: object) -> str:
    """Give what stands in a table's cell: printable, without line feeds."""
    return printable(str(text).replace("\n", " "))
