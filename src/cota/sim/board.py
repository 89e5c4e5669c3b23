"""One simulated board: its folder on the host, and its life from power-on to power cut.

Each run of the board (boot.py, then the program, again after each reload or reset) is one process of a VM with a heap of its own. The drive
is a plain image file that every sector reaches at once, so killing the process is a power cut.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cota.errors import CotaError
from cota.sim import lifecycle
from cota.sim.console import Console, LineListener
from cota.sim.device_tree import drive_files, with_settings
from cota.sim.profiles import Profile
from cota.sim.vm import Vm, find_vm
from cota.sim.volume import open_volume, start_script

# The one network of the simulated world, unless the settings name another.
WIFI_SSID = "cota-sim"
WIFI_PASSWORD = "simulated-network"  # noqa: S105  (a network that exists only in the simulator)
# Heap of the 64-bit VM that the shims and the configuration take before the program starts; measured, held by a test.
_SHIM_HEAP_BYTES = 88_000
# How often the rack looks whether a watchdog was fed.
_WATCHDOG_POLL_SECONDS = 0.2
_READ_BYTES = 4096


@dataclass(frozen=True)
class BoardOptions:
    """What surrounds a board.

    Attributes:
        usb: A computer is attached and has the drive.
        ca_bundle: PEM file of the certificate authorities in the board's firmware; None: it trusts none.
        hosts: Name -> `address:port` on this machine, for tests that stand in for a public server.
        sha256: False for a board of CircuitPython 9, whose hashlib has only sha1.
    """

    usb: bool = False
    ca_bundle: Path | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)
    sha256: bool = True


class Board:
    """A board in a folder.

    Args:
        folder: Where image, logs and counters live; made if it does not exist.
        name: The board's name in messages; its unique id is made from it.
        profile: What kind of board it is.
        settings: Keys for its settings.toml. WIFI_SSID and WIFI_PASSWORD default to the simulator's network.
        vm: The VM to run in; None finds one.
        options: What surrounds the board.
        listener: Gets each line of its console.
        starting: Held while a process starts; a rack passes a semaphore here.

    Attributes:
        program: A file of the drive that runs in place of the one that CircuitPython would choose, as if boot.py had named it; None: none.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        profile: Profile,
        settings: Mapping[str, str],
        *,
        vm: Vm | None = None,
        options: BoardOptions | None = None,
        listener: LineListener | None = None,
        starting: AbstractAsyncContextManager[Any] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.name = name
        self.profile = profile
        self.settings = {"WIFI_SSID": WIFI_SSID, "WIFI_PASSWORD": WIFI_PASSWORD, **settings}
        self.vm = vm or find_vm()
        self.options = options or BoardOptions()
        self.program: str | None = None
        self.phase = "off"
        self.runs = 0
        self.volume = open_volume(self.folder, profile, self.vm)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.console = Console(self.folder / "console.log", listener)
        self._starting = starting or contextlib.nullcontext()
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._pressed = asyncio.Event()

    # The drive.

    def prepare(self, device_tree: Path, extra: Mapping[str, bytes] | None = None) -> bool:
        """Make the drive if there is none: the device tree, the board's settings.toml, and `extra` over both.

        Returns:
            Whether it was made; an existing drive is left as it is.

        Raises:
            CotaError: the files do not fit, or the folder is a board of another kind.
        """
        self._check_profile()
        self._hardware()
        if self.volume.exists():
            return False
        files = drive_files(device_tree)
        shipped = files.get("settings.toml", b"").decode("utf-8")
        files["settings.toml"] = with_settings(shipped, self.settings).encode()
        self.volume.make({**files, **(extra or {})})
        return True

    def files(self) -> dict[str, tuple[int, str]]:
        """List the drive: path without a leading slash -> (length, SHA-256 in hex)."""
        return self.volume.files()

    def read(self, path: str) -> bytes:
        """Read a file of the drive.

        Raises:
            CotaError: there is no such file.
        """
        return self.volume.read(path)

    # Power.

    def start(self) -> None:
        """Switch the power on, in the running event loop.

        Raises:
            RuntimeError: it is on.
        """
        if self._task is not None and not self._task.done():
            raise RuntimeError(f"board {self.name} is on")
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self.run(self._stop), name=f"board {self.name}")

    async def stop(self) -> None:
        """Switch the power off: a power cut, and wait until the VM is gone. An error of the board's task is raised here."""
        self.cut_power()
        if self._task is not None:
            task, self._task = self._task, None
            await task

    def cut_power(self) -> None:
        """Cut the power at this instant."""
        self._stop.set()
        self._kill()

    def press_reset(self) -> None:
        """Press the reset button."""
        self._pressed.set()

    def set_network(self, up: bool) -> None:
        """Take the Wi-Fi network away from the board, or give it back."""
        (self.folder / "radio").write_bytes(b"1" if up else b"0")

    async def run(self, stop: asyncio.Event) -> None:
        """Live from power-on until `stop` is set; then the power is cut."""
        self._pressed = asyncio.Event()
        self._hardware()
        if not self.volume.exists():
            raise CotaError(f"Board {self.name} has no drive in {self.folder}.", "Call prepare() first.")
        ended = asyncio.create_task(stop.wait())
        following = lifecycle.Next("boot", lifecycle.power_on(self.profile.msc))
        try:
            while not stop.is_set():
                self.phase = following.phase
                if following.phase == "wait":
                    await self._until(ended, self._pressed.wait())
                    if not stop.is_set():
                        following = self._reset_pressed()
                    continue
                following = await self._run_phase(following, ended)
        finally:
            ended.cancel()
            self.phase = "off"

    async def _until(self, *events: Any) -> None:
        """Wait for the first of several; what was made for this wait alone is cancelled."""
        tasks = [asyncio.ensure_future(event) for event in events]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task, event in zip(tasks, events, strict=True):
            if task is not event and not task.done():
                task.cancel()

    def _reset_pressed(self) -> lifecycle.Next:
        self._pressed.clear()
        return lifecycle.Next("boot", lifecycle.power_on(self.profile.msc, "RESET_PIN"))

    async def _run_phase(self, now: lifecycle.Next, ended: "asyncio.Task[bool]") -> lifecycle.Next:
        if now.phase == "code" and self.program and now.ram["next_code"] is None:
            now = lifecycle.Next("code", lifecycle.name_code(now.ram, self.program))
        named, ram = lifecycle.start_code(now.ram) if now.phase == "code" else (None, now.ram)
        script = self._write_run(now.phase, named, ram)
        self.runs += 1
        heap = self.profile.heap + self.profile.nvm_bytes + _SHIM_HEAP_BYTES
        async with self._starting:
            self._process = process = await asyncio.create_subprocess_exec(
                *self.vm.argv(script, heap),
                # Open as long as the rack lives, and nothing is ever written to it.
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self.folder,
                # Ctrl-C on the rack's terminal is not Ctrl-C on the boards' consoles.
                start_new_session=True,
            )
        finished = asyncio.create_task(self._drain(process))
        bite = asyncio.create_task(self._watch_the_watchdog())
        pressed = asyncio.create_task(self._pressed.wait())
        try:
            await asyncio.wait((finished, bite, pressed, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not finished.done():
                self._kill()
                await finished
            bite.cancel()
            pressed.cancel()
            self._process = None
            self.console.end_line()
            self._keep_network_counts()
        if ended.done():
            return lifecycle.Next("wait", ram)
        if self._pressed.is_set():
            return self._reset_pressed()
        return self._after(now.phase, named, bitten=bite.done() and not bite.cancelled())

    def _after(self, phase: str, named: dict[str, Any] | None, bitten: bool) -> lifecycle.Next:
        msc = self.profile.msc
        report = self._report()
        if report is None:
            if bitten:
                self.console.say("[watchdog: reset]")
                return lifecycle.after_watchdog(msc)
            self.console.say("[the VM died: a hard fault; safe mode]")
            return lifecycle.after_crash(msc)
        outcome, ram = report["outcome"], report["ram"]
        if outcome == "reset":
            return lifecycle.after_reset(report["run_mode"], msc)
        if phase == "safemode":
            return lifecycle.after_safemode(ram)
        if phase == "boot":
            return lifecycle.after_boot(outcome, report["traceback"], ram)
        following = lifecycle.after_code(outcome, report["traceback"], named, ram)
        if outcome != "reload":
            self.console.say("Code done running.")
        return following

    async def _drain(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stdout
        if stream is None:
            raise RuntimeError("the VM was started without a pipe")
        while data := await stream.read(_READ_BYTES):
            self.console.feed(data)
        await process.wait()

    async def _watch_the_watchdog(self) -> None:
        """Return when a watchdog that the program armed has not been fed in time."""
        record = str(self.folder / "wdt")
        loop = asyncio.get_running_loop()
        last, since = b"", loop.time()
        while True:
            await asyncio.sleep(_WATCHDOG_POLL_SECONDS)
            try:
                if os.stat(record).st_size == 0:
                    continue  # not armed, which is the usual case and must cost next to nothing
                with open(record, "rb") as f:
                    seen = f.read()
            except FileNotFoundError:
                continue
            if seen != last:
                last, since = seen, loop.time()
            milliseconds = int(seen[:10]) if len(seen) > 20 else 0
            if milliseconds and (loop.time() - since) * 1000 > milliseconds:
                return

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    # The board's hardware as files.

    def _check_profile(self) -> None:
        record = self.folder / "board.json"
        if record.exists():
            kind = json.loads(record.read_text(encoding="utf-8"))["profile"]
            if kind != self.profile.name:
                raise CotaError(
                    f"{self.folder} holds a {kind}, not a {self.profile.name}.",
                    "Use another folder (--dir), or the board that is there (--board).",
                )
        else:
            record.write_text(json.dumps({"name": self.name, "profile": self.profile.name}) + "\n", encoding="utf-8")

    def _hardware(self) -> None:
        nvm = self.folder / "nvm.bin"
        if not nvm.exists():
            nvm.write_bytes(b"\xff" * self.profile.nvm_bytes)
        self.set_network(up=True)

    def _write_run(self, phase: str, named: dict[str, Any] | None, ram: lifecycle.Ram) -> Path:
        identity = hashlib.sha256(self.name.encode()).hexdigest()
        for left_over in ("out.json", "wdt"):
            (self.folder / left_over).unlink(missing_ok=True)
        config = {
            "phase": phase,
            "folder": str(self.folder),
            "image": str(self.volume.path),
            "drive": str(self.volume.path),
            "profile": self.profile.for_board(),
            "uid": identity[:16],
            # 28:cd:c1 is Raspberry Pi's; nothing leaves this machine under it.
            "mac": "28cdc1" + identity[16:22],
            "usb": self.options.usb,
            "wifi_ssid": self.settings["WIFI_SSID"],
            "wifi_password": self.settings["WIFI_PASSWORD"],
            "ca_bundle": str(self.options.ca_bundle.resolve()) if self.options.ca_bundle else None,
            "hosts": dict(self.options.hosts),
            "sha256": self.options.sha256,
            "next_code": named,
            "ram": ram,
        }
        (self.folder / "run.json").write_text(json.dumps(config), encoding="utf-8")
        script = self.folder / "start.py"
        script.write_text(start_script("runner", str(self.folder / "run.json")), encoding="utf-8")
        return script

    def _report(self) -> dict[str, Any] | None:
        try:
            report: dict[str, Any] = json.loads((self.folder / "out.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # the run was cut off before it could report
        return report

    def _keep_network_counts(self) -> None:
        """Append the run's counts to network.jsonl: host:port -> [connections, bytes in, bytes out]."""
        try:
            counts = json.loads((self.folder / "net.json").read_text(encoding="utf-8").partition("\n")[0])
        except (OSError, ValueError):
            return  # the run opened no connection
        if counts:
            with (self.folder / "network.jsonl").open("a", encoding="utf-8") as f:
                f.write(json.dumps(counts) + "\n")

    def network(self) -> dict[str, list[int]]:
        """Sum the network counts of all runs: host:port -> [connections, bytes in, bytes out]."""
        total: dict[str, list[int]] = {}
        log = self.folder / "network.jsonl"
        if log.exists():
            for line in log.read_text(encoding="utf-8").splitlines():
                for host, counts in json.loads(line).items():
                    sums = total.setdefault(host, [0, 0, 0])
                    for at, count in enumerate(counts):
                        sums[at] += count
        return total


def warn_if_not_real(vm: Vm) -> None:
    """Say loudly that boards on CPython prove less."""
    if vm.kind == "cpython":
        print(
            "cota: NO MICROPYTHON VM: the boards run on CPython. Their heap is not limited and their drives are folders, so memory and\n"
            "      power cuts are not tested. Install the VM with: pip install 'circuitpython-cota[sim]'",
            file=sys.stderr,
        )
