"""settings.toml is read as CircuitPython reads it, and filled in without losing a line."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cota.drive.settings_file import fill_in, read_settings, setting_line
from cota.drive.tree import device_tree

SHIPPED = (device_tree() / "settings.toml").read_text()
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t\r"))


@given(_TEXT)
def test_any_text_comes_back_as_it_was_and_other_readers_agree(value: str) -> None:
    line = setting_line("KEY", value)
    assert read_settings(line).values == {"KEY": value}
    assert tomllib.loads(line) == {"KEY": value}


def test_the_shipped_file_is_read_without_a_problem() -> None:
    told = read_settings(SHIPPED)
    assert told.problems == []
    assert told.values == tomllib.loads(SHIPPED)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("KEY = value", "no quotes"),
        ("KEY = 'value'", "single quotes"),
        ("KEY = \u201cvalue\u201d", "curled quotes"),
        ('KEY = "value', "does not end"),
        ('KEY = "C:\\new\\q"', "backslash"),
        ("just words", "not KEY = VALUE"),
        ('A = "1"\nA = "2"', "line 2 sets A again"),
        ('\ufeffA = "1"', "byte order mark"),
    ],
)
def test_what_circuitpython_does_not_take_is_told_with_its_line_and_without_the_value(line: str, problem: str) -> None:
    told = read_settings(line)
    assert len(told.problems) == 1
    assert problem in told.problems[0]
    assert "value" not in told.problems[0]


def test_numbers_and_comments_are_read_and_a_table_ends_it() -> None:
    assert read_settings('A = 5 # five\nB = true\n  C="x" # y\n#D = "1"\n[t]\nE = "2"\n').values == {"A": "5", "B": "true", "C": "x"}


def test_a_key_keeps_its_place_and_its_comment() -> None:
    text = '# top\nA = "1"  # why\nB = "2"\n'
    assert fill_in(text, {"A": "x"}) == '# top\nA = "x"  # why\nB = "2"\n'


def test_a_new_key_goes_below_the_line_that_shows_its_default_else_to_the_end_before_a_table() -> None:
    assert fill_in(SHIPPED, {"COTA_POLL_SECONDS": "5"}).count('# COTA_POLL_SECONDS = "60"\nCOTA_POLL_SECONDS = "5"\n') == 1
    assert fill_in('A = "1"\n\n[t]\nB = "2"\n', {"C": "3"}) == 'A = "1"\nC = "3"\n\n[t]\nB = "2"\n'


def test_a_line_that_circuitpython_does_not_take_is_mended_in_its_place() -> None:
    assert fill_in("A = 'one'\nB = \"2\"\n", {"A": "x"}) == 'A = "x"\nB = "2"\n'


def test_windows_line_ends_stay() -> None:
    assert fill_in('A = "1"\r\nB = "2"\r\n', {"A": "x"}) == 'A = "x"\r\nB = "2"\r\n'


@given(st.dictionaries(st.sampled_from(["A", "B", "MY_KEY", "COTA_KEEP", "THINGSBOARD_URL"]), _TEXT, max_size=5))
def test_filling_in_sets_exactly_these_keys_and_loses_no_other_line(values: dict[str, str]) -> None:
    before = read_settings(SHIPPED).values
    text = fill_in(SHIPPED, values)
    assert read_settings(text).values == {**before, **values}
    gone = [line for line in SHIPPED.splitlines() if line not in text.splitlines()]
    assert all(line.partition(" ")[0] in values for line in gone)
