"""Reading the documentation's Markdown: fenced blocks, what stands before them, links, headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
_MARK = re.compile(r"<!-- (?P<mark>.+?) -->")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Step:
    """A fenced block, or a comment that stands alone.

    Attributes:
        mark: The text of the comment before the block, or "".
        language: The word behind the fence; "" for a comment alone.
        text: What the block holds.
    """

    mark: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines that a reader types: those after `$ `."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


def steps(path: Path) -> Iterator[Step]:
    """Give a page's fenced blocks and comments, in order."""
    mark = language = ""
    block: list[str] | None = None
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if block is not None:
            if line == "```":
                yield Step(mark, language, "\n".join(block) + "\n")
                mark, block = "", None
            else:
                block.append(raw)
        elif line.startswith("```"):
            language, block = line.removeprefix("```"), []
        elif line:
            if mark:
                yield Step(mark, "", "")
            found = _MARK.fullmatch(line)
            mark = found["mark"] if found else ""


def prose(path: Path) -> str:
    """Give a page without its fenced blocks."""
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"))


def relative_links(path: Path) -> Iterator[str]:
    """Give the targets of a page's links that are no addresses."""
    return (found["target"] for found in _LINK.finditer(prose(path)) if "://" not in found["target"])


def anchors(path: Path) -> set[str]:
    """Give what a link to a page's headings may say behind the `#`, as GitHub and Sphinx both make it."""
    titles = re.findall(r"(?m)^#+ (.+)$", prose(path))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
