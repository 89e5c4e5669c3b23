"""What `cota install` does to a drive: worked out whole, before the first byte is written.

The order makes a cable that is pulled out harmless: the library first, boot.py, which starts it, last. Everything up to boot.py leaves a
drive that the computer may write; running the command again finds what lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cota.drive import known
from cota.drive.settings_file import SETTINGS, fill_in, read_settings
from cota.drive.target import Entry, RefusedError, Target

# New contents of files that must never be half there wait under these names until they are whole; all are 8.3 names.
WAITING = {
    "cota.usb": "cota_u.new",
    "boot.py": "cota_b.new",
    "main.py": "cota_m.new",
    "safemode.py": "cota_f.new",
    SETTINGS: "cota_s.new",
    "lib/ota/drive.py": "lib/ota/cota_d.new",
}
# While it lies there, boot.py leaves the drive to the computer: an upgrade that is interrupted can be run again.
MARKER, MARKER_TEXT = "cota.usb", b"cota install\n"
TICKET = "cota_t.new"  # a token that the board is being provisioned with; see cota.drive.identity
COPY = "lib/boot_own.py"  # updates never delete what is in lib/
_OLD_LIBRARY = "lib/ota.py"

Kind = Literal["write", "remove", "keep"]


@dataclass(frozen=True)
class Action:
    """One file's fate.

    Attributes:
        kind: What is done.
        path: The file.
        why: For people.
        data: What is written.
        old_size: Bytes that the file had; None where there was none.
    """

    kind: Kind
    path: str
    why: str
    data: bytes = b""
    old_size: int | None = None


@dataclass
class Plan:
    """All that is done, in order, and what the user should know."""

    actions: list[Action] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def changes(self) -> list[Action]:
        """The actions that change the drive."""
        return [action for action in self.actions if action.kind != "keep"]


@dataclass(frozen=True)
class Options:
    """What the user said about their own files."""

    replace_boot: bool = False


def base_settings(target: Target, shipped: str) -> str:
    """Give the settings.toml to start from: the drive's own; one that waited when the cable was pulled; else the shipped one.

    Raises:
        RefusedError: The drive's own is not text.
    """
    data = target.read(SETTINGS)
    if data is None:
        data = target.read(WAITING[SETTINGS])
    if data is not None and data.strip(b"\0 \t\r\n"):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"{SETTINGS} on {target.name} is not UTF-8 text."
            raise RefusedError(message, "Save it as UTF-8, or move it away, and run this again.") from error
    return shipped


def make_plan(target: Target, tree: Mapping[str, bytes], settings: Mapping[str, str], options: Options) -> Plan:
    """Look at a drive and say what to do.

    Args:
        target: The drive.
        tree: What the device tree puts on a drive, by path.
        settings: Keys to set in settings.toml.
        options: What the user said.

    Raises:
        RefusedError: The drive holds what must not be replaced unasked.
    """
    plan = Plan()
    _check_idle(target)
    root = {entry.name.lower(): entry for entry in target.entries("")}
    _library(plan, target, tree)
    boot = _boot(target, root, tree["boot.py"], options, plan)
    _settings(plan, target, root, tree[SETTINGS].decode("utf-8"), settings)
    _program(plan, target, root, tree["main.py"])
    _safemode(plan, target, root, tree["safemode.py"])
    _greeting(plan, target, root)
    plan.actions.append(boot)
    if MARKER in root and target.read(root[MARKER].name) != MARKER_TEXT:
        plan.notes.append(f"{MARKER} is on the drive: updates wait until you delete it.")
    return plan


def _check_idle(target: Target) -> None:
    if known.update_phase(target.read("cota_sys/s/j")) in ("C", "U"):
        raise RefusedError(
            f"The board of {target.name} is in the midst of an update.",
            "Reset it and let it finish; then run this again. To give the update up, delete the folder cota_sys from the drive.",
        )


def _library(plan: Plan, target: Target, tree: Mapping[str, bytes]) -> None:
    sizes = {entry.name: entry.size for entry in target.entries("lib/ota")}
    ours = {path: data for path, data in tree.items() if path.startswith("lib/")}
    for path, data in sorted(ours.items()):
        old = sizes.get(path.rpartition("/")[2]) if path.startswith("lib/ota/") else None
        plan.actions.append(_written(target, path, data, old, "the library"))
    strays = sorted(name for name in sizes if name.endswith((".py", ".mpy")) and f"lib/ota/{name}" not in ours)
    if strays:
        plan.notes.append(f"Not of this version, and left alone: {', '.join(f'lib/ota/{name}' for name in strays)}.")
    if any(entry.name == "ota.py" for entry in target.entries("lib")):
        old_library = target.read(_OLD_LIBRARY)
        if known.is_originals_library(old_library):
            plan.actions.append(Action("remove", _OLD_LIBRARY, "the original cOTA's library", old_size=len(old_library or b"")))
        else:
            plan.notes.append(f"{_OLD_LIBRARY} is not cOTA's and was left alone; the folder lib/ota wins over it.")


def _written(target: Target, path: str, data: bytes, old_size: int | None, why: str) -> Action:
    if old_size == len(data) and target.read(path) == data:
        return Action("keep", path, "is right already", old_size=old_size)
    return Action("write", path, why, data, old_size)


def _boot(target: Target, root: Mapping[str, Entry], shipped: bytes, options: Options, plan: Plan) -> Action:
    entry = root.get("boot.py")
    data = target.read(entry.name) if entry else None
    kind = known.boot_kind(data)
    if "boot.txt" in root and entry is None:
        plan.notes.append("boot.txt is on the drive; CircuitPython runs boot.py in its place.")
    if kind == "foreign" and not options.replace_boot:
        raise RefusedError(
            f"{target.name} has a boot.py of its own, and cOTA needs that place: it finishes an update that the power interrupted.",
            "What it does can often move to the program. --replace-boot puts cOTA's there and keeps a copy as " + COPY + ".",
        )
    if kind == "foreign":
        assert data is not None  # noqa: S101  (an absent one is "none")
        plan.actions.append(_copied(target, data))
    why = {"original": "in place of the original cOTA's", "foreign": "in place of your own, which is kept as a copy"}.get(kind, "recovery")
    return _written(target, "boot.py", shipped, None if data is None else len(data), why)


def _copied(target: Target, data: bytes) -> Action:
    path, number = COPY, 1
    while (there := target.read(path)) is not None and there != data:
        number += 1
        path = COPY.replace(".py", f"_{number}.py")
    return _written(target, path, data, None if there is None else len(there), "a copy of your boot.py")


def _settings(plan: Plan, target: Target, root: Mapping[str, Entry], shipped: str, settings: Mapping[str, str]) -> None:
    text = base_settings(target, shipped)
    there = read_settings(text).values
    new = {key: value for key, value in settings.items() if there.get(key) != value}
    data = (fill_in(text, new) if new else text).encode()
    entry = root.get(SETTINGS)
    why = f"sets {', '.join(sorted(new))}" if new else "the settings with their defaults"
    plan.actions.append(_written(target, SETTINGS, data, entry.size if entry else None, why))
    plan.notes += [f"{SETTINGS}: {problem}." for problem in read_settings(data.decode()).problems]


def _program(plan: Plan, target: Target, root: Mapping[str, Entry], shipped: bytes) -> None:
    for name in known.PROGRAMS:
        entry = root.get(name)
        data = target.read(entry.name) if entry else None
        # A main.py that is the beginning of ours is ours: a write that was interrupted elsewhere.
        if entry is None or data is None or known.is_greeting(data) or (name == "main.py" and shipped.startswith(data)):
            continue
        plan.actions.append(Action("keep", entry.name, "your program", old_size=entry.size))
        if not known.imports_ota(data):
            plan.notes.append(
                f"{entry.name} does not import ota: it will never look for a release. Put cOTA's update loop into it; "
                "device/main.py of cOTA shows it."
            )
        return
    entry = root.get("main.py")
    plan.actions.append(_written(target, "main.py", shipped, entry.size if entry else None, "a program with the update loop"))


def _safemode(plan: Plan, target: Target, root: Mapping[str, Entry], shipped: bytes) -> None:
    entry = root.get("safemode.py")
    if entry and not known.is_our_safemode(target.read(entry.name)):
        plan.actions.append(Action("keep", entry.name, "your own", old_size=entry.size))
        plan.notes.append("safemode.py is your own and was left alone; cOTA's brings a board back after a fault.")
        return
    plan.actions.append(_written(target, "safemode.py", shipped, entry.size if entry else None, "the way out of safe mode"))


def _greeting(plan: Plan, target: Target, root: Mapping[str, Entry]) -> None:
    entry = root.get("code.py")
    if entry and known.is_greeting(target.read(entry.name)):
        plan.actions.append(
            Action("remove", entry.name, "CircuitPython's greeting, which would run in place of main.py", old_size=entry.size)
        )
