"""Read a Git host's listing of a tree (GitHub: GET /repos/.../git/trees/...) as a stream, one entry in memory at a time.

    {"sha": "...", "url": "...",
     "tree": [{"path": "...", "mode": "100644", "type": "blob", "sha": "...", "size": 12, "url": "..."}, ...],
     "truncated": false}

The keys may come in any order, with any white space. An entry starts at `{`, and at every `}` after it the text so far is given to
json.loads: inside a string or a nested object that fails, and the next `}` is tried. So no byte of an entry is looked at in Python.
"""

import json

# A peer sizes all of these.
ENTRY_BYTES = 2048  # one entry: a path of 255 characters, each as \uXXXX, and GitHub's long url beside it
BRACKETS = 64  # opening or closing ones in one entry, its path included: each costs heap or one more attempt
ENTRIES = 100000  # GitHub's own limit for a recursive listing
LISTING_BYTES = 33554432  # GitHub stops at 7 MB

# What may come next, without its white space; the values of the table are the states that follow.
_OPEN = 0
_FIRST_KEY = 1
_KEY = 2
_COLON = 3
_VALUE = 4
_NEXT_KEY = 5
_FIRST_ENTRY = 6
_ENTRY = 7
_NEXT_ENTRY = 8
_CLOSED = 9
_PUNCTUATION = {
    _OPEN: {"{": _FIRST_KEY},
    _FIRST_KEY: {"}": _CLOSED},
    _KEY: {},
    _COLON: {":": _VALUE},
    _VALUE: {},
    _NEXT_KEY: {",": _KEY, "}": _CLOSED},
    _FIRST_ENTRY: {"]": _NEXT_KEY},
    _ENTRY: {},
    _NEXT_ENTRY: {",": _ENTRY, "]": _NEXT_KEY},
    _CLOSED: {},
}
_CLOSING = {"{": b"}", "[": b"]", '"': b'"'}


