"""The LoRaWAN network: queues, the radio with its losses, and the events that follow."""

import asyncio
import logging
import uuid
from collections.abc import Mapping

from nxt_entrypoints.simulators.chirpstack import events
from nxt_entrypoints.simulators.chirpstack.devices import Device, Gateway, QueueItem, VillageRadio
from nxt_entrypoints.simulators.chirpstack.world import World
from nxt_entrypoints.simulators.control import Clock, ControlPlane
from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.webhooks import Poster, Tasks

logger = logging.getLogger(__name__)

# Seconds of a village network at speed 1.
SCHEDULING_S = (0.15, 0.45)
AIR_TIME_S = (0.2, 0.5)
ANSWER_S = (0.5, 1.2)
ACK_TIME_OUT_S = 5.0
REORDER_S = 3.0
_REPORT_SPACING_S = 0.02
_POSTS_AT_ONCE = 32
_LISTENER_S = 60.0


class Network:
    """Carries downlinks to meters and their uplinks back.

    One downlink at a time is on its way to a device; other devices go on beside it. An item stays in
    its queue until a gateway radiates it.

    Args:
        world: the devices and their memory.
        control: faults and dice.
        poster: where events go.
        clock: the present instant.
        speed: divisor of all radio delays.
    """

    def __init__(
        self, world: World, control: ControlPlane, poster: Poster, *, clock: Clock, speed: float = 1.0
    ) -> None:
        self.world = world
        self._control = control
        self._poster = poster
        self._clock = clock
        self._speed = speed
        self._tasks = Tasks()
        self._posts = asyncio.Semaphore(_POSTS_AT_ONCE)

    # -- what the API calls ---------------------------------------------------------------------

    def enqueue(self, device: Device, item: QueueItem) -> str:
        """Queue a downlink and return its id."""
        device.queue.append(item)
        self._serve(device)
        return item.item_id

    def join(self, device: Device) -> None:
        """Let a newly registered device join and tell of it."""
        body = events.join(device.facts, self._clock(), deduplication_id=str(uuid.uuid4()))
        self._tasks.start(self._post("join", body), "join")

    async def report(self, device: Device) -> None:
        """Send a meter's periodic report, unless the radio loses it, or the last one is still under way."""
        if not device.is_registered or not device.village.online or device.is_reporting:
            return
        frame = device.meter.report(self._clock())
        self.world.touched(device)
        if self._is_lost(device.uplink_loss):
            return
        device.is_reporting = True
        try:
            await self._post("up", self._uplink(device, frame, str(uuid.uuid4())))
        finally:
            device.is_reporting = False

    async def report_rounds(self, every_s: float) -> None:
        """Report of every meter at once, and then every ``every_s`` seconds, for ever [R36].

        The first round waits until somebody listens: events aren't repeated, and the simulators may
        be up before the system that they report to.
        """
        loop = asyncio.get_running_loop()
        await self._poster.until_listening(_LISTENER_S)
        while True:
            started = loop.time()
            devices = list(self.world.devices.values())
            spacing = min(_REPORT_SPACING_S / self._speed, every_s / (2 * max(1, len(devices))))
            for device in devices:
                self._tasks.start(self.report(device), "report")
                await asyncio.sleep(spacing)
            await asyncio.sleep(max(0.0, started + every_s - loop.time()))

    async def stop(self) -> None:
        """End everything that is on its way."""
        await self._tasks.stop()

    # -- the radio ------------------------------------------------------------------------------

    def _serve(self, device: Device) -> None:
        if not device.is_served:
            device.is_served = True
            self._tasks.start(self._empty_queue(device), f"radio {device.facts.dev_eui}")

    async def _empty_queue(self, device: Device) -> None:
        try:
            while device.queue:
                await self._until_radiating(device.village)
                await self._pause(*SCHEDULING_S)
                if device.queue and device.village.online and not self._control.faults.down:
                    await self._radiate(device, device.queue.popleft())
        finally:
            device.is_served = False

    async def _until_radiating(self, village: VillageRadio) -> None:
        await village.until_on_air()
        await self._control.until_up()

    async def _radiate(self, device: Device, item: QueueItem) -> None:
        device.frames_down += 1
        counter, gateway = device.frames_down, device.village.online[0]
        said = self._say_radiated(device, item, counter, gateway)
        await self._pause(*AIR_TIME_S)
        if self._is_lost(device.downlink_loss):
            return await self._time_out(device, item, counter, said)
        answer = device.meter.receive(item.data, self._clock())
        self.world.touched(device, now=True)
        await self._pause(*ANSWER_S)
        if self._control.hits(device.uplink_loss) or not device.village.online:
            return await self._time_out(device, item, counter, said)
        self._tasks.start(self._post_answer(device, item, counter, answer, said), "answer")
        return None

    async def _time_out(self, device: Device, item: QueueItem, counter: int, said: "asyncio.Task[None] | None") -> None:
        """No acknowledgement came: ChirpStack says so in about half of the cases, else stays silent."""
        await self._pause(ACK_TIME_OUT_S, ACK_TIME_OUT_S)
        if item.confirmed and self._control.random.random() < 0.5:
            body = events.ack(
                device.facts, self._clock(), item=item.item_id, counter=counter, deduplication_id="", done=False
            )
            self._tasks.start(self._after(said, "ack", body), "nack")

    def _is_lost(self, own_loss: float) -> bool:
        return self._control.hits(self._control.faults.loss_rate) or self._control.hits(own_loss)

    async def _pause(self, low: float, high: float) -> None:
        await asyncio.sleep(self._control.random.uniform(low, high) / self._speed)

    # -- events ---------------------------------------------------------------------------------

    def _say_radiated(
        self, device: Device, item: QueueItem, counter: int, gateway: Gateway
    ) -> "asyncio.Task[None] | None":
        """Post the txack; return what later events must wait for, None when they may overtake it."""
        body = events.txack(
            device.facts,
            self._clock(),
            item=item.item_id,
            downlink_id=self._control.random.getrandbits(32),
            counter=counter,
            gateway=gateway.eui,
        )
        if self._control.hits(self._control.faults.reorder_rate):
            self._tasks.start(self._post_late("txack", body), "late txack")
            return None
        return self._tasks.start(self._post("txack", body), "txack")

    async def _post_late(self, event: str, body: events.Body) -> None:
        await self._pause(REORDER_S, 2 * REORDER_S)
        await self._post(event, body)

    async def _post_answer(
        self,
        device: Device,
        item: QueueItem,
        counter: int,
        answer: bytes | None,
        said: "asyncio.Task[None] | None",
    ) -> None:
        """Post the two halves of an answer, in either order, with one deduplication id [DM-104]."""
        deduplication_id = str(uuid.uuid4())
        halves: list[tuple[str, events.Body]] = []
        if answer is not None:
            halves.append(("up", self._uplink(device, answer, deduplication_id)))
        if item.confirmed:
            body = events.ack(
                device.facts,
                self._clock(),
                item=item.item_id,
                counter=counter,
                deduplication_id=deduplication_id,
                done=True,
            )
            halves.append(("ack", body))
        self._control.random.shuffle(halves)
        if said is not None:
            await asyncio.wait([said])
        for event, body in halves:
            await self._post(event, body)
            await self._poster.linger(REORDER_S)

    async def _after(self, earlier: "asyncio.Task[None] | None", event: str, body: events.Body) -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        await self._post(event, body)

    def _uplink(self, device: Device, frame: bytes, deduplication_id: str) -> events.Body:
        device.frames_up += 1
        if self._control.hits(self._control.faults.garbage_rate):
            frame = frame[:-2] + bytes([frame[-2] ^ 0x5A]) + frame[-1:]
        return events.uplink(
            device.facts,
            self._clock(),
            deduplication_id=deduplication_id,
            counter=device.frames_up,
            data=frame,
            heard=device.receptions(),
        )

    async def _post(self, event: str, body: Mapping[str, object]) -> None:
        """Post one event once; ChirpStack doesn't repeat what nobody took."""
        async with self._posts:
            taken = await self._poster.post(encode_json(body), content_type="application/json", params={"event": event})
        self._control.log.add("event", event=event, device=_eui(body), taken=taken)


def _eui(body: Mapping[str, object]) -> str:
    info = body["deviceInfo"]
    return str(info["devEui"]) if isinstance(info, dict) else ""
