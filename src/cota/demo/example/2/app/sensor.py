"""The thermometer: the chip's own, so that the program runs on any board."""

import microcontroller


def celsius():
    return microcontroller.cpu.temperature