class ListingError(ValueError):
    """A listing that cannot be used.

    Attributes:
        code: "listing_truncated" (the host left entries out), "listing_cut" (it ended too early), "listing_long", "listing_format".
        detail: one sentence for people.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class TreeListing:
    """Call `handler(path, mode, kind, sha, size)` for each entry of the listing that is fed in.

    `mode` is a string of six octal digits, `kind` is "blob", "tree" or "commit", `sha` is 40 lower-case hex digits, `size` is in bytes and
    0 for what is no blob. The path is as Git has it: whether a drive can hold it is for others to say. Until `end` has returned the listing
    may still prove incomplete, so do nothing on the strength of an entry that cannot be undone.

    Attributes:
        entries: how many entries came so far.
        sha: what the listing says about itself: the tree's sha, or "".
    """

    def __init__(self, handler) -> None:  # type: ignore[no-untyped-def]  # devices have no typing.Callable
        self.entries = 0
        self.sha = ""
        self._handler = handler
        self._buf = bytearray(ENTRY_BYTES)
        self._start = 0  # _buf[_start:_end] is not yet understood
        self._end = 0
        self._scan = 0  # where to look for the end of the value that starts at _start; 0 if none was begun
        self._tries = 0
        self._total = 0
        self._state = _OPEN
        self._key = ""
        self._value = None
        self._complete = False
        self._seen_tree = False

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes; a memoryview is taken without another copy.

        Raises:
            ListingError: no use reading on.
        """
        at = 0
        size = len(data)
        self._total += size
        if self._total > LISTING_BYTES:
            raise ListingError("listing_long", "the listing is longer than %d bytes" % LISTING_BYTES)
        while at < size:
            if self._end == ENTRY_BYTES:
                self._make_room()
            take = min(size - at, ENTRY_BYTES - self._end)
            self._buf[self._end : self._end + take] = data[at : at + take]
            self._end += take
            at += take
            while self._start < self._end and self._step():
                pass

    def end(self) -> None:
        """Take the end of the stream.

        Raises:
            ListingError: "listing_cut": the listing is not whole; "listing_format": it is no listing.
        """
        if self._state != _CLOSED:
            raise ListingError("listing_cut", "the listing ended after %d entries, before its end" % self.entries)
        if not self._seen_tree or not self._complete:
            raise ListingError("listing_format", "the answer is JSON but no listing: tree or truncated is missing")

    def _make_room(self) -> None:
        start = self._start
        if start == 0:
            raise ListingError("listing_long", "one entry is longer than %d bytes" % ENTRY_BYTES)
        size = self._end - start
        self._buf[:size] = self._buf[start : self._end]
        self._start = 0
        self._end = size
        if self._scan:
            self._scan -= start

    def _step(self) -> bool:
        """Understand one more thing; False if more bytes are needed for that."""
        buf = self._buf
        state = self._state
        byte = buf[self._start]
        if byte <= 32:
            if byte not in b" \t\r\n":
                self._bad()
            self._start += 1
            return True
        char = chr(byte)
        after = _PUNCTUATION[state].get(char)
        if after is not None:
            self._start += 1
            self._state = after
        elif char == '"' and state in (_KEY, _FIRST_KEY):
            if not self._take(char):
                return False
            self._key = self._value
            self._state = _COLON
        elif char == "{" and state in (_ENTRY, _FIRST_ENTRY):
            if not self._take(char):
                return False
            self._on_entry(self._value)
            self._state = _NEXT_ENTRY
        elif state == _VALUE and self._key == "tree":
            if char != "[" or self._seen_tree:
                self._bad()
            self._seen_tree = True
            self._start += 1
            self._state = _FIRST_ENTRY
        elif state == _VALUE:
            if not self._take(char):
                return False
            self._on_value(self._key, self._value)
            self._state = _NEXT_KEY
        else:
            self._bad()
        return True

    def _take(self, char: str) -> bool:
        """Put the value that begins with `char` at _start into _value; False if its end is not here yet."""
        buf = self._buf
        scan = self._scan or self._start + 1
        closing = _CLOSING.get(char)
        while True:
            if closing is None:
                # A number or a word has no end of its own.
                found = buf.find(b"}", scan, self._end)
                comma = buf.find(b",", scan, self._end)
                stop = found = comma if found < 0 or 0 <= comma < found else found
            else:
                found = buf.find(closing, scan, self._end)
                stop = found + 1
            if found < 0:
                self._scan = self._end
                return False
            scan = found + 1
            self._tries += 1
            if self._tries > BRACKETS or buf.count(b"{", self._start, stop) + buf.count(b"[", self._start, stop) > BRACKETS:
                raise ListingError("listing_long", "one entry holds more than %d brackets" % BRACKETS)
            try:
                # bytes, because MicroPython checks the UTF-8 of bytes but not of a memoryview.
                self._value = json.loads(str(bytes(buf[self._start : stop]), "utf-8"))
            except UnicodeError:
                self._bad()  # a bracket or a quote is no part of a longer character, so more bytes would not help
            except ValueError:
                if closing is None:
                    self._bad()
                continue
            self._start = stop
            self._scan = 0
            self._tries = 0
            return True

    def _on_value(self, key: str, value: object) -> None:
        if key == "truncated":
            if value is True:
                raise ListingError("listing_truncated", "the host left entries out of the listing because the tree is too large")
            if value is not False:
                self._bad()
            self._complete = True
        elif key == "sha" and isinstance(value, str):
            self.sha = value

    def _on_entry(self, entry: dict[str, object]) -> None:
        get = entry.get
        path = get("path")
        mode = get("mode")
        kind = get("type")
        sha = get("sha")
        size = get("size", 0)
        if not isinstance(path, str) or not path:
            self._bad()
        if not isinstance(mode, str) or len(mode) != 6 or mode.strip("01234567"):
            self._bad()
        if not isinstance(sha, str) or len(sha) != 40 or sha.strip("0123456789abcdef"):
            self._bad()
        # A bool is an int on CPython; a blob without a size cannot be planned for.
        if type(size) is not int or size < 0 or (kind == "blob" and "size" not in entry):
            self._bad()
        if kind not in ("blob", "tree", "commit"):
            self._bad()
        self.entries += 1
        if self.entries > ENTRIES:
            raise ListingError("listing_long", "the listing has more than %d entries" % ENTRIES)
        self._handler(_well_formed(path), mode, kind, sha, size if kind == "blob" else 0)

    def _bad(self) -> None:
        raise ListingError("listing_format", "the answer is no listing, or a broken one, after %d entries" % self.entries)


def _well_formed(path: str) -> str:
    """Join surrogate pairs, which JSON on a board leaves as two code points, and refuse what no UTF-8 decoder should have let through.

    Joined, the path is the one that Git has and that CPython reads; refused, a repository with one emoji in a name could not be installed.
    """
    try:
        if len(path.encode()) == len(path):
            return path
        whole = ""
        high = 0
        for char in path:
            code = ord(char)
            if chr(code) != char:
                raise ValueError  # an overlong form, which would hide a slash from a search for one
            low = 0xDC00 <= code <= 0xDFFF
            if low != bool(high):
                raise ValueError  # half a pair
            if low:
                whole += chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00)
                high = 0
            elif 0xD800 <= code <= 0xDBFF:
                high = code
            else:
                whole += char
        if high:
            raise ValueError
    except ValueError:
        raise ListingError("listing_format", "a path in the listing is not Unicode") from None
    return whole
