"""boot_out.txt: what CircuitPython tells of itself and its board at each start."""

import re
from dataclasses import dataclass

BOOT_OUT = "boot_out.txt"
# CircuitPython's own first lines (supervisor/shared/filesystem and main.c); what boot.py prints comes after them.
_FIRST = re.compile(r"Adafruit CircuitPython (\S+) on \S+; (.+) with (.+)")
_OLDEST = (9, 0)
_NEWEST_MAJOR = 10
_SHA256_SINCE = (10, 1)
# Chips whose CircuitPython has no module `wifi`, and boards without the radio of their look-alikes.
_NO_WIFI_CHIPS = ("samd", "nrf", "stm32", "imxrt", "mimxrt", "same5", "saml")
_NO_WIFI_BOARDS = ("raspberry_pi_pico", "raspberry_pi_pico2")
_UID_TAIL = 6  # characters of the chip's id that tell the boards of a house apart


@dataclass(frozen=True)
class BoardInfo:
    """A board as it describes itself.

    Attributes:
        version: CircuitPython's version, such as "10.0.3".
        name: The board's name for people.
        chip: Its chip.
        board_id: CircuitPython's board id; "" where it was not told.
        uid: The chip's own number in hex; "" where it was not told.
    """

    version: str
    name: str
    chip: str
    board_id: str = ""
    uid: str = ""

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version; (0, 0) where the version is none."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def device_name(self) -> str:
        """A device's name that is this board's own; "" where the board told no id of its chip."""
        return f"{self.board_id or 'board'}-{self.uid[-_UID_TAIL:].lower()}" if self.uid else ""

    def refusal(self) -> tuple[str, str] | None:
        """Why cOTA cannot run on this board, and what to do about it; None where it can."""
        if self.release < _OLDEST:
            return (
                f"{self.name} runs CircuitPython {self.version}; cOTA needs 9.0 or newer.",
                f"Install the newest from https://circuitpython.org/board/{self.board_id or ''}, then run this again.",
            )
        if self.board_id in _NO_WIFI_BOARDS or self.chip.lower().startswith(_NO_WIFI_CHIPS):
            return (
                f"{self.name} ({self.chip}) has no Wi-Fi that CircuitPython can use.",
                "cOTA needs a board with the module `wifi`: a Pico W, a Pico 2 W, or an ESP32-S2, -S3, -C3 or -C6.",
            )
        return None

    def notes(self) -> list[str]:
        """What a user should know of this version of CircuitPython."""
        if self.release < _SHA256_SINCE:
            return [
                f"CircuitPython {self.version} has no SHA-256: packages with the address of a repository work, "
                "what needs SHA-256 is refused. 10.1 or newer has it."
            ]
        if self.release[0] > _NEWEST_MAJOR:
            return [f"CircuitPython {self.version} is newer than this cOTA was tried with (9 and 10)."]
        return []


def parse_boot_out(text: str) -> BoardInfo | None:
    """Read the text of boot_out.txt; None where it is not CircuitPython's."""
    lines = text.splitlines()
    first = _FIRST.match(lines[0]) if lines else None
    if first is None:
        return None
    told = dict(line.split(":", 1) for line in lines[1:4] if ":" in line)
    return BoardInfo(first[1], first[2], first[3].strip(), told.get("Board ID", "").strip(), told.get("UID", "").strip())
