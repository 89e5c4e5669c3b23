"""One simulated board: its folder on the host, and its life from power-on to power cut.

Each run of the board (boot.py, then the program, again after each reload or reset) is one process of a VM with a heap of its own. The drive
is a plain image file that every sector reaches at once, so killing the process is a power cut.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cota.drive.tree import drive_files, with_settings
from cota.errors import CotaError
from cota.sim import lifecycle
from cota.sim.console import Console, LineListener
from cota.sim.hardware import Hardware
from cota.sim.profiles import Profile
from cota.sim.vm import Vm, find_vm
from cota.sim.volume import open_volume

# The one network of the simulated world, unless the settings name another.
WIFI_SSID = "cota-sim"
WIFI_PASSWORD = "simulated-network"  # noqa: S105  (a network that exists only in the simulator)
# Heap of the 64-bit VM that the shims and the configuration take before the program starts; measured, held by a test.
_SHIM_HEAP_BYTES = 90_500
_READ_BYTES = 4096


@dataclass(frozen=True)
class BoardOptions:
    """What surrounds a board.

    Attributes:
        usb: A computer is attached and has the drive.
        ca_bundle: PEM file of the certificate authorities in the board's firmware; None: it trusts none.
        hosts: Name -> `address:port` on this machine, for tests that stand in for a public server.
        speed: How many times faster than this machine's the board's clock runs, so that a day of trial fits a test.
        naps: How many times faster still it runs while the program sleeps. Sockets keep this machine's time, so that a network's deadlines
            mean what they say where hours of waiting fit a test.
        sha256: False for a board of CircuitPython 9, whose hashlib has only sha1.
    """

    usb: bool = False
    ca_bundle: Path | None = None
    hosts: Mapping[str, str] = field(default_factory=dict)
    sha256: bool = True
    speed: float = 1.0
    naps: float = 1.0


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
        sectors_written: 512-byte sectors written to the drive since this object was made, save in runs that a power cut ended.
        page0_writes: Writes among them that touched page 0, which holds the FAT.
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
        self.sectors_written = 0
        self.page0_writes = 0
        self.volume = open_volume(self.folder, profile, self.vm)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.console = Console(self.folder / "console.log", listener)
        self._hardware = Hardware(self.folder, name, profile)
        self._starting = starting or contextlib.nullcontext()
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._pressed = asyncio.Event()
        self._reloaded = asyncio.Event()

    # The drive.

    def prepare(self, device_tree: Path, extra: Mapping[str, bytes] | None = None) -> bool:
        """Make the drive if there is none: the device tree, the board's settings.toml, and `extra` over both.

        Returns:
            Whether it was made; an existing drive is left as it is.

        Raises:
            CotaError: the files do not fit, or the folder is a board of another kind.
        """
        self._hardware.claim()
        self._hardware.make()
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

    @property
    def pid(self) -> int | None:
        """The process of the VM; None while no program runs."""
        return None if self._process is None else self._process.pid

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

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C on the console: KeyboardInterrupt in what runs; when it ends the program, the board is at the REPL (`wait`).

        MicroPython raises it at once, even in the midst of a collection of garbage, and then its heap stays locked; boards raise it between
        two bytecodes. So press it while the program sleeps, not while it imports.
        """
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)

    def press_ctrl_d(self) -> None:
        """Press Ctrl-D at the REPL: the program runs again, without boot.py. Nothing happens while something runs, and in safe mode."""
        if self.phase == "wait":
            self._reloaded.set()

    def hard_fault(self) -> None:
        """Crash what runs, as a defect of the firmware does: the board shows a hard fault and starts in safe mode."""
        self._kill()

    def set_network(self, up: bool) -> None:
        """Take the Wi-Fi network away from the board, or give it back."""
        self._hardware.set_network(up)

    async def run(self, stop: asyncio.Event) -> None:
        """Live from power-on until `stop` is set; then the power is cut."""
        self._pressed, self._reloaded = asyncio.Event(), asyncio.Event()
        self._hardware.make()
        if not self.volume.exists():
            raise CotaError(f"Board {self.name} has no drive in {self.folder}.", "Call prepare() first.")
        ended = asyncio.create_task(stop.wait())
        following = lifecycle.Next("boot", lifecycle.power_on(self.profile.msc))
        try:
            while not stop.is_set():
                self.phase = following.phase
                if following.phase == "wait":
                    await self._until(ended, self._pressed.wait(), self._reloaded.wait())
                    if not stop.is_set():
                        following = self._reset_pressed() if self._pressed.is_set() else lifecycle.after_repl(following.ram)
                    self._reloaded.clear()
                    continue
                if following.phase == "sleep":
                    nap = asyncio.sleep(following.ram["sleep_seconds"] / self.options.speed / self.options.naps)
                    await self._until(ended, self._pressed.wait(), nap)
                    pressed = self._pressed.is_set()
                    following = self._reset_pressed() if pressed else lifecycle.after_sleep(self.profile.msc, self.profile.rp2)
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
        script = self._hardware.write_run(now.phase, self._surroundings(named, ram))
        self.runs += 1
        heap = self.profile.vm_heap + self.profile.nvm_bytes + _SHIM_HEAP_BYTES
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
        bite = asyncio.create_task(self._hardware.watchdog_bites(self.options.speed))
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
            self._hardware.keep_network_counts()
        if ended.done():
            return lifecycle.Next("wait", ram)
        if self._pressed.is_set():
            return self._reset_pressed()
        return self._after(now.phase, named, bitten=bite.done() and not bite.cancelled())

    def _surroundings(self, named: dict[str, Any] | None, ram: lifecycle.Ram) -> dict[str, Any]:
        options = self.options
        return {
            "image": str(self.volume.path),
            "drive": str(self.volume.path),
            "usb": options.usb,
            "wifi_ssid": self.settings["WIFI_SSID"],
            "wifi_password": self.settings["WIFI_PASSWORD"],
            "ca_bundle": str(options.ca_bundle.resolve()) if options.ca_bundle else None,
            "hosts": dict(options.hosts),
            "sha256": options.sha256,
            "speed": options.speed,
            "naps": options.naps,
            "next_code": named,
            "ram": ram,
        }

    def _after(self, phase: str, named: dict[str, Any] | None, bitten: bool) -> lifecycle.Next:
        msc = self.profile.msc
        report = self._hardware.report()
        if report is None:
            if bitten:
                self.console.say("[watchdog: reset]")
                return lifecycle.after_watchdog(msc)
            self.console.say("[the VM died: a hard fault; safe mode]")
            return lifecycle.after_crash(msc)
        outcome, ram = report["outcome"], report["ram"]
        self.sectors_written += report["written"][0]
        self.page0_writes += report["written"][1]
        if outcome == "sleep":
            return lifecycle.Next("sleep", ram)
        if outcome == "reset":
            return lifecycle.after_reset(report["run_mode"], msc)
        if phase == "safemode":
            return lifecycle.after_safemode(ram)
        if phase == "boot":
            return lifecycle.after_boot(outcome, report["traceback"], ram)
        following = lifecycle.after_code(outcome, report["traceback"], named, ram)
        self.phase = following.phase  # before it is said, so that who hears it may press a key
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

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def network(self) -> dict[str, list[int]]:
        """Sum the network counts of all runs that have ended: host:port -> [connections, bytes in, bytes out]."""
        return self._hardware.network()


def warn_if_not_real(vm: Vm) -> None:
    """Say loudly that boards on CPython prove less."""
    if vm.kind == "cpython":
        print(
            "cota: NO MICROPYTHON VM: the boards run on CPython. Their heap is not limited and their drives are folders, so memory and\n"
            "      power cuts are not tested. Install the VM with: pip install 'circuitpython-cota[sim]'",
            file=sys.stderr,
        )
