"""CALIN's two services as simulators, with their meters, and the adapters that speak to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
from prometheus_client import CollectorRegistry

from nxt_adapters.calin_api.v1 import CalinV1Client, CalinV1Meters, CalinV1Settings, CalinV1TokenVendor, User
from nxt_adapters.calin_api.v2 import CalinV2Client, CalinV2Meters, CalinV2Settings, CalinV2TokenVendor
from nxt_adapters.resilience import OutboundMetrics
from nxt_entrypoints.simulators.calin_v1.simulator import CalinV1, CalinV1Config, Login
from nxt_entrypoints.simulators.calin_v2.accounts import CalinV2Config
from nxt_entrypoints.simulators.calin_v2.simulator import CalinV2
from nxt_entrypoints.simulators.control import Clock, utc_now
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, Village
from nxt_entrypoints.simulators.state import StateStore
from tests.support.calin import METER, policy

KEY = "0123456789ABCDEF"
V1_CONFIG = CalinV1Config(
    company="ACME",
    admin=Login(name="admin", password="admin-1"),
    pos=Login(name="pos", password="pos-1"),
    maintenance=Login(name="fix", password="fix-1"),
    task_s=0,
)
V2_CONFIG = CalinV2Config(
    company="ACME", customer_id="C-7", username="admin", password="admin-2", pos_password="pos-2", task_s=0
)


@attrs.define
class Cloud:
    """One generation: the service, its meters, and what speaks to it."""

    simulator: CalinV1 | CalinV2
    plugin: CalinV1Meters | CalinV2Meters
    vendor: CalinV1TokenVendor | CalinV2TokenVendor

    @property
    def name(self) -> str:
        """Id of the plug-in."""
        return self.plugin.plugin_id

    def mood(self, **changes: Any) -> None:
        """Let the service behave otherwise; nothing: as it should."""
        self.simulator.side.tell(**changes)

    def faults(self, **changes: Any) -> None:
        """Let the service have faults."""
        self.simulator.control.update(changes)

    def meter(self, number: str = METER) -> dict[str, Any]:
        """What the meter says of itself."""
        self.simulator.tasks.settle()
        meter = self.simulator.world.meter(number)
        assert meter is not None
        return self.simulator.world.as_json(meter)

    def count(self, kind: str) -> int:
        """How many things of a kind the service was asked."""
        return sum(entry["kind"] == kind for entry in self.simulator.control.log.after(0))


def fleet_of(protocol: str, *numbers: str, **changes: Any) -> Fleet:
    """A village whose meters hang on two DCUs."""
    meters = [
        FleetMeter(
            number=number,
            protocol=protocol,
            dcu=f"dcu-{index % 2 + 1}",
            decoder_key=KEY,
            scale=0,
            **{"credit_kwh": Decimal("108.8"), **changes},
        )
        for index, number in enumerate(numbers or (METER, "47001891341"))
    ]
    return Fleet(villages=[Village(grid_id=42, meters=meters)])


def v1_client(url: str, **limits: Any) -> CalinV1Client:
    """A client that knows the simulator's logins."""
    users = {"admin": ("admin", "admin-1"), "pos": ("pos", "pos-1"), "maintenance": ("fix", "fix-1")}
    known = {key: User(name=name, password=lambda word=word: word) for key, (name, word) in users.items()}
    settings = CalinV1Settings(url=url, company="ACME", **known)
    return CalinV1Client(settings, policy=policy(**limits), metrics=OutboundMetrics(CollectorRegistry()))


def v2_client(url: str, **limits: Any) -> CalinV2Client:
    """A client that knows the simulator's login."""
    settings = CalinV2Settings(
        url=url,
        company="ACME",
        customer_id="C-7",
        username="admin",
        password=lambda: "admin-2",
        pos_password=lambda: "pos-2",
    )
    return CalinV2Client(settings, policy=policy(**limits), metrics=OutboundMetrics(CollectorRegistry()))


@asynccontextmanager
async def cloud(
    generation: str, *numbers: str, clock: Clock = utc_now, task_s: float = 0, fleet: Fleet | None = None, **limits: Any
) -> AsyncIterator[Cloud]:
    """Start one generation, ``v1`` or ``v2``, with meters."""
    simulator: CalinV1 | CalinV2
    village = fleet or fleet_of(f"CALIN_{generation.upper()}", *numbers)
    if generation == "v1":
        simulator = CalinV1(attrs.evolve(V1_CONFIG, task_s=task_s), village, StateStore(), clock=clock)
    else:
        simulator = CalinV2(attrs.evolve(V2_CONFIG, task_s=task_s), village, StateStore(), clock=clock)
    await simulator.start()
    if generation == "v1":
        first = v1_client(simulator.http.url, **limits)
        made = Cloud(simulator, CalinV1Meters(first), CalinV1TokenVendor(first))
    else:
        second = v2_client(simulator.http.url, **limits)
        made = Cloud(simulator, CalinV2Meters(second), CalinV2TokenVendor(second))
    try:
        yield made
    finally:
        await made.plugin.close()
        await simulator.stop()
