"""The fuzzed modules keep their word on the whole corpus and on what hypothesis thinks of; the fuzzer finds what is there to be found."""

import random
from pathlib import Path

import fuzz
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets import TARGETS, WORDS

INPUTS = sorted(fuzz.CORPUS.glob("*/*.bin"))


@pytest.mark.parametrize("what", TARGETS)
def test_the_corpus_breaks_nothing(what: str) -> None:
    inputs = [path for path in INPUTS if path.parent.name == what]
    assert inputs
    for path in inputs:
        try:
            TARGETS[what](path.read_bytes())
        except Exception as exc:
            pytest.fail(f"{path}: {exc!r}")


@pytest.mark.parametrize("what", TARGETS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_bytes_made_of_words_and_noise_break_nothing(what: str, data: st.DataObject) -> None:
    TARGETS[what](b"".join(data.draw(st.lists(st.sampled_from(WORDS[what]) | st.binary(max_size=4), max_size=16))))


def _breaks_on_what_is_long(data: bytes) -> None:
    if data[:4] == b"HTTP" and len(data) > 300:
        raise ValueError("a finding")


def test_the_fuzzer_writes_a_finding_down_and_stops_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "broken", _breaks_on_what_is_long)
    monkeypatch.setitem(WORDS, "broken", [b"HTTP", b"x" * 200])
    tried, _, findings = fuzz.fuzz("broken", 5, random.Random(1), tmp_path)
    assert tried > 1 and findings
    assert all(path.read_bytes()[:4] == b"HTTP" and path.parent == tmp_path / "broken" for path in findings)


def test_an_input_that_reaches_something_new_joins_the_corpus(tmp_path: Path) -> None:
    tried, joined, findings = fuzz.fuzz("url", 1, random.Random(1), tmp_path)
    assert tried > joined > 3 and not findings
    assert len(list((tmp_path / "url").iterdir())) == joined


@pytest.mark.parametrize("arguments", [["--seconds", "0"], ["nothing"], ["--seconds", "soon"]])
def test_the_fuzzers_wrong_use_is_an_error_of_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        fuzz.main(arguments)
    assert stopped.value.code == 2
