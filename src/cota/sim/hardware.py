"""A board's hardware as files in its folder: what one run of the VM is told, and what it leaves behind.

`run.json` and `start.py` go in; `out.json` (how the run ended), `net.json` (its traffic) and `wdt` (when the watchdog was fed) come out;
`nvm.bin` and `radio` (is the network there?) stay.
"""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from cota.errors import CotaError
from cota.sim.profiles import Profile
from cota.sim.volume import start_script

# How often the rack looks whether a watchdog was fed.
_WATCHDOG_POLL_SECONDS = 0.2
# "milliseconds counter": ten digits each, so that a record is overwritten in place.
_WATCHDOG_DIGITS = 10


class Hardware:
    """The files of one board.

    Args:
        folder: Where they are.
        name: The board's name; its unique id and MAC address are made from it.
        profile: What kind of board it is.
    """

    def __init__(self, folder: Path, name: str, profile: Profile) -> None:
        self._folder = folder
        self._name = name
        self._profile = profile

    def claim(self) -> None:
        """Record what kind of board lives here.

        Raises:
            CotaError: it is another kind.
        """
        record = self._folder / "board.json"
        if not record.exists():
            record.write_text(json.dumps({"name": self._name, "profile": self._profile.name}) + "\n", encoding="utf-8")
            return
        kind = json.loads(record.read_text(encoding="utf-8"))["profile"]
        if kind != self._profile.name:
            raise CotaError(
                f"{self._folder} holds a {kind}, not a {self._profile.name}.",
                "Use another folder (--dir), or the board that is there (--board).",
            )

    def make(self) -> None:
        """Make what a new board has, and give it back its network."""
        nvm = self._folder / "nvm.bin"
        if not nvm.exists():
            nvm.write_bytes(b"\xff" * self._profile.nvm_bytes)
        self.forget()
        self.set_network(up=True)

    def forget(self) -> None:
        """What a power loss takes: alarm.sleep_memory."""
        (self._folder / "sleep.bin").write_bytes(bytes(self._profile.sleep_bytes))

    def set_network(self, up: bool) -> None:
        """Take the Wi-Fi network away, or give it back."""
        (self._folder / "radio").write_bytes(b"1" if up else b"0")

    def write_run(self, phase: str, surroundings: dict[str, Any]) -> Path:
        """Write what the next run is told; give the script that starts it."""
        for left_over in ("out.json", "wdt"):
            (self._folder / left_over).unlink(missing_ok=True)
        identity = hashlib.sha256(self._name.encode()).hexdigest()
        config = {
            **surroundings,
            "phase": phase,
            "folder": str(self._folder),
            "profile": self._profile.for_board(),
            "uid": identity[:16],
            # 28:cd:c1 is Raspberry Pi's; nothing leaves this machine under it.
            "mac": "28cdc1" + identity[16:22],
        }
        (self._folder / "run.json").write_text(json.dumps(config), encoding="utf-8")
        script = self._folder / "start.py"
        script.write_text(start_script("runner", str(self._folder / "run.json")), encoding="utf-8")
        return script

    def report(self) -> dict[str, Any] | None:
        """Read how the last run ended; None if it was cut off before it could say."""
        try:
            report: dict[str, Any] = json.loads((self._folder / "out.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return report

    async def watchdog_bites(self, speed: float) -> None:
        """Return when a watchdog that the program armed has not been fed in time."""
        record = str(self._folder / "wdt")
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
            milliseconds = int(seen[:_WATCHDOG_DIGITS]) if len(seen) > 2 * _WATCHDOG_DIGITS else 0
            if milliseconds and (loop.time() - since) * speed * 1000 > milliseconds:
                return

    def keep_network_counts(self) -> None:
        """Append the run's counts to network.jsonl."""
        try:
            counts = json.loads((self._folder / "net.json").read_text(encoding="utf-8").partition("\n")[0])
        except (OSError, ValueError):
            return  # the run closed no connection
        if counts:
            with (self._folder / "network.jsonl").open("a", encoding="utf-8") as f:
                f.write(json.dumps(counts) + "\n")

    def network(self) -> dict[str, list[int]]:
        """Sum the kept counts: host:port -> [connections, bytes in, bytes out]."""
        total: dict[str, list[int]] = {}
        log = self._folder / "network.jsonl"
        if log.exists():
            for line in log.read_text(encoding="utf-8").splitlines():
                for host, counts in json.loads(line).items():
                    sums = total.setdefault(host, [0, 0, 0])
                    for at, count in enumerate(counts):
                        sums[at] += count
        return total
