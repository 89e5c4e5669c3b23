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

# What comes next: O the listing's bracket, K a key or the end, V a value, E an entry or the end, C nothing. Commas and colons are skipped
# like white space, as the board's own json does: without them the meaning is the same.
_AFTER = {"O{": "K", "K}": "C", "E]": "K"}
_CLOSING = {"{": b"}", "[": b"]", '"': b'"'}
_HEX = "0123456789abcdef"


class ListingError(ValueError):
    """A listing that cannot be used.

    Attributes:
        code: "listing_truncated" (the host left entries out), "listing_cut" (it ended too early), "listing_long" (longer than a bound),
            "listing_format" (it is something else).
        detail: where, for people.
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

    def __init__(self, handler):
        self.entries = 0
        self.sha = ""
        self._handler = handler
        self._buf = bytearray(ENTRY_BYTES)
        self._start = 0  # _buf[_start:_end] is not yet understood
        self._end = 0
        self._scan = 0  # where to look for the end of the value that starts at _start; 0 if none was begun
        self._tries = 0
        self._total = 0
        self._state = "O"
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
            self._fail("long")
        while at < size:
            end = self._end
            if end == ENTRY_BYTES:
                end = self._make_room()
            take = min(size - at, ENTRY_BYTES - end)
            self._buf[end : end + take] = data[at : at + take]
            self._end = end + take
            at += take
            while self._start < self._end and self._step():
                pass

    def end(self) -> None:
        """Take the end of the stream.

        Raises:
            ListingError: "listing_cut": the listing is not whole; "listing_format": it is no listing.
        """
        if self._state != "C":
            self._fail("cut")
        if not self._seen_tree or not self._complete:
            self._fail("format")

    def _fail(self, code):
        raise ListingError("listing_" + code, "after %d entries, %d bytes" % (self.entries, self._total))

    def _make_room(self):
        start = self._start
        if start == 0:
            self._fail("long")
        size = ENTRY_BYTES - start
        self._buf[:size] = self._buf[start:]
        self._start = 0
        if self._scan:
            self._scan -= start
        return size

    def _step(self):
        """Understand one more thing; False if more bytes are needed for that."""
        char = chr(self._buf[self._start])
        state = self._state
        after = state if char in " \t\r\n,:" else _AFTER.get(state + char)
        if state == "V" and self._key == "tree" and char == "[" and not self._seen_tree:
            self._seen_tree = True
            after = "E"
        if after:
            self._start += 1
            self._state = after
        elif (state == "V" and self._key != "tree") or (state == "K" and char == '"') or (state == "E" and char == "{"):
            if not self._take(_CLOSING.get(char)):
                return False
            value = self._value
            if state == "K":
                self._key = value
                self._state = "V"
            elif state == "E":
                self._on_entry(value)
            else:
                self._on_value(self._key, value)
                self._state = "K"
        else:
            self._fail("format")
        return True

    def _take(self, closing):
        """Put the value that begins at _start into _value; False if its end is not here yet."""
        buf = self._buf
        start = self._start
        end = self._end
        scan = self._scan or start + 1
        while True:
            found = buf.find(closing or b"}", scan, end)
            stop = found + 1
            if not closing:
                # A number or a word has no end of its own.
                comma = buf.find(b",", scan, end)
                stop = found = comma if found < 0 or 0 <= comma < found else found
            if found < 0:
                self._scan = end
                return False
            scan = found + 1
            self._tries += 1
            if self._tries > BRACKETS or buf.count(b"{", start, stop) + buf.count(b"[", start, stop) > BRACKETS:
                self._fail("long")
            try:
                # bytes, because MicroPython checks the UTF-8 of bytes but not of a memoryview.
                self._value = json.loads(str(bytes(buf[start:stop]), "utf-8"))
            except UnicodeError:
                self._fail("format")  # a bracket or a quote is no part of a longer character, so more bytes would not help
            except ValueError:
                if closing:
                    continue
                self._fail("format")
            self._start = stop
            self._scan = self._tries = 0
            return True

    def _on_value(self, key, value):
        if key == "truncated":
            if value is not False:
                self._fail("truncated" if value is True else "format")
            self._complete = True
        elif key == "sha" and isinstance(value, str):
            self.sha = value

    def _on_entry(self, entry):
        get = entry.get
        path = get("path")
        mode = get("mode")
        kind = get("type")
        sha = get("sha")
        size = get("size") if kind == "blob" else 0
        if not (
            isinstance(path, str)
            and path
            and kind in ("blob", "tree", "commit")
            and _is(mode, 6, "01234567")
            and _is(sha, 40, _HEX)
            and type(size) is int  # a bool is an int for CPython's isinstance
            and size >= 0
        ):
            self._fail("format")
        try:
            path = _well_formed(path)
        except ValueError:
            self._fail("format")
        self.entries += 1
        if self.entries > ENTRIES:
            self._fail("long")
        self._handler(path, mode, kind, sha, size)


def _is(text, length, characters):
    return isinstance(text, str) and len(text) == length and not text.strip(characters)


def _well_formed(path):
    """Join surrogate pairs, which JSON on a board leaves as two code points, and raise ValueError for what no UTF-8 decoder lets through.

    Joined, the path is the one that Git has and that CPython reads; refused, a repository with one emoji in a name could not be installed.
    """
    if len(path.encode()) == len(path):
        return path
    whole = ""
    high = 0
    for char in path:
        code = ord(char)
        low = 0xDC00 <= code <= 0xDFFF
        # Half a pair, or an overlong form, which would hide a slash from a search for one.
        if low != bool(high) or chr(code) != char:
            raise ValueError
        if low:
            whole += chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00)
            high = 0
        elif 0xD800 <= code <= 0xDBFF:
            high = code
        else:
            whole += char
    if high:
        raise ValueError
    return whole
