"""The last link: what the board itself said last."""

import time
from typing import Any

from cota.doctor.chain import Said, UncheckedError, WrongError
from cota.doctor.facts import Facts
from cota.doctor.server_checks import find_device
from cota.explain import explain
from cota.thingsboard import id_of

_KEYS = ("fw_state", "fw_error", "current_fw_title", "current_fw_version", "target_fw_title", "target_fw_version")
_WORKING = ("INITIATED", "DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING")
_STALE_SECONDS = 900  # a board that is well looks once a minute, and tells within a quarter of an hour what keeps it


def check_report(facts: Facts) -> Said:
    """The board has reported, lately, and nothing bad."""
    client = facts.operator()
    if client is not None and facts.device_name:
        device = find_device(facts, client)
        if device is not None:
            latest = client.telemetry.latest(id_of(device), _KEYS)
            server = client.telemetry.attributes(id_of(device), "SERVER_SCOPE", ["active", "lastActivityTime"])
            own = client.telemetry.attributes(id_of(device), "CLIENT_SCOPE")
            return _judge({key: str(sample.value) for key, sample in latest.items()}, server, own)
    if not facts.token_works:
        raise UncheckedError("the device is not known")
    if not facts.client:
        raise WrongError(
            "The board has never reported.", "See its serial console: main.py prints what keeps it. Was it reset after the installation?"
        )
    return _judge({}, {}, facts.client)


def _judge(told: dict[str, str], server: dict[str, Any], own: dict[str, Any]) -> Said:
    seen = server.get("lastActivityTime")
    age = None if not isinstance(seen, int | float) else time.time() - seen / 1000
    ago = "" if age is None else f", seen {_ago(age)} ago"
    state, error = told.get("fw_state", ""), told.get("fw_error", "")
    if not own and not told.get("current_fw_version"):
        raise WrongError(
            "The board has never reported.", "See its serial console: main.py prints what keeps it. Was it reset after the installation?"
        )
    if state == "FAILED":
        raise WrongError(
            f"The board gave {told.get('target_fw_version', 'the release')} up: {error or 'it did not say why'}{ago}.",
            f"{_advice(error)} Then publish anew, or let it try the same release again: `cota retry`.".lstrip(),
        )
    if error.startswith("later:"):
        raise WrongError(f"The board tries again: {error}{ago}.", _advice(error) or "Its serial console says more.")
    if problems := own.get("cota_settings"):
        raise WrongError(
            f"The board cannot use some of its settings: {problems}.", "Correct settings.toml; the page Settings has every key."
        )
    if server.get("active") is False:
        raise WrongError(f"The board is silent{ago}.", "Is it on, and in reach of its Wi-Fi? Its serial console says what keeps it.")
    notes = []
    if state in _WORKING and age is not None and age > _STALE_SECONDS:
        notes.append(f"It has been {state} for a while.")
    version = told.get("current_fw_version") or own.get("fw_version") or "no release yet"
    said = f"it runs {version}{', ' + state if state else ''}{ago}"
    if last := own.get("cota_last_error"):
        notes.append(f"Its last error: {last}")
    if not told:
        notes.append("State and progress were not looked at: they need the operator's credentials and the device's name (--device).")
    return Said(said, notes)


def _advice(error: str) -> str:
    """What to do about what the board said; "" where it is not of a board of ours."""
    found = explain(error)
    return "" if found is None else f"{' '.join(found.advice.split())} (The page Errors has `{found.code}`.)"


def _ago(seconds: float) -> str:
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name}"
    return f"{max(0, int(seconds))} s"
