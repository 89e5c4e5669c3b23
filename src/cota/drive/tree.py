"""Finding the device tree, and reading it as what goes on a drive."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from cota.drive.strip import strip
from cota.errors import CotaError

# Beside the device's files in a checkout, and not for a drive.
_NOT_FOR_THE_DRIVE = {"README.md"}


def device_tree() -> Path:
    """Find the `device/` tree: in an installed wheel `cota/_device`, in a checkout the repository's own.

    Raises:
        CotaError: there is none.
    """
    package = Path(str(resources.files("cota")))
    for tree in (package / "_device", package.parent.parent / "device"):
        if (tree / "lib").is_dir():
            return tree
    raise CotaError(
        "The device tree is missing from this installation of cota.", "Install circuitpython-cota again, or run from a checkout."
    )


def drive_files(tree: Path) -> dict[str, bytes]:
    """Read what a tree puts on a drive, by path from the drive's root; the library comes stripped (see `strip`).

    Raises:
        CotaError: the tree is not a folder.
    """
    if not tree.is_dir():
        raise CotaError(f"{tree} is not a folder.", "Name the folder whose content goes on the boards' drives.")
    files: dict[str, bytes] = {}
    for path in sorted(tree.rglob("*")):
        parts = path.relative_to(tree).parts
        if not path.is_file() or path.suffix == ".pyc" or parts[-1] in _NOT_FOR_THE_DRIVE:
            continue
        if "__pycache__" in parts or any(part.startswith(".") for part in parts):
            continue
        data = path.read_bytes()
        if parts[:2] == ("lib", "ota") and path.suffix == ".py":
            data = strip(data.decode()).encode()
        files["/".join(parts)] = data
    return files


def with_settings(text: str, settings: Mapping[str, str]) -> str:
    """Put settings into the text of a settings.toml; a line that already sets one of them goes.

    Every value is written as a basic string: `os.getenv` gives strings in any case.
    """
    kept = [line for line in text.splitlines() if line.partition("=")[0].strip() not in settings]
    lines = [f'{key} = "{_escaped(value)}"' for key, value in settings.items()]
    return "\n".join([*lines, *([""] if kept else []), *kept]) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
