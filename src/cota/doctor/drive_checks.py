"""The links on the drive: the board, cOTA's files, settings.toml, Wi-Fi."""

from collections.abc import Mapping

from cota.doctor.chain import Said, UncheckedError, WrongError
from cota.doctor.facts import Facts
from cota.drive import answers, known
from cota.drive.boot_out import BoardInfo
from cota.drive.plan import MARKER, WAITING
from cota.drive.settings_file import read_settings
from cota.drive.target import Target

_INSTALL = "`cota install` puts it right; your own files stay."
_NO_DRIVE = "no drive was named"
_NAME_DRIVE = "Plug the board in and name its drive."


def _target(facts: Facts) -> Target:
    if facts.target is None:
        raise UncheckedError(_NO_DRIVE, _NAME_DRIVE)
    return facts.target


def check_board(facts: Facts, board: BoardInfo | None) -> Said:
    """CircuitPython is one that cOTA runs on."""
    target = _target(facts)
    if board is None:
        raise UncheckedError(_NO_DRIVE, _NAME_DRIVE)
    if refusal := board.refusal():
        raise WrongError(*refusal)
    return Said(f"{board.name}, CircuitPython {board.version}, at {target.name}", board.notes())


def check_files(facts: Facts, tree: Mapping[str, bytes]) -> Said:
    """cOTA's files are whole and of this version, and something starts the updater."""
    target = _target(facts)
    library = [path for path in tree if path.startswith("lib/ota/")]
    found = {path: target.read(path) for path in library}
    if not any(data is not None for data in found.values()):
        raise WrongError("cOTA is not on this drive.", "`cota install` puts it there.")
    if lacking := sorted(path for path in library if found[path] is None):
        raise WrongError(f"The library is not whole: {_some(lacking)} is missing.", _INSTALL)
    kind = known.boot_kind(target.read("boot.py"))
    if kind != "ours":
        whose = {"none": "There is no boot.py", "original": "boot.py is the original cOTA's", "foreign": "boot.py is not cOTA's"}[kind]
        raise WrongError(f"{whose}: an update that the power interrupts could not be finished.", _INSTALL)
    if other := sorted(path for path in [*library, "boot.py"] if target.read(path) != tree[path]):
        raise WrongError(
            f"Other than in this version of cOTA: {_some(other)}.",
            "`cota install` writes this version. If the board runs a newer cOTA than this computer, upgrade this one.",
        )
    notes = [f"{path} waits from an interrupted installation; run `cota install` again." for path in _waiting(target)]
    if target.read(MARKER) is not None:
        notes.append(f"{MARKER} is on the drive: updates wait until you delete it.")
    phase = known.update_phase(target.read("cota_sys/s/j"))
    if phase in ("C", "T", "U"):
        notes.append({"C": "An update waits for the next reset.", "T": "A release is on trial.", "U": "A release is being undone."}[phase])
    _check_program(target)
    return Said(f"{len(library) + 1} files, whole and of this version", notes)


def _check_program(target: Target) -> None:
    for name in known.PROGRAMS:
        data = target.read(name)
        if data is None:
            continue
        if not known.imports_ota(data):
            raise WrongError(
                f"The program {name} does not import ota, so it never looks for a release.",
                "Put cOTA's update loop into it; cOTA's device/main.py shows it."
                + (" It is CircuitPython's greeting: `cota install` removes it." if known.is_greeting(data) else ""),
            )
        return
    raise WrongError("There is no program on the drive.", _INSTALL)


def _waiting(target: Target) -> list[str]:
    return sorted({entry.name for entry in target.entries("")} & set(WAITING.values()))


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def check_settings(facts: Facts) -> Said:
    """settings.toml is one that CircuitPython reads."""
    target = _target(facts)
    data = target.read("settings.toml")
    if data is None:
        raise WrongError("There is no settings.toml on the drive.", "`cota install` makes it.")
    try:
        told = read_settings(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise WrongError("settings.toml is not UTF-8 text.", "Save it as UTF-8.") from None
    facts.settings = told.values
    if told.problems:
        raise WrongError(f"settings.toml: {'; '.join(told.problems)}.", 'CircuitPython reads only KEY = "text" and whole numbers.')
    return Said(f"settings.toml sets {len(told.values)} keys")


def check_wifi(facts: Facts) -> Said:
    """A network is named, and its password can be one."""
    values = _settings(facts)
    if not answers.ssid_of(values):
        raise WrongError(
            "No Wi-Fi network is set.", f"Set {answers.SSID} and {answers.PASSWORD} in settings.toml, or run `cota install` again."
        )
    password = answers.password_of(values)
    if problem := answers.check_password(password):
        raise WrongError(problem, "Correct it in settings.toml.")
    notes = [] if password else ["The network has no password: an open one."]
    if values.get(answers.SSID) and values.get(answers.OLD_SSID) not in (None, "", values[answers.SSID]):
        notes.append(f"{answers.OLD_SSID} names another network; programs of the original cOTA join that one.")
    return Said("a network and a password are set; only the board can try them", notes)


def _settings(facts: Facts) -> Mapping[str, str]:
    if facts.settings is None:
        raise UncheckedError("settings.toml was not read", _NAME_DRIVE)
    return facts.settings
