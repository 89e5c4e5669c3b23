"""What tests of several folders start from."""

import sys
from pathlib import Path

import pytest

from cota.git.make import commit_tree, create_repository

# The bench is a folder of the checkout, not an installed package.
_ROOT = Path(__file__).parents[1]
if str(_ROOT) not in sys.path:
    sys.path.append(str(_ROOT))


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What a lab's Git host shows; it looks anew at each request, so tests add theirs."""
    seed = create_repository(tmp_path_factory.mktemp("seed") / "repository")
    commit_tree(seed, {"seed.txt": b"seed\n"})
    return {"acme/seed": seed}
