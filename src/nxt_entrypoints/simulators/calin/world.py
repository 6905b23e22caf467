"""Meters behind DCUs: the same meters as on the radio, reached by their maker's cloud."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs
import msgspec

from nxt_entrypoints.simulators.chirpstack.meter import Meter, MeterIdentity, MeterState
from nxt_entrypoints.simulators.control import Clock
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, Village
from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.simulators.sts.meter import StsMemory


class CloudWorld:
    """The meters of one generation. Every question brings them up to the present; their state is kept.

    Args:
        fleet: what stands where.
        protocol: whose meters these are, ``CALIN_V1`` or ``CALIN_V2``.
        store: memory between runs.
        clock: the present instant.
        seed: start of all noise.
    """

    def __init__(self, fleet: Fleet, protocol: str, store: StateStore, *, clock: Clock, seed: int) -> None:
        self._store = store
        self._kind = f"meter of {protocol}"
        self._clock = clock
        self._seed = seed
        self._meters: dict[str, Meter] = {}
        self.dcu_of: dict[str, str] = {}
        self.offline_dcus: set[str] = set()
        stored = store.all(self._kind)
        for village in fleet.villages:
            for described in (each for each in village.meters if each.protocol == protocol):
                self._meters[described.number] = self._place(described, village, stored)
                self.dcu_of[described.number] = described.dcu

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers of all meters."""
        return tuple(self._meters)

    @property
    def dcus(self) -> Mapping[str, bool]:
        """The DCUs, and whether each is online."""
        return {dcu: dcu not in self.offline_dcus for dcu in dict.fromkeys(self.dcu_of.values())}

    def now(self) -> datetime:
        """Return the present instant."""
        return self._clock()

    def meter(self, number: str) -> Meter | None:
        """Return a meter, brought up to the present."""
        meter = self._meters.get(number)
        if meter is not None:
            meter.advance(self._clock())
        return meter

    def take_token(self, meter: Meter, token: str) -> str:
        """Give a meter a token and return its verdict."""
        verdict = meter.take_token(token)
        self.save(meter)
        return verdict.result if not verdict.is_accepted else "ACCEPTED"

    def switch(self, meter: Meter, *, is_on: bool) -> None:
        """Close or open a meter's relay."""
        meter.switch(is_on=is_on)
        self.save(meter)

    def set_date(self, meter: Meter, day: date) -> None:
        """Set a meter's calendar."""
        meter.set_date(day, self._clock())
        self.save(meter)

    def save(self, meter: Meter) -> None:
        """Keep a meter's state."""
        self._store.put(self._kind, {meter.identity.number: encode_json(meter.state)})

    def save_all(self) -> None:
        """Keep the state of every meter."""
        self._store.put(self._kind, {number: encode_json(meter.state) for number, meter in self._meters.items()})

    def as_json(self, meter: Meter) -> dict[str, object]:
        """Return what the handles for tests tell of a meter [R33]."""
        state, now = meter.state, self._clock()
        clock = meter.clock(now).replace(tzinfo=meter.identity.zone)
        return {
            "number": meter.identity.number,
            "grid_id": meter.identity.grid_id,
            "dcu": self.dcu_of[meter.identity.number],
            "credit_kwh": state.credit_kwh,
            "credited_kwh_total": state.credited_kwh_total,
            "counter_kwh": state.counter_kwh,
            "tokens_accepted": state.tokens_accepted,
            "tokens_refused": state.tokens_refused,
            "last_verdict": state.last_verdict,
            "is_on": state.is_on,
            "power_limit_w": state.power_limit_w,
            "power_w": meter.power_w(now),
            "clock": clock.isoformat(timespec="seconds"),
        }

    def _place(self, described: FleetMeter, village: Village, stored: Mapping[str, bytes]) -> Meter:
        identity = MeterIdentity(
            number=described.number,
            grid_id=village.grid_id,
            zone=ZoneInfo(village.timezone),
            phases=3 if described.phase == "THREE_PHASE" else 1,
            scale=described.scale,
            seed=self._seed,
        )
        memory = StsMemory(key=described.decoder_key) if described.decoder_key else None
        kept = stored.get(described.number)
        if kept is not None:
            state = msgspec.json.decode(kept, type=MeterState)
            return Meter(identity, state if state.sts is not None else attrs.evolve(state, sts=memory))
        state = MeterState(
            at=described.as_of or self._clock(),
            credit_kwh=described.credit_kwh,
            counter_kwh=described.counter_kwh,
            is_switched_on=described.is_on,
            power_limit_w=described.power_limit_w,
            reported_counter_kwh=described.counter_kwh,
            sts=memory,
        )
        return Meter(identity, state)


def rounded(value: Decimal, places: str = "0.01") -> Decimal:
    """Cut a measured value to what a register shows."""
    return value.quantize(Decimal(places))
