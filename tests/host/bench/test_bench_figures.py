"""The bench's own arithmetic: what holds a bar, what fails a run, what is kept."""

import json

import pytest
from bench.figures import Figure, document, failures, ratio, same_within, shown, summary, table
from bench.heap import smallest
from bench.releases import content, example, files, tar_bytes, with_changes

HELD = Figure("g", "held", 3, 3)
MISSED = Figure("g", "missed", 4, 3, peer=9, note="how it was measured")
REPORTED = Figure("g", "reported", 4, 3, report_only=True)
FREE = Figure("h", "free", 1_234.5)
ALL = [HELD, MISSED, REPORTED, FREE]


def test_a_bar_holds_up_to_its_own_value() -> None:
    assert [figure.holds for figure in ALL] == [True, False, False, None]


def test_a_value_that_is_no_number_holds_no_bar() -> None:
    figure = Figure("g", "heap", "out of memory", 12_000)
    assert figure.holds is False
    assert failures([figure]) == [figure]


def test_only_a_missed_bar_that_is_not_just_reported_fails_the_run() -> None:
    assert failures(ALL) == [MISSED]


def test_the_table_hides_no_missed_bar() -> None:
    rows = {row.split("  ")[1].strip(): row for row in table(ALL).splitlines() if row.startswith("  ")}
    assert rows["held"].endswith("ok")
    assert rows["missed"].endswith("MISSED")
    assert rows["reported"].endswith("missed, report only")
    assert rows["free"].endswith("1,234.5")
    assert "  * how it was measured" in table(ALL)
    assert summary(ALL) == "1 of 3 bars hold; 1 missed; 1 missed that are only reported."


def test_the_document_says_of_each_bar_whether_it_holds() -> None:
    kept = json.loads(document(ALL, ["one"]))
    assert kept["schema"] == 1
    assert kept["groups"] == ["one"]
    assert kept["figures"] == [
        {"group": "g", "what": "held", "value": 3, "bar": 3, "pass": True, "report_only": False},
        {
            "group": "g",
            "what": "missed",
            "value": 4,
            "bar": 3,
            "pass": False,
            "report_only": False,
            "peer": 9,
            "note": "how it was measured",
        },
        {"group": "g", "what": "reported", "value": 4, "bar": 3, "pass": False, "report_only": True},
        {"group": "h", "what": "free", "value": 1234.5},
    ]


def test_values_that_lie_five_in_a_hundred_from_their_middle_are_so_far_apart() -> None:
    assert same_within([95, 105, 100]) == pytest.approx(0.05)
    assert same_within([7, 7]) == 0
    assert same_within([0, 0]) == 0
    with pytest.raises(ValueError, match="no values"):
        same_within([])


def test_a_ratio_of_nothing_to_nothing_is_nothing_and_of_something_to_nothing_is_an_error() -> None:
    assert ratio(0, 0) == 0
    assert ratio(1, 3) == 0.333
    with pytest.raises(ZeroDivisionError):
        ratio(1, 0)


def test_numbers_are_shown_with_thousands_apart_and_no_idle_zeros() -> None:
    assert [shown(value) for value in (64_295, 2.0, 0.05, "out of memory", None)] == ["64,295", "2", "0.05", "out of memory", ""]


@pytest.mark.parametrize("threshold", [5_000, 5_119, 100_000, 131_072])
def test_the_search_finds_the_smallest_heap_that_works_to_its_grain(threshold: int) -> None:
    found = smallest(lambda heap: heap >= threshold, 4_096, 131_072, 1_024)
    assert found is not None
    assert threshold <= found < threshold + 1_024


def test_the_search_says_so_where_no_heap_is_large_enough() -> None:
    assert smallest(lambda _heap: False, 4_096, 131_072, 1_024) is None


def test_the_example_is_as_large_as_the_originals() -> None:
    assert len(example()) == 7
    assert sum(map(len, example().values())) == 64_295


def test_content_is_the_same_in_each_run_and_differs_by_name_and_version() -> None:
    made = [content("a", 1_000), content("b", 1_000), content("a", 1_000, 2)]
    assert len(set(made)) == 3
    assert content("a", 1_000) == made[0]
    assert content("a", 100) == made[0][:100]


def test_files_are_spread_over_folders_of_25() -> None:
    made = files(60, 10)
    folders = [path.rpartition("/")[0] for path in made]
    assert [folders.count(folder) for folder in dict.fromkeys(folders)] == [25, 25, 10]


def test_a_change_touches_only_what_it_names() -> None:
    old = files(3, 10)
    new = with_changes(old, {"pkg0/module_001.py": 20, "new.py": 5})
    assert {path for path in new if new[path] != old.get(path)} == {"pkg0/module_001.py", "new.py"}


def test_a_plain_tar_has_a_header_a_file_and_whole_records() -> None:
    assert tar_bytes({"a": b"x" * 513}) == 10_240
    assert tar_bytes({str(number): b"x" for number in range(20)}) == 20_480 + 10_240 * (20 * 1_024 + 1_024 > 20_480)
