"""What a FAT drive can hold, what a release may bring, and what stays: the rules that board and host share (vectors/paths.json)."""

import json
import sys

from helper import raises
from ota.errors import OverTheAirUpdateError
from ota.paths import Rules, clash, problem

PURE = True

with open(sys.argv[2] + "/tests/vectors/paths.json") as _file:
    VECTORS = json.load(_file)


def test_each_path_that_a_board_cannot_hold_is_named():
    for path, code in VECTORS["problems"]:
        assert problem(path) == code, path


def test_paths_clash_where_fat_would_take_one_for_the_other():
    for one, other, clashes in VECTORS["clashes"]:
        assert clash(one, other) == clashes == clash(other, one), (one, other)


def test_a_release_brings_and_an_update_keeps_what_the_rules_say():
    for case in VECTORS["rules"]:
        rules = Rules(case["keep"], case["update_settings"])
        rules.ignore(case["ignore"].encode())
        for path in case["skips"]:
            assert rules.skips(path), path
        for path in case["brings"]:
            assert not rules.skips(path), path
        for path in case["keeps"]:
            assert rules.keeps(path), path
        for path in case["deletes"]:
            assert not rules.keeps(path), path


def test_folders_that_stay_are_not_looked_into():
    rules = Rules(("calibration.json", "logs/", "data/"))
    for folder in ("logs", "lib", "LIB", "data/x", "cota_sys", "sd"):
        assert rules.keeps_folder(folder), folder
    assert not rules.keeps_folder("app")


def test_an_ignore_file_that_is_no_text_is_refused():
    assert raises(OverTheAirUpdateError, Rules().ignore, b"\xff").code == "ignore"
