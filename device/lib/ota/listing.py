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
LISTING_BYTES = 33554432  # GitHub stops at 7 MB and 100,000 entries

# What comes next: O the listing's bracket, K a key or the end, V a value, E an entry or the end, C nothing. Commas and colons are skipped
# like white space, as the board's own json does: without them the meaning is the same.
_AFTER = {"O{": "K", "K}": "C", "E]": "K", "K": "V", "V": "K", "E": "E"}
_BEGINS = ('K"', "E{")  # a key, an entry
_CLOSING = {"{": b"}", "[": b"]", '"': b'"'}
_WORD = b"+-.0123456789Eaeflnrstu"  # the characters of numbers, true, false and null


class ListingError(ValueError):
    """A listing that cannot be used.

    Its two arguments are "listing_truncated" (the host left entries out), "listing_cut" (it ended too early), "listing_long" (longer than a
    bound) or "listing_format" (it is something else), and where, for people.
    """


class TreeListing:
    """Call `handler(path, mode, kind, sha, size)` for each entry of the listing that is fed in.

    `mode` is a string of six octal digits, `kind` is "blob", "tree" or "commit", `sha` is 40 lower-case hex digits, `size` is in bytes and
    0 for what is no blob. The path is as Git has it: whether a drive can hold it is for others to say. Until `end` has returned the listing
    may still prove incomplete, so do nothing on the strength of an entry that cannot be undone.
    """

    def __init__(self, handler):
        self._handler = handler
        self._buf = bytearray(ENTRY_BYTES)
        self._start = self._end = 0  # _buf[_start:_end] is not yet understood
        self._scan = 1  # where to look for the end of the value that starts at _start, counted from there
        self._tries = 0
        self._total = 0
        self._state = "O"
        self._key = ""
        self._value = None
        self._complete = self._seen_tree = False

    def feed(self, data):
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
            if self._end == ENTRY_BYTES:
                if self._start == 0:
                    self._fail("long")
                self._end -= self._start
                self._buf[: self._end] = self._buf[self._start :]
                self._start = 0
            take = min(size - at, ENTRY_BYTES - self._end)
            self._buf[self._end : self._end + take] = data[at : at + take]
            self._end += take
            at += take
            while self._start < self._end and self._step():
                pass

    def end(self):
        """Take the end of the stream.

        Raises:
            ListingError: "listing_cut": the listing is not whole; "listing_format": it is no listing.
        """
        if self._state != "C":
            self._fail("cut")
        if not self._seen_tree or not self._complete:
            self._fail("format")

    def _fail(self, code):
        raise ListingError("listing_" + code, "after " + str(self._total) + " bytes")

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
        elif state + char in _BEGINS or (state == "V" and self._key != "tree"):
            if not self._take(_CLOSING.get(char)):
                return False
            after = _AFTER[state]
            if state == "K":
                self._key = self._value
            elif state == "E":
                self._on_entry(self._value)
            elif self._key == "truncated":
                if self._value is not False:
                    self._fail("truncated" if self._value is True else "format")
                self._complete = True
        else:
            self._fail("format")
        self._state = after
        return True

    def _take(self, closing):
        """Put the value that begins at _start into _value, and go behind it; False if its end is not here yet."""
        buf = self._buf
        start = self._start
        end = self._end
        while True:
            if closing:
                stop = buf.find(closing, start + self._scan, end) + 1
            else:  # a number or a word ends before the first character that can be in none
                rest = len(bytes(buf[start:end]).lstrip(_WORD))
                stop = rest and end - rest
            if not stop:
                self._scan = end - start
                return False
            self._scan = stop - start
            self._tries += 1
            if self._tries > BRACKETS or buf.count(b"{", start, stop) + buf.count(b"[", start, stop) > BRACKETS:
                self._fail("long")
            try:
                # bytes, because MicroPython checks the UTF-8 of bytes but not of a memoryview.
                self._value = json.loads(str(bytes(buf[start:stop]), "utf-8"))
                break
            except UnicodeError:
                self._fail("format")  # a bracket or a quote is no part of a longer character, so more bytes would not help
            except ValueError:
                if not closing:
                    self._fail("format")
        self._start = stop
        self._scan = 1
        self._tries = 0
        return True

    def _on_entry(self, entry):
        path, mode, kind, sha = [entry.get(name) for name in ("path", "mode", "type", "sha")]
        size = entry.get("size") if kind == "blob" else 0
        if kind not in ("blob", "tree", "commit") or not _is(mode, 6, "01234567") or not _is(sha, 40, "0123456789abcdef"):
            self._fail("format")
        if not path or not isinstance(path, str) or type(size) is not int or size < 0:  # a bool is an int for CPython's isinstance
            self._fail("format")
        try:
            path = _well_formed(path)
        except ValueError:
            self._fail("format")
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
        if 0xD800 <= code <= 0xDBFF:
            high = code
        elif low:
            whole += chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00)
            high = 0
        else:
            whole += char
    if high:
        raise ValueError
    return whole
