"""The host's rules are the board's: both read the same vectors."""

import json
from pathlib import Path

import pytest

from cota.package.paths import Rules, clash, problem

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/paths.json").read_text())


@pytest.mark.parametrize(("path", "code"), VECTORS["problems"])
def test_each_path_that_a_board_cannot_hold_is_named(path: str, code: str | None) -> None:
    assert problem(path) == code


@pytest.mark.parametrize(("one", "other", "clashes"), VECTORS["clashes"])
def test_paths_clash_where_fat_would_take_one_for_the_other(one: str, other: str, clashes: bool) -> None:
    assert clash(one, other) == clashes == clash(other, one)


@pytest.mark.parametrize("case", VECTORS["rules"])
def test_a_release_brings_and_an_update_keeps_what_the_rules_say(case: dict) -> None:
    rules = Rules(case["keep"], case["update_settings"], case["ignore"])
    assert [path for path in case["skips"] if not rules.skips(path)] == []
    assert [path for path in case["brings"] if rules.skips(path)] == []
    assert [path for path in case["keeps"] if not rules.keeps(path)] == []
    assert [path for path in case["deletes"] if rules.keeps(path)] == []
