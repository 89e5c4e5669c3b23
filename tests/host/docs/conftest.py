"""A newcomer's environment, and terminals that are closed at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_terminal import Terminal, environment_of


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_of(tmp_path)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in reversed(opened):
        terminal.close()
