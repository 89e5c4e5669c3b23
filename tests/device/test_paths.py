"""What a FAT drive can hold, what a release may bring, and what stays."""

from helper import raises
from ota.errors import OverTheAirUpdateError
from ota.paths import MAX_PART, MAX_PATH, Rules, clash, problem

PURE = True


def test_paths_that_a_board_can_hold_pass():
    for path in ("main.py", "lib/ota/net.py", ".cotaignore", "a b/ä.txt", "x~y.py", "GONE~1~2.py", "gone_l~1.py", "a" * MAX_PART):
        assert problem(path) is None, path


def test_paths_that_fat_cannot_hold_are_named():
    for path in (
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "a.",
        "a ",
        " a",
        "dir./x",
        "a*b",
        "a?b",
        "a:b",
        'a"b',
        "a|b",
        "a<b",
        "a>b",
        "a\\b",
    ):
        assert problem(path) == "path_fat", path
    for path in ("a\0b", "a\nb", "a\x7fb", "a/\x01", "GONE_L~1.PY", "AB~12"):
        assert problem(path) == "path_fat", path


def test_paths_that_are_too_long_are_named():
    assert problem("a" * (MAX_PART + 1)) == "path_long"
    assert problem("/".join(["abcdefghi"] * 21)) == "path_long"
    assert problem("ä" * (MAX_PART // 2 + 1)) == "path_long"
    assert problem("/".join(["a" * 49] * 4)) is None and len("/".join(["a" * 49] * 4)) <= MAX_PATH


def test_paths_clash_where_fat_would_take_one_for_the_other():
    for one, other in (("A.py", "a.py"), ("lib/x", "Lib/y"), ("a", "a"), ("a", "a/b"), ("a/b", "a"), ("D/e/f", "d/e/g")):
        assert clash(one, other), (one, other)
    for one, other in (("a.py", "b.py"), ("lib/x", "lib/y"), ("a/B", "b/b"), ("ab", "a/b")):
        assert not clash(one, other), (one, other)


def test_the_systems_own_names_are_never_part_of_a_release():
    rules = Rules()
    for path in (
        "boot_out.txt",
        "BOOT_OUT.TXT",
        "sd/x",
        "System Volume Information/x",
        ".Trashes/501",
        ".fseventsd/no_log",
        "._main.py",
        "a/._b",
    ):
        assert rules.skips(path), path
    for path in (".metadata_never_index", ".Spotlight-V100/x", "cota_sys/j", "settings.toml"):
        assert rules.skips(path), path
    for path in ("main.py", "boot.py", "lib/x.py", "sda/x", ".cotaignore", "a/boot_out.txt", "a/settings.toml"):
        assert not rules.skips(path), path


def test_settings_are_replaced_only_where_the_owner_says_so():
    assert not Rules((), True).skips("settings.toml")
    assert Rules((), True).keeps("settings.toml")


def test_what_the_owner_keeps_stays():
    rules = Rules(("calibration.json", "/logs/", "./data/"))
    for path in (
        "calibration.json",
        "Calibration.JSON",
        "logs/1.txt",
        "data/x/y",
        "main.py",
        "boot.py",
        "safemode.py",
        "settings.toml",
        "lib/a/b.mpy",
    ):
        assert rules.keeps(path), path
    for path in ("code.py", "a/main.py", "a/calibration.json", "logsx", "libx/a"):
        assert not rules.keeps(path), path
    for folder in ("logs", "lib", "LIB", "data/x", "cota_sys", "sd"):
        assert rules.keeps_folder(folder), folder
    assert not rules.keeps_folder("calibration.json") and not rules.keeps_folder("app")


def test_cotaignore_leaves_out_paths_folders_and_endings():
    rules = Rules()
    rules.ignore(b"# comment\n\ndocs/\n*.md\r\n/tests/one.py\ntools\n")
    for path in ("docs/a/b", "README.md", "a/x.md", "tests/one.py", "tools"):
        assert rules.skips(path), path
    for path in ("doc", "docs", "tests/two.py", "tools/x", "a/docs/b", "md"):
        assert not rules.skips(path), path
    assert raises(OverTheAirUpdateError, rules.ignore, b"\xff").code == "ignore"
