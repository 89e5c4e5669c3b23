"""A coverage-guided fuzzer for the modules of the device library that read what others sent.

    python tests/fuzz/fuzz.py [--seconds 60] [--seed N] [TARGET ...]

Inputs that reach a line by a way that no input took before join the corpus (tests/fuzz/corpus/TARGET, replayed by `make test`). An input
that makes a target raise is a finding: it is written beside the corpus as finding-*.bin, and the exit code is 1.
"""

import argparse
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from targets import LIBRARY, TARGETS, WORDS

CORPUS = Path(__file__).parent / "corpus"
MAX_INPUT = 6000  # bytes; more than any limit of a line or an entry
MAX_CHANGES = 6  # of one input


class Coverage:
    """Which ways through the library's lines a call takes. A way is a pair of lines that follow each other in one function."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int, int]] = set()
        self._library = str(LIBRARY)
        self._new = False
        self._last: dict[int, int] = {}

    def run(self, target: Callable[[bytes], None], data: bytes) -> bool:
        """Run the target; True if it went a new way."""
        self._new = False
        before = sys.gettrace()
        sys.settrace(self._on_call)
        try:
            target(data)
        finally:
            sys.settrace(before)
        return self._new

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self._library):
            return None
        self._last[id(frame)] = 0
        return self._on_line

    def _on_line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            way = (frame.f_code.co_filename, self._last.get(id(frame), 0), frame.f_lineno)
            self._last[id(frame)] = frame.f_lineno
            if way not in self.seen:
                self.seen.add(way)
                self._new = True
        elif event == "return":
            self._last.pop(id(frame), None)
        return self._on_line


def mutate(data: bytes, others: list[bytes], words: list[bytes], chance: random.Random) -> bytes:
    """An input with some changes."""
    out = bytearray(data)
    for _ in range(chance.randint(1, MAX_CHANGES)):
        at = chance.randint(0, len(out))
        end = min(len(out), at + chance.choice((1, 2, 8, 64)))
        what = chance.randrange(7)
        if what == 0:
            out[at:at] = chance.choice(words)
        elif what == 1:
            out[at:end] = chance.choice(words)
        elif what == 2:
            del out[at:end]
        elif what == 3 and at < len(out):
            out[at] ^= 1 << chance.randrange(8)
        elif what == 4:
            out[at:at] = out[at:end] * chance.choice((1, 2, 30))
        elif what == 5:
            other = chance.choice(others)
            out[at:] = other[chance.randint(0, len(other)) :]
        elif at < len(out):
            out[at] = chance.randrange(256)
    return bytes(out[:MAX_INPUT])


def name(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()[:16] + ".bin"


def fuzz(what: str, seconds: float, chance: random.Random, corpus: Path) -> tuple[int, int, list[Path]]:
    """Fuzz one target for so long.

    Returns:
        How many inputs were tried, how many joined the corpus, and the files of the findings.
    """
    target, words = TARGETS[what], WORDS[what]
    folder = corpus / what
    folder.mkdir(parents=True, exist_ok=True)
    coverage = Coverage()
    inputs = [path.read_bytes() for path in sorted(folder.glob("[0-9a-f]*.bin"))] or [b"\x01"]
    findings: list[Path] = []
    tried = joined = 0
    waiting = list(inputs)
    end = time.monotonic() + seconds
    while waiting or time.monotonic() < end:
        data = waiting.pop() if waiting else mutate(chance.choice(inputs), inputs, words, chance)
        tried += 1
        try:
            is_new = coverage.run(target, data)
        except Exception:
            path = folder / f"finding-{name(data)}"
            if not findings:  # the first one says it; those after it are mostly the same
                print(f"{what}: {data!r}", file=sys.stderr)
                traceback.print_exc()
            path.write_bytes(data)
            findings.append(path)
            if len(findings) == 10:
                break
            continue
        if is_new and data not in inputs:
            joined += 1
            inputs.append(data)
            (folder / name(data)).write_bytes(data)
    return tried, joined, findings


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Fuzz what reads bytes from the network and from settings.toml.")
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="makes a run repeatable")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"some of {', '.join(TARGETS)} (default: all)")
    chosen = parser.parse_args(arguments)
    unknown = [what for what in chosen.targets if what not in TARGETS]
    if unknown or chosen.seconds <= 0:
        parser.error(f"no target {unknown[0]}; there are {', '.join(TARGETS)}" if unknown else "--seconds must be more than 0")
    seed = chosen.seed if chosen.seed is not None else random.randrange(2**32)
    print(f"seed {seed}", file=sys.stderr)
    targets = chosen.targets or list(TARGETS)
    bad = 0
    for what in targets:
        tried, joined, findings = fuzz(what, chosen.seconds / len(targets), random.Random(seed), CORPUS)
        print(f"{what}: {tried} inputs, {joined} new in the corpus, {len(findings)} findings")
        for path in findings:
            print(f"  {path}")
        bad += len(findings)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
