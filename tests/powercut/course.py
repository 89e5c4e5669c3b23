"""A course: a board, what is on its drive, the release that comes; and running it in the VM, with a cut at each write of the flash."""

import json
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cota.drive.tree import device_tree, drive_files
from cota.sim.vm import SHIMS, find_vm

_VM = Path(__file__).parent / "vm"
_HEAP_PER_DRIVE = 8  # drives that fit into the VM's heap: base, listing, a whole one to hand over
_LEAST_HEAP = 24 * 1024 * 1024
_SETTINGS = b"""THINGSBOARD_URL = "http://tb.test"
THINGSBOARD_DEVICE_TOKEN = "token"
COTA_GIT_HOSTS = "git.test"
COTA_TRIAL_SECONDS = "1"
COTA_POLL_SECONDS = "1"
COTA_KEEP = "ballast.bin"
"""
# The update loop of device/main.py, quietly.
PROGRAM = b"""import time
import ota
updater = ota.OverTheAirUpdate()
updating = False
while True:
    try:
        if updating:
            if updater.step() == "done":
                updater.restart()
        elif updater.is_new_firmware_available():
            updater.begin()
            updating = True
    except (ConnectionError, ota.OverTheAirUpdateError) as problem:
        print("update:", problem)
        updating = False
    if not updating:
        time.sleep(0.5)
"""
BAD_PROGRAM = b"raise RuntimeError('this release is bad')\n"
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Geometry:
    """A drive and how its flash is written.

    Attributes:
        name: What it is called.
        kib: The drive's length.
        kind: "rp2" or "esp": see vm/pc_flash.py.
    """

    name: str
    kib: int
    kind: str


GEOMETRIES = {
    geometry.name: geometry
    for geometry in (
        Geometry("pico-w", 508, "rp2"),
        Geometry("esp-4mb", 960, "esp"),
        Geometry("esp-8mb", 3776, "esp"),
        Geometry("fat16", 12 * 1024, "rp2"),
    )
}


@dataclass(frozen=True)
class Job:
    """One course.

    Attributes:
        old, new: The releases' files. What the device tree has besides stays.
        geometry: The drive.
        settled: An update came before this one, so that the state folder is there.
        fill: Clusters taken by a file that is no release's.
        bad: The new release's program fails at once, so that it is undone.
        how: Ways to cut: before a write, or inside it ("erased", "half").
        double: The recovery is cut in its turn.
        part: (this part, parts) of the cuts.
        only: (first, last) of the writes that are cut, or None for all.
        device: Changes to what is on the drive besides the releases, for tests of the tests.
        standing: What is on the drive besides the releases; None: the device tree.
        program: main.py of both releases.
    """

    old: Files
    new: Files
    geometry: str = "pico-w"
    settled: bool = False
    fill: int = 0
    bad: bool = False
    how: tuple[str, ...] = ("before",)
    double: bool = False
    part: tuple[int, int] = (0, 1)
    only: tuple[int, int] | None = None
    device: Files = field(default_factory=dict)
    standing: Files | None = None
    program: bytes = PROGRAM

    def request(self, images: str | None) -> dict[str, Any]:
        """The job as the worker reads it."""
        blobs: dict[str, bytes] = {}

        def named(files: Files) -> dict[str, str]:
            names = {}
            for path, data in files.items():
                names[path] = sha256(data).hexdigest()
                blobs[names[path]] = data
            return names

        old = {"main.py": self.program, **self.old}
        new = {"main.py": self.program, **self.new, **({"main.py": BAD_PROGRAM} if self.bad else {})}
        goal = old if self.bad else new
        after = {**goal, "after.txt": b"one more release\n"}
        before = {**old, "before.txt": b"one release less\n"}
        kept = {**(standing_files() if self.standing is None else self.standing), **self.device}
        trees = {"old": {**kept, **old}, "new": {**kept, **new}, "next": {**kept, **after}}
        if self.settled:
            trees["before"] = {**kept, **before}
        geometry = GEOMETRIES[self.geometry]
        return {
            "releases": {"old": named(old), "new": named(new), "next": named(after)},
            "trees": {name: named(tree) for name, tree in trees.items()},
            "drive": "before" if self.settled else "old",
            "before": ["old"] if self.settled else [],
            "assign": "new",
            "goal": "old" if self.bad else "new",
            "next": "next",
            "sectors": geometry.kib * 2,
            "kind": geometry.kind,
            "fill": self.fill,
            "how": list(self.how),
            "double": self.double,
            "part": list(self.part),
            "only": self.only,
            "images": images,
            "blobs": {name: b64encode(data).decode() for name, data in blobs.items()},
        }


@cache
def standing_files() -> dict[str, bytes]:
    """What is on the drive besides the releases: the device tree as cota puts it there."""
    files = drive_files(device_tree())
    return {**files, "settings.toml": _SETTINGS}


def run(job: Job) -> Iterator[dict[str, Any]]:
    """Run a course with all its cuts; yields the worker's rows, each with its image file while it is looked at.

    Raises:
        RuntimeError: the VM ended without having said that it was through.
    """
    with tempfile.TemporaryDirectory(prefix="cota-powercut-") as folder:
        request = Path(folder) / "job.json"
        request.write_text(json.dumps(job.request(folder)), encoding="utf-8")
        script = Path(folder) / "start.py"
        script.write_text(
            f"import sys\nsys.path[:0] = [{str(_VM)!r}, {str(SHIMS)!r}]\nimport pc_worker\npc_worker.main({str(request)!r})\n",
            encoding="utf-8",
        )
        command = find_vm("micropython").argv(script, _LEAST_HEAP + _HEAP_PER_DRIVE * GEOMETRIES[job.geometry].kib * 1024)
        errors = Path(folder) / "errors"
        with (
            errors.open("wb") as error_file,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=error_file, stdin=subprocess.DEVNULL, text=True) as vm,
        ):
            assert vm.stdout is not None
            other: list[str] = []
            ended = False
            try:
                for line in vm.stdout:
                    if not line.startswith("{"):
                        other.append(line)
                        continue
                    row = json.loads(line)
                    ended = row["kind"] == "end"
                    yield row
                    if row.get("image"):
                        Path(row["image"]).unlink()
            finally:
                vm.kill()  # whoever reads no further needs no more cuts
        if not ended:
            raise RuntimeError(f"the VM ended: {''.join(other)[-2000:]}{errors.read_text()[-2000:]}")
