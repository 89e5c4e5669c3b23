"""What tests of several folders start from."""

import os
from pathlib import Path

import pytest

from cota.git.make import commit_tree, create_repository


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: half as many again as there are cores, because simulated boards and browsers wait half of the time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + cores // 2


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What a lab's Git host shows; it looks anew at each request, so tests add theirs."""
    seed = create_repository(tmp_path_factory.mktemp("seed") / "repository")
    commit_tree(seed, {"seed.txt": b"seed\n"})
    return {"acme/seed": seed}
