"""A CALIN LoRaWAN meter as a state machine: frames in, frames out, and energy flowing through it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

import attrs

from nxt_entrypoints.simulators.chirpstack import frames, profile
from nxt_entrypoints.simulators.chirpstack.tokens import StsTokenJudge, TestTokenJudge, TokenJudge, Verdict
from nxt_entrypoints.simulators.sts.meter import StsMemory

_STEP = Decimal("1E-9")
_MILLIWATT_MICROSECONDS_PER_KWH = Decimal("3.6E15")
_LONGEST_CATCH_UP = timedelta(hours=6)
_LOW_CREDIT_KWH, _VERY_LOW_CREDIT_KWH = Decimal(5), Decimal(1)
_ERROR_UNKNOWN, _ERROR_DATA = 0x01, 0x02


@attrs.frozen(kw_only=True)
class MeterIdentity:
    """What doesn't change about a meter: number, village, zone, phases, and its customer's size."""

    number: str
    grid_id: int
    zone: ZoneInfo
    phases: int = 1
    scale: float = 1.0
    seed: int = 0

    @property
    def dev_eui(self) -> str:
        """The LoRaWAN device EUI [MET-43]."""
        return self.number.rjust(16, "0")


@attrs.frozen(kw_only=True)
class MeterState:
    """What does change.

    Attributes:
        at: instant up to which consumption has been counted, aware.
        credit_kwh: remaining credit, never below 0.
        counter_kwh: cumulative consumption.
        credited_kwh_total: sum of all accepted tokens.
        tokens_accepted: how many tokens counted.
        tokens_refused: how many did not.
        is_switched_on: false when the relay was opened remotely.
        power_limit_w: 0 is no limit.
        clock_offset: what the meter's clock shows minus true local time.
        reported_at: instant of the last report, None before the first.
        reported_counter_kwh: counter at the last report.
        is_tampered: whether the meter shows a tamper condition.
        last_verdict: what became of the last token: ``ACCEPTED``, ``PENDING``, or the reason of its refusal.
        sts: keys and token identifiers; None: the meter takes test tokens.
    """

    at: datetime
    credit_kwh: Decimal = Decimal(0)
    counter_kwh: Decimal = Decimal(0)
    credited_kwh_total: Decimal = Decimal(0)
    tokens_accepted: int = 0
    tokens_refused: int = 0
    is_switched_on: bool = True
    power_limit_w: int = 2000
    clock_offset: timedelta = timedelta(0)
    reported_at: datetime | None = None
    reported_counter_kwh: Decimal = Decimal(0)
    is_tampered: bool = False
    last_verdict: str = ""
    sts: StsMemory | None = None

    @property
    def is_on(self) -> bool:
        """Whether the relay is closed: not switched off, and credit left."""
        return self.is_switched_on and self.credit_kwh > 0


class Meter:
    """One meter. Every method takes the instant, so that the meter has no clock of its own to trust.

    Args:
        identity: its fixed part.
        state: where it starts.
        used_tokens: test tokens it has accepted before.
        judge: how it reads tokens; by its key if it has one.
    """

    def __init__(
        self,
        identity: MeterIdentity,
        state: MeterState,
        *,
        used_tokens: frozenset[str] = frozenset(),
        judge: TokenJudge | None = None,
    ) -> None:
        self.identity = identity
        self.state = state
        self._fresh_tokens: list[str] = []
        own: TokenJudge = TestTokenJudge(used_tokens) if state.sts is None else StsTokenJudge()
        self._judge = judge or own

    # -- energy ---------------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Let the customer consume up to the instant; a clock that goes back changes nothing.

        After a long absence of the simulator only its last hours are consumed: the village slept.
        """
        state = self.state
        if now <= state.at:
            return
        if state.is_on:
            start = max(state.at, now - _LONGEST_CATCH_UP)
            wanted = sum((self._energy(at, length) for at, length in profile.slots(start, now)), Decimal(0))
            used = min(wanted, state.credit_kwh)
            state = attrs.evolve(state, credit_kwh=state.credit_kwh - used, counter_kwh=state.counter_kwh + used)
        self.state = attrs.evolve(state, at=now)

    def _energy(self, at: datetime, length: timedelta) -> Decimal:
        micros = length // timedelta(microseconds=1)
        energy = Decimal(self._demand_mw(at) * micros) / _MILLIWATT_MICROSECONDS_PER_KWH
        return energy.quantize(_STEP, rounding=ROUND_FLOOR)

    def _demand_mw(self, at: datetime) -> int:
        who = self.identity
        demand = profile.load_mw(at=at, zone=who.zone, scale=who.scale, seed=who.seed, key=who.number)
        limit_mw = self.state.power_limit_w * 1000
        return min(demand, limit_mw) if limit_mw else demand

    def power_w(self, now: datetime) -> Decimal:
        """Return the power drawn at the instant, over all phases, in W."""
        return Decimal(self._demand_mw(now)).scaleb(-3) if self.state.is_on else Decimal(0)

    def voltage_v(self, now: datetime, phase: int = 0) -> Decimal:
        """Return the voltage of a phase, in V; it is there even when the relay is open."""
        wobble = profile.noise(self.identity.seed, f"{self.identity.grid_id}/{phase}", int(now.timestamp()) // 300)
        return Decimal(int((220 + 10 * wobble) * 100)).scaleb(-2)

    def current_a(self, now: datetime, phase: int = 0) -> Decimal:
        """Return the current of a phase, in A."""
        return self.power_w(now) / self.identity.phases / self.voltage_v(now, phase)

    def clock(self, now: datetime) -> datetime:
        """Return what the meter's clock shows, naive local time."""
        return now.astimezone(self.identity.zone).replace(tzinfo=None) + self.state.clock_offset

    def load_credit(self, energy_kwh: Decimal) -> None:
        """Add energy to the credit; the relay closes unless it was opened remotely."""
        state = self.state
        self.state = attrs.evolve(
            state,
            credit_kwh=state.credit_kwh + energy_kwh,
            credited_kwh_total=state.credited_kwh_total + energy_kwh,
            tokens_accepted=state.tokens_accepted + 1,
        )

    def take_fresh_tokens(self) -> list[str]:
        """Return the tokens accepted since the last call, for whoever stores them."""
        fresh, self._fresh_tokens = self._fresh_tokens, []
        return fresh

    # -- frames ---------------------------------------------------------------------------------

    def receive(self, frame: bytes, now: datetime) -> bytes | None:
        """Carry out a downlink and return the answer; None when the frame isn't for this meter."""
        self.advance(now)
        if frames.is_power_limit_request(frame):
            return frames.power_limit_answer(frame, self.state.power_limit_w)
        try:
            request = frames.parse_request(frame)
        except frames.UnreadableFrameError:
            return None
        if request.address != self.identity.number.rjust(12, "0"):
            return None
        commands = {frames.READ: self._read, frames.WRITE: self._write, frames.TOKEN: self._token}
        command = commands.get(request.control)
        return command(request, now) if command else None

    def _read(self, request: frames.Request, now: datetime) -> bytes:
        data = self._register(request.identifier, now)
        if data is None:
            return frames.refused(self.identity.number, frames.READ, _ERROR_UNKNOWN)
        return frames.read_done(self.identity.number, request.identifier, data)

    def _register(self, identifier: int, now: datetime) -> bytes | None:
        """Return a register's bytes, None for one that the meter hasn't got."""
        simple: dict[int, Callable[[], bytes]] = {
            frames.DI_CREDIT: self._credit_register,
            frames.DI_ENERGY: lambda: frames.scaled_bcd(self.state.counter_kwh, 100, 4),
            frames.DI_DATE: lambda: frames.date_bytes(self.clock(now)),
            frames.DI_TIME: lambda: frames.time_bytes(self.clock(now)),
        }
        if identifier in simple:
            return simple[identifier]()
        return self._phase_register(identifier, now)

    def _phase_register(self, identifier: int, now: datetime) -> bytes | None:
        for table in (frames.DI_VOLTAGE, frames.DI_CURRENT, frames.DI_POWER):
            phase = table.get(identifier, self.identity.phases)
            if phase >= self.identity.phases:
                continue
            if table is frames.DI_VOLTAGE:
                return b"\0" + frames.scaled_bcd(self.voltage_v(now, phase), 100, 3)
            if table is frames.DI_CURRENT:
                return frames.scaled_bcd(self.current_a(now, phase), 100, 2)
            return frames.scaled_bcd(self.power_w(now) / self.identity.phases, 10, 4)
        return None

    def _credit_register(self) -> bytes:
        credit = self.state.credit_kwh
        level = 0 if credit >= _LOW_CREDIT_KWH else 1 if credit >= _VERY_LOW_CREDIT_KWH else 2
        return frames.scaled_bcd(credit, 100, 4) + bytes([level, 0 if self.state.is_on else 1])

    def _write(self, request: frames.Request, now: datetime) -> bytes:
        number, data = self.identity.number, request.data[len(frames.PASSWORD) :]
        is_known = request.data.startswith(frames.PASSWORD)
        if is_known and self._apply(request.identifier, data, now):
            return frames.write_done(number, request.identifier)
        return frames.refused(number, frames.WRITE, _ERROR_DATA)

    def _apply(self, identifier: int, data: bytes, now: datetime) -> bool:
        """Carry out a write; false when its data are wrong."""
        if identifier == frames.DI_RELAY_CLOSE and data == bytes([frames.RELAY_CLOSE_CODE]):
            self.switch(is_on=True)
            return True
        if identifier == frames.DI_RELAY_OPEN and data == bytes([frames.RELAY_OPEN_CODE]):
            self.switch(is_on=False)
            return True
        try:
            parts = [frames.from_bcd(byte) for byte in data]
            return self._set_clock(identifier, parts, now)
        except ValueError:
            return False

    def _set_clock(self, identifier: int, parts: list[int], now: datetime) -> bool:
        shown = self.clock(now)
        if identifier == frames.DI_DATE and len(parts) == 4:
            _weekday, day, month, year = parts
            self.set_date(date(2000 + year, month, day), now)
            return True
        if identifier == frames.DI_TIME and len(parts) == 3:
            second, minute, hour = parts
            wanted = shown.replace(hour=hour, minute=minute, second=second, microsecond=0)
        else:
            return False
        self.state = attrs.evolve(self.state, clock_offset=self.state.clock_offset + (wanted - shown))
        return True

    def _token(self, request: frames.Request, _now: datetime) -> bytes:
        number = self.identity.number
        token = request.data[::-1].hex() if request.identifier == frames.DI_TOKEN else ""
        if not self.take_token(token).is_accepted:
            return frames.refused(number, frames.TOKEN, _ERROR_UNKNOWN)
        return frames.token_accepted(number)

    # -- what any way of delivery can tell it -----------------------------------------------------

    def take_token(self, token: str) -> Verdict:
        """Judge a token and obey it."""
        state = self.state
        verdict = self._judge.judge(self.identity.number, token, state.credit_kwh, state.sts)
        self.state = attrs.evolve(state, last_verdict=verdict.result)
        if not verdict.is_accepted:
            self.state = attrs.evolve(self.state, tokens_refused=state.tokens_refused + 1)
            return verdict
        if verdict.memory is None:
            self._fresh_tokens.append(token)
        self._obey(verdict)
        return verdict

    def switch(self, *, is_on: bool) -> None:
        """Close or open the relay."""
        self.state = attrs.evolve(self.state, is_switched_on=is_on)

    def set_date(self, day: date, now: datetime) -> None:
        """Set the calendar; the time of day stays."""
        shown = self.clock(now)
        wanted = datetime.combine(day, shown.time())
        self.state = attrs.evolve(self.state, clock_offset=self.state.clock_offset + (wanted - shown))

    def _obey(self, verdict: Verdict) -> None:
        """Let an accepted token have its effect."""
        state = self.state
        self.state = attrs.evolve(
            state,
            sts=verdict.memory,
            credit_kwh=Decimal(0) if verdict.clears_credit else state.credit_kwh,
            power_limit_w=state.power_limit_w if verdict.power_limit_w is None else verdict.power_limit_w,
            is_tampered=state.is_tampered and not verdict.clears_tamper,
        )
        self.load_credit(verdict.energy_kwh)

    def report(self, now: datetime) -> bytes:
        """Return the periodic report and remember that it was made [R36]."""
        self.advance(now)
        state = self.state
        elapsed_s = (now - state.reported_at).total_seconds() if state.reported_at else 0
        used_kwh = state.counter_kwh - state.reported_counter_kwh
        mean_w = int(used_kwh * 3_600_000 / Decimal(elapsed_s)) if elapsed_s > 0 else int(self.power_w(now))
        self.state = attrs.evolve(state, reported_at=now, reported_counter_kwh=state.counter_kwh)
        return frames.report_frame(
            self.identity.number,
            frames.Report(
                frozen_at=self.clock(now),
                counter_kwh=state.counter_kwh,
                credit_kwh=state.credit_kwh,
                demand=max(0, min(mean_w, 0xFFFFFFFF)),
                voltage_v=self.voltage_v(now),
                current_a=self.current_a(now),
                status=0 if state.is_on else 1,
            ),
        )
