"""The program of a measured board that loses its power once, when half of a release is there."""

import os

import microcontroller
import probe
import wifi

import ota

MORE_THAN_A_POLL = 91  # seconds; the poll interval is 60, give or take a half

wifi.radio.connect(os.getenv("WIFI_SSID"), os.getenv("WIFI_PASSWORD"))
updater = ota.OverTheAirUpdate()


def poll():
    probe.skip(MORE_THAN_A_POLL)
    return updater.is_new_firmware_available()


is_first = probe.first()
updater.is_new_firmware_available()
poll()
if is_first:
    probe.mark("contact")
    if not probe.mark("assign"):
        raise RuntimeError("there is nothing to do")
if poll():
    updater.begin()
    while updater.step() != "done":
        if is_first and updater.phase == "fetch" and 2 * updater.done >= updater.total:
            microcontroller.reset()
    updater.restart()
probe.mark("contact")
probe.mark("end")
