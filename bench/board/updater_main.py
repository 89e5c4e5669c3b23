"""The program of a measured board: idle polls, then the releases that the bench assigns, one after the other."""

import os

import probe
import wifi

import ota

MORE_THAN_A_POLL = 91  # seconds; the poll interval is 60, give or take a half

wifi.radio.connect(os.getenv("WIFI_SSID"), os.getenv("WIFI_PASSWORD"))
updater = ota.OverTheAirUpdate()


def poll():
    probe.skip(MORE_THAN_A_POLL)
    return updater.is_new_firmware_available()


updater.is_new_firmware_available()
poll()  # later than the trial's 60 seconds: a release on trial is confirmed here
probe.mark("contact")
for _ in range(probe.options["polls"]):
    poll()
probe.mark("polled")
for _ in range(probe.options["calls"]):
    updater.is_new_firmware_available()
probe.mark("between")
probe.rest()
poll()
if probe.mark("assign"):
    probe.rest()
    if not poll():
        raise RuntimeError("the release was not seen")
    updater.begin()
    while updater.step() != "done":
        probe.step()
    probe.step()
    probe.mark("committed")
    updater.restart()
probe.mark("end")
