"""Every case of the matrix: the update ends right, or in one clear error; nothing that was verified is fetched again; all stays bounded."""

import re
import types
from dataclasses import replace

import board_side
import pool
import pytest
from cases import CASES, KINDS, NETWORK, Case
from origin import BIG, Origin

BLOCK = 2048  # bytes; what of a file has come in whole blocks is kept
FIRST_WAIT = (15, 31)  # seconds; the updater's own, before its second try
SECOND_WAIT = (15, 61)  # of a case with two errors: before the second try or the third
POLL = (600, 800)  # COTA_POLL_SECONDS of these boards, with their spread
# Real seconds of a case, most of which a stalled server takes.
MOST_SECONDS = 15
SOCKETPOOL = types.SimpleNamespace(SOCK_STREAM=pool.SOCK_STREAM, getaddrinfo=pool.getaddrinfo, socket=pool.Socket)


def addresses(case: Case, origin: Origin) -> tuple[str, str]:
    """ThingsBoard's address and the Git host's, one of them broken where the case says so."""
    broken = {"refused": origin.refused, "nowhere": "nowhere.invalid:80", "": ""}[case.place]
    cloud = broken if broken and case.kind == "poll" else origin.cloud
    git = broken if broken and case.kind != "poll" else origin.git
    return "http://" + cloud, git


def judge(case: Case, done: dict, origin: Origin) -> None:
    """Fail unless the board did what the case says. `done` is what board_side.run gave."""
    record = origin.records[case.slug]
    said = f"{case.name}: {done['errors']} {done['end']}; asked {record.asked}"
    codes = tuple(error[1] for error in done["errors"])
    # RST overtakes what was sent before it, on some systems: then nothing of an answer came, and on a connection that was in use that is
    # asked for once more at once.
    assert codes == case.errors or (case.aborts and codes in ((), ("closed",))), said
    case = replace(case, errors=codes)
    assert done["end"] == case.end, said
    for kind, code, later, text, wait in done["errors"]:
        assert (kind == "NetworkError") == (code in NETWORK), said
        assert later == (case.end != "failed"), said
        assert len(text) <= 200 and "secret" not in text and case.slug not in text.replace(f"/{case.slug}/r", ""), said
        if wait is not None:
            own = POLL if case.kind == "poll" else FIRST_WAIT if len(codes) == 1 else SECOND_WAIT
            least, most = case.wait or own
            assert least <= wait <= most, said
    assert done["open"] == 0, said
    assert done["sockets"] <= 1, said
    assert done["millis"] < MOST_SECONDS * 1000, said
    assert done["waits"] == 1, said  # each of them is shorter than a watchdog's time
    if case.heals:
        judge_requests(case, record, said)
    judge_reports(case, record, said)


def judge_requests(case: Case, record, said: str) -> None:
    """What was paid for is not asked for again: nothing before the broken request, and of the file only what is not on flash."""
    for kind in KINDS[: KINDS.index(case.kind)]:
        if kind != "poll":  # which goes on while a wait is long
            assert record.count(kind) == 1, said
    expected = 1 + len(case.errors) if case.again is None else case.again
    if case.end == "failed":
        expected -= 1
    # A connection that was closed before the answer began costs one more request, on a new one.
    assert record.count(case.kind) in (expected, expected + max(len(case.errors), case.aborts)) or case.kind == "poll", said
    if case.kind == "file":
        assert record.count("other") == 2, said
        for text in record.ranges():
            start = int(text[6:-1]) if text else 0
            assert start % BLOCK == 0 and start < len(BIG), said


def judge_reports(case: Case, record, said: str) -> None:
    """ThingsBoard hears of each failure of a release, and of the state that it must show."""
    told = [(values.get("fw_state"), values.get("fw_error")) for values in record.told]
    states = [state for state, _ in told if state]
    if case.end == "done":
        assert states == ["DOWNLOADING", *["DOWNLOADING"] * states[1:-3].count("DOWNLOADING"), "DOWNLOADED", "VERIFIED", "UPDATING"], said
    if case.kind == "poll":
        return  # nothing is assigned yet, as far as the board knows
    heard = [error for _, error in told if error]
    assert len(heard) == len(case.errors), (said, told)
    for code, text in zip(case.errors, heard, strict=True):
        pattern = rf"{code} .+" if case.end == "failed" else rf"later: {code} .+, next try in \d+ s"
        assert re.fullmatch(pattern, str(text)), text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_an_update_ends_right_or_in_one_clear_error(case: Case, origin: Origin, ota) -> None:
    cloud, git = addresses(case, origin)
    origin.play(case.slug, case.kind, list(case.answers), git)
    judge(case, board_side.run(ota, case.told, SOCKETPOOL, cloud, git), origin)


def test_the_matrix_is_as_large_as_it_says() -> None:
    assert len(CASES) >= 300
    assert len({case.slug for case in CASES}) == len({case.name for case in CASES}) == len(CASES)
