"""What is known of each kind of board: memory, drive, limits.

Sources: CircuitPython 10's linker maps and `statvfs` on the boards (heap at the start of code.py, drive, clusters), the ports' watchdog
limits (RP2: 8.388 s; Espressif: the profile's 120 s), and mbedTLS's buffers (16 KiB in, 4 KiB out, contexts: 30.6 KB of heap a connection).
Socket and connection counts are the simulator's own, chosen at the low end of what the ports allow.
"""

from dataclasses import asdict, dataclass

from cota.errors import CotaError

KIB = 1024
_TLS_BYTES = 30_600
# The VM here has 64-bit words. The library, loaded, takes 67,968 bytes in it and 50,880 in one built for 32 bits, so a board's heap is
# a third larger here, and so is what TLS takes of it: the same program fills the same part of both.
_WORDS = (4, 3)


@dataclass(frozen=True)
class Profile:
    """One kind of board.

    Attributes:
        name: What `--board` takes.
        board_id: CircuitPython's board id.
        machine: The board's name in boot_out.txt.
        mcu: The chip's name in boot_out.txt.
        heap: Bytes of heap that a program finds free.
        drive_bytes: Bytes of the FAT region of the flash.
        cluster: Bytes of a cluster, as FatFs chooses it for that region.
        erase_unit: Bytes of flash that are erased at once.
        msc: Whether the drive is offered over USB, and so read-only to programs by default.
        rp2: Whether the chip is Raspberry Pi's (its watchdog cannot be stopped).
        watchdog_max: Longest watchdog timeout in seconds.
        nvm_bytes: Bytes of microcontroller.nvm.
        sleep_bytes: Bytes of alarm.sleep_memory; 0: the board has no `alarm`.
        sockets: Sockets open at once.
        tls_connections: TLS connections open at once.
        tls_bytes: Bytes of heap that an open TLS connection holds.
        version: CircuitPython's version.
    """

    name: str
    board_id: str
    machine: str
    mcu: str
    heap: int
    drive_bytes: int
    cluster: int = 512
    erase_unit: int = 4096
    msc: bool = True
    rp2: bool = False
    watchdog_max: float = 120.0
    nvm_bytes: int = 8192
    sleep_bytes: int = 4096
    sockets: int = 8
    tls_connections: int = 2
    tls_bytes: int = 0
    version: str = "10.3.1"

    @property
    def vm_heap(self) -> int:
        """Bytes of heap that the 64-bit VM gives the program in place of the board's `heap`."""
        return self.heap * _WORDS[0] // _WORDS[1]

    def for_board(self) -> dict[str, object]:
        """The profile as the runner reads it."""
        return {**asdict(self), "tls_bytes": self.tls_bytes * _WORDS[0] // _WORDS[1]}


def _espressif(name: str, board_id: str, machine: str, mcu: str, heap: int, drive: int, cluster: int, psram: bool, msc: bool) -> Profile:
    # TLS lives in the IDF's own heap there, so a connection takes nothing of the program's.
    return Profile(name, board_id, machine, mcu, heap, drive, cluster, msc=msc, tls_connections=8 if psram else 2)


_PROFILES = (
    Profile(
        "pico-w",
        "raspberry_pi_pico_w",
        "Raspberry Pi Pico W",
        "rp2040",
        heap=187 * KIB,
        drive_bytes=508 * KIB,
        rp2=True,
        watchdog_max=8.388,
        nvm_bytes=4096,
        sleep_bytes=256,
        tls_connections=3,
        tls_bytes=_TLS_BYTES,
    ),
    Profile(
        "pico-2-w",
        "raspberry_pi_pico2_w",
        "Raspberry Pi Pico 2 W",
        "rp2350a",
        heap=420 * KIB,
        drive_bytes=2556 * KIB,
        cluster=1024,
        rp2=True,
        watchdog_max=8.388,
        nvm_bytes=4096,
        sleep_bytes=0,
        tls_connections=4,
        tls_bytes=_TLS_BYTES,
    ),
    _espressif("esp32-s2", "adafruit_feather_esp32s2", "Adafruit Feather ESP32S2", "ESP32S2", 2040 * KIB, 960 * KIB, 512, True, True),
    _espressif(
        "esp32-s3", "espressif_esp32s3_devkitc_1_n8", "ESP32-S3-DevKitC-1-N8", "ESP32S3", 155 * KIB, 3776 * KIB, 1024, False, True
    ),
    _espressif(
        "esp32-s3-4mb", "adafruit_feather_esp32s3_4mbflash_2mbpsram", "Adafruit Feather ESP32S3 4MB Flash 2MB PSRAM", "ESP32S3",
        2040 * KIB, 960 * KIB, 512, True, True,
    ),
    _espressif("esp32-c3", "espressif_esp32c3_devkitm_1_n4", "ESP32-C3-DevKitM-1", "ESP32-C3FN4", 130 * KIB, 1216 * KIB, 512, False, False),
    _espressif("esp32-c6", "espressif_esp32c6_devkitc_1_n8", "ESP32-C6-DevKitC-1", "ESP32-C6", 230 * KIB, 4032 * KIB, 1024, False, False),
)  # fmt: skip
PROFILES = {profile.name: profile for profile in _PROFILES}
DEFAULT_PROFILE = "pico-w"


def find_profile(name: str) -> Profile:
    """Find a profile by its name.

    Raises:
        CotaError: there is none of that name.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise CotaError(f"There is no board profile named {name!r}.", f"Choose one of: {', '.join(PROFILES)}.") from None
