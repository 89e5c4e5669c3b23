"""A rack of simulated boards: each a VM process over its own FAT image, running the real device code."""

from cota.drive.tree import device_tree
from cota.sim.board import Board, BoardOptions
from cota.sim.power import PowerCuts, any_seed
from cota.sim.profiles import DEFAULT_PROFILE, PROFILES, Profile, find_profile
from cota.sim.rack import Rack
from cota.sim.vm import Vm, find_vm

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "Board",
    "BoardOptions",
    "PowerCuts",
    "Profile",
    "Rack",
    "Vm",
    "any_seed",
    "device_tree",
    "find_profile",
    "find_vm",
]
