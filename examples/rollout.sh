#!/usr/bin/env bash
# From a tag to the fleet, for any CI that has bash and Python 3.11 or newer; run it in the checked-out repository.
#
#   COTA_URL       address of the ThingsBoard server
#   COTA_API_KEY   an API key (or COTA_USERNAME and COTA_PASSWORD)
#   COTA_CANARY    the device that gets the release first
#   COTA_SHARE     so many of a hundred devices must run it in the end; 0 does not wait
#
# Exit code 0: it is out. 1: it was refused or given up, or time is up; the profile has it only if the canary ran it. 2: it could not be
# tried. The log says why. It may be run again: it goes on where it was.
set -euo pipefail

exec cota rollout --canary "${COTA_CANARY:?name a device}" --share "${COTA_SHARE:-0}" "$@"
