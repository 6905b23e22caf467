"""What stands on the radio: gateways, villages, and the devices with their queues."""

import asyncio
import uuid
import zlib
from collections import deque

import attrs

from nxt_entrypoints.simulators.chirpstack.events import DeviceFacts, Reception
from nxt_entrypoints.simulators.chirpstack.meter import Meter


@attrs.frozen(kw_only=True)
class QueueItem:
    """A downlink that waits to be radiated."""

    item_id: str = attrs.field(factory=lambda: str(uuid.uuid4()))
    data: bytes
    f_port: int = 1
    confirmed: bool = True


@attrs.define(kw_only=True)
class Gateway:
    """A LoRaWAN gateway of a village."""

    eui: str
    grid_id: int
    is_online: bool = True


class VillageRadio:
    """The gateways of one village; radio silence while none is online."""

    def __init__(self, grid_id: int, gateways: list[Gateway]) -> None:
        self.grid_id = grid_id
        self.gateways = gateways
        self._on_air = asyncio.Event()
        self.refresh()

    @property
    def online(self) -> list[Gateway]:
        """The gateways that work."""
        return [gateway for gateway in self.gateways if gateway.is_online]

    def refresh(self) -> None:
        """Wake or stop the radio after a gateway came or went."""
        if self.online:
            self._on_air.set()
        else:
            self._on_air.clear()

    async def until_on_air(self) -> None:
        """Wait until a gateway works."""
        await self._on_air.wait()


@attrs.define(kw_only=True, eq=False)
class Device:
    """A meter as the network server sees it.

    Attributes:
        meter: the thing itself.
        village: where it hangs.
        facts: what events say about it.
        is_registered: whether the network server knows it.
        snr_db: signal to noise ratio at the nearest gateway.
        rssi_dbm: strength there.
        downlink_loss: share of downlinks that this meter doesn't hear.
        uplink_loss: share of its answers that no gateway hears, although it obeyed.
        queue: downlinks to be radiated, oldest first.
        is_served: whether a worker empties the queue at present.
        is_reporting: whether a report is on its way.
        frames_up: uplink frame counter.
        frames_down: downlink frame counter.
    """

    meter: Meter
    village: VillageRadio
    facts: DeviceFacts
    is_registered: bool = True
    snr_db: float = 9.5
    rssi_dbm: int = -87
    downlink_loss: float = 0.0
    uplink_loss: float = 0.0
    queue: deque[QueueItem] = attrs.field(factory=deque)
    is_served: bool = False
    is_reporting: bool = False
    frames_up: int = 0
    frames_down: int = 0

    def receptions(self) -> list[Reception]:
        """Return how the village's working gateways hear the meter; the first listed is the nearest."""
        heard = []
        for rank, gateway in enumerate(self.village.online):
            wobble = zlib.crc32(f"{self.facts.dev_eui}/{gateway.eui}".encode()) % 40 / 10
            far = rank * (6.0 + wobble)
            heard.append(
                Reception(gateway=gateway.eui, snr=round(self.snr_db - far, 1), rssi=self.rssi_dbm - int(2 * far))
            )
        return heard
