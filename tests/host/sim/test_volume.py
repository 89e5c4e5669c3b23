"""The drive as the host sees it: CircuitPython's geometry, judged by tools that nobody here wrote."""

import hashlib
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from cota.errors import CotaError
from cota.sim import PROFILES, Profile, find_profile, find_vm
from cota.sim.vm import Vm
from cota.sim.volume import FRESH_FILES, FolderVolume, ImageVolume, Volume, open_volume

from .conftest import MakeBench

FILES = {
    "main.py": b"print('hi')\n",
    "lib/pkg/deep/module_with_a_long_name.py": b"x = 1\n" * 2000,
    "data/sound.bin": bytes(range(256)) * 20,
    "empty.txt": b"",
}


@pytest.fixture(scope="module")
def vm() -> Vm:
    pytest.importorskip("micropython_unix", reason="the MicroPython VM is not installed")
    return find_vm("micropython")


@pytest.fixture(params=["image", "folder"])
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Volume:
    profile = find_profile("pico-w")
    return (
        ImageVolume(tmp_path / "drive.img", profile, find_vm()) if request.param == "image" else FolderVolume(tmp_path / "drive", profile)
    )


def test_what_is_put_on_a_drive_is_listed_with_its_digests_and_read_back(volume: Volume) -> None:
    assert not volume.exists()
    volume.make(FILES)
    assert volume.exists()
    expected = {path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in {**FRESH_FILES, **FILES}.items()}
    assert volume.files() == expected
    assert volume.read("data/sound.bin") == FILES["data/sound.bin"]
    assert volume.read("/empty.txt") == b""


def test_files_are_replaced_added_and_removed_on_an_existing_drive(volume: Volume) -> None:
    volume.make(FILES)
    before = volume.free_bytes()
    volume.write({"main.py": b"new", "fresh/one.txt": b"1" * 600})
    assert volume.read("main.py") == b"new" and volume.read("fresh/one.txt") == b"1" * 600
    assert volume.free_bytes() < before
    volume.remove("fresh/one.txt")
    volume.remove("fresh")
    assert volume.free_bytes() == before
    assert "fresh/one.txt" not in volume.files()


def test_what_is_not_there_is_one_clear_error(volume: Volume) -> None:
    volume.make({})
    with pytest.raises(CotaError, match=r"There is no /gone\.py on the drive"):
        volume.read("gone.py")
    with pytest.raises(CotaError, match=r"/?gone\.py"):
        volume.remove("gone.py")


def test_files_that_do_not_fit_are_refused_by_name_and_leave_no_drive(vm: Vm, tmp_path: Path) -> None:
    volume = ImageVolume(tmp_path / "drive.img", find_profile("pico-w"), vm)
    with pytest.raises(CotaError, match=r"/b\.bin does not fit on the 508 KiB drive of a pico-w") as caught:
        volume.make({"a.bin": bytes(300_000), "b.bin": bytes(300_000)})
    assert caught.value.hint is not None and "--board" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_too_refuses_what_a_drive_could_not_hold(tmp_path: Path) -> None:
    with pytest.raises(CotaError, match="508 KiB drive of a pico-w"):
        FolderVolume(tmp_path / "drive", find_profile("pico-w")).make({"a.bin": bytes(600_000)})


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_geometry_is_circuitpythons(profile: Profile, vm: Vm, tmp_path: Path) -> None:
    volume = ImageVolume(tmp_path / "drive.img", profile, vm)
    volume.make({})
    boot = volume.path.read_bytes()[:512]
    sector, sectors_per_cluster, _, fats, root_entries = struct.unpack_from("<HBHBH", boot, 11)
    assert (sector, fats, root_entries) == (512, 1, 512)
    assert sector * sectors_per_cluster == profile.cluster
    assert volume.path.stat().st_size == profile.drive_bytes


def test_a_pico_w_has_its_root_in_sectors_4_to_35_and_490_kib_to_use(vm: Vm, tmp_path: Path) -> None:
    volume = ImageVolume(tmp_path / "drive.img", find_profile("pico-w"), vm)
    volume.make({})
    image = volume.path.read_bytes()
    reserved, fat_sectors = struct.unpack_from("<H", image, 14)[0], struct.unpack_from("<H", image, 22)[0]
    assert reserved + fat_sectors == 4
    assert image[4 * 512 : 4 * 512 + 12] == b"CIRCUITPY  \x08"
    assert 488 * 1024 < volume.free_bytes() <= 490 * 1024


@pytest.mark.skipif(shutil.which("fsck.fat") is None, reason="fsck.fat is not installed (dosfstools)")
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_fsck_finds_nothing_wrong_with_a_fresh_drive(profile: Profile, vm: Vm, tmp_path: Path) -> None:
    volume = ImageVolume(tmp_path / "drive.img", profile, vm)
    volume.make(FILES)
    done = subprocess.run(["fsck.fat", "-n", volume.path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("fsck.fat") is None, reason="fsck.fat is not installed (dosfstools)")
def test_fsck_finds_nothing_wrong_after_a_board_has_written(vm_bench: MakeBench) -> None:
    main = """
import os, storage
storage.remount("/", False)
os.mkdir("/logs")
for n in range(20):
    with open("/logs/a long name %d.txt" % n, "w") as f:
        f.write("line\\n" * 50 * n)
for n in range(0, 20, 2): os.remove("/logs/a long name %d.txt" % n)
os.rename("/logs", "/old logs")
"""
    make = vm_bench({"main.py": main})
    make.run_until()
    done = subprocess.run(["fsck.fat", "-n", make.board.volume.path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert make.board.files()["old logs/a long name 19.txt"][0] == 19 * 250


@pytest.mark.skipif(shutil.which("mdir") is None, reason="mdir is not installed (mtools)")
def test_mtools_lists_the_drive_of_a_board(vm: Vm, tmp_path: Path) -> None:
    volume = ImageVolume(tmp_path / "drive.img", find_profile("pico-w"), vm)
    volume.make(FILES)
    listing = subprocess.run(["mdir", "-b", "-/", "-i", volume.path, "::/"], capture_output=True, text=True, check=True).stdout
    assert "::/lib/pkg/deep/module_with_a_long_name.py" in listing.splitlines()
    label = subprocess.run(["mdir", "-i", volume.path, "::/"], capture_output=True, text=True, check=True).stdout
    assert "Volume in drive : is CIRCUITPY" in label


def test_an_image_that_is_no_file_system_is_one_clear_error(vm: Vm, tmp_path: Path) -> None:
    volume = ImageVolume(tmp_path / "drive.img", find_profile("pico-w"), vm)
    volume.path.write_bytes(b"\xff" * 508 * 1024)
    with pytest.raises(CotaError, match=r"drive\.img"):
        volume.files()


def test_a_vm_without_fat_gets_a_folder(tmp_path: Path) -> None:
    assert open_volume(tmp_path, find_profile("pico-w"), find_vm("cpython")).path == tmp_path / "drive"
