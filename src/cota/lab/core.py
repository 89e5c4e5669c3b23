"""The parts of the lab, put together once; routes get this and nothing global."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cota.lab.auth import Auth
from cota.lab.data.accounts import Accounts
from cota.lab.data.attributes import Attributes
from cota.lab.data.credentials import Credentials
from cota.lab.data.devices import Devices
from cota.lab.data.packages import Packages
from cota.lab.data.profiles import Profiles
from cota.lab.data.store import Store
from cota.lab.data.timeseries import Timeseries
from cota.lab.device.activity import DEFAULT_TIMEOUT_SECONDS, Activity
from cota.lab.device.exchange import Exchange
from cota.lab.device.hub import Hub
from cota.lab.listeners import Listeners
from cota.lab.ota import DEFAULT_PACE_SECONDS, Ota


@dataclass(frozen=True)
class Timing:
    """The waiting times of ThingsBoard, in seconds, with its defaults; tests shorten them.

    Attributes:
        ota_pace: Between two devices of the OTA queue.
        async_timeout: After which the monolith cuts any waiting request with 503 (spring.mvc.async.request-timeout).
        poll_timeout: Of a long poll that names none (HTTP_REQUEST_TIMEOUT).
        client_rpc_timeout: After which a device's own RPC gets {"error":"timeout"} (CLIENT_SIDE_RPC_TIMEOUT).
        rpc_min_timeout: The least that an RPC to a device waits.
        rpc_default_timeout: What it waits where the request names nothing.
        inactivity_timeout: After which a silent device is inactive.
        mqtt_connect_timeout: That a new MQTT connection has for its CONNECT; ours, so that nobody holds sockets for nothing.
        mqtt_session_timeout: After which an MQTT session without any packet ends (TB_TRANSPORT_SESSIONS_INACTIVITY_TIMEOUT).
        mqtt_provision_timeout: That a provisioning connection stays open after its answer.
    """

    ota_pace: float = DEFAULT_PACE_SECONDS
    async_timeout: float = 30.0
    poll_timeout: float = 60.0
    client_rpc_timeout: float = 60.0
    rpc_min_timeout: float = 5.0
    rpc_default_timeout: float = 10.0
    inactivity_timeout: float = DEFAULT_TIMEOUT_SECONDS
    mqtt_connect_timeout: float = 10.0
    mqtt_session_timeout: float = 600.0
    mqtt_provision_timeout: float = 60.0


class Core:
    """Everything behind the routes.

    Args:
        store: The open database.
        timing: The waiting times.
    """

    def __init__(self, store: Store, timing: Timing) -> None:
        self.store, self.timing = store, timing
        self.accounts = Accounts(store)
        self.auth = Auth(self.accounts)
        tenant_id = self.accounts.tenant_id
        self.profiles = Profiles(store, tenant_id)
        self.devices = Devices(store, self.profiles, tenant_id)
        self.credentials = Credentials(store)
        self.packages = Packages(store, self.profiles, tenant_id)
        self.live = Listeners()
        self.attributes = Attributes(store, self.live.changed)
        self.timeseries = Timeseries(store, self.live.changed)
        self.hub = Hub()
        self.activity = Activity(store, self.attributes, timing.inactivity_timeout)
        self.exchange = Exchange(store, self.attributes, self.timeseries, self.activity)
        self.ota = Ota(
            store,
            profiles=self.profiles,
            devices=self.devices,
            packages=self.packages,
            attributes=self.attributes,
            timeseries=self.timeseries,
            hub=self.hub,
            pace=timing.ota_pace,
        )
        store.commit()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the parts that work by themselves: the OTA queue and the devices' activity."""
        tasks = [asyncio.create_task(self.ota.run()), asyncio.create_task(self.activity.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.activity.flush()
            self.store.commit()
