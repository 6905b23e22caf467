"""Whether an interaction may go out now: a pure function of command, meter and grid [MET 5.3]."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from nxt_domain.grids.model import CommunicationProtocol, GridTwin
from nxt_domain.meters.commands import is_supported
from nxt_domain.meters.model import (
    InteractionFailure,
    InteractionStatus,
    InteractionType,
    Meter,
    Resolution,
)

_COMMISSIONING_SILENCE = timedelta(minutes=59)
_SILENCE = timedelta(hours=24)
_V1_FIRMWARE_WITHOUT_LIMIT_READ = "2F6B4584"


@attrs.frozen(kw_only=True)
class Circumstances:
    """Why the question is asked."""

    from_commissioning: bool = False
    from_grid_state_transition: bool = False
    is_retry: bool = False


@attrs.frozen(kw_only=True)
class Verdict:
    """The gatekeeper's answer.

    Attributes:
        failure: Why it is not ``QUEUED``; None otherwise.
    """

    status: InteractionStatus
    failure: InteractionFailure | None = None
    resolution: Resolution | None = None


def judge(
    kind: InteractionType,
    meter: Meter,
    twin: GridTwin | None,
    now: datetime,
    *,
    status: InteractionStatus = InteractionStatus.QUEUED,
    circumstances: Circumstances = Circumstances(),
) -> Verdict:
    """Judge one interaction; the first rule that holds decides [MET-60 … MET-64].

    Args:
        kind: What is asked of the meter.
        meter: The meter.
        twin: Its grid and gateways; None: unknown, which never blocks.
        now: Aware UTC.
        status: The interaction's present status; only ``QUEUED`` and ``SUSPENDED`` are judged.
        circumstances: Why it is asked.
    """
    if status not in {InteractionStatus.QUEUED, InteractionStatus.SUSPENDED}:
        return Verdict(status=status)
    judging = _Judging(kind=kind, meter=meter, twin=twin, now=now, status=status, why=circumstances)
    return judging.impossible() or judging.by_protocol() or Verdict(status=InteractionStatus.QUEUED)


@attrs.frozen(kw_only=True)
class _Judging:
    kind: InteractionType
    meter: Meter
    twin: GridTwin | None
    now: datetime
    status: InteractionStatus
    why: Circumstances

    def impossible(self) -> Verdict | None:
        """C1-C4: nothing that happens later can make it possible [MET-61]."""
        protocol = self.meter.communication_protocol
        if protocol is None:
            return self._abort("UNSUPPORTED", "The meter has no communication protocol")
        if not is_supported(self.kind, protocol):
            return self._abort("UNSUPPORTED", f"{protocol} meters do not support {self.kind}")
        is_lorawan = protocol is CommunicationProtocol.CALIN_LORAWAN
        if not is_lorawan and self.meter.dcu_id is None:
            return self._abort("NO_GATEWAY", "The meter has no gateway")
        if is_lorawan and self.meter.grid_id is None and not self.meter.is_test_mode_on:
            return self._abort("NO_GRID", "The meter belongs to no grid")
        return None

    def by_protocol(self) -> Verdict | None:
        """L1-L7 and A1-A4 [MET-62, MET-63]."""
        if self.meter.communication_protocol is CommunicationProtocol.CALIN_LORAWAN:
            return self._lorawan()
        return self._vendor_api()

    def _lorawan(self) -> Verdict | None:
        if self.twin is not None and not self.twin.is_energised:
            return self._suspend("GRID_DOWN", "The grid has no power")
        if self.twin is not None and not self.twin.is_any_lorawan_gateway_online:
            return self._suspend("GATEWAY_OFFLINE", "No gateway of the grid is online")
        if self.why.from_commissioning and self.why.is_retry:
            return None
        silence = None if self.meter.last_seen_at is None else self.now - self.meter.last_seen_at
        if self.why.from_commissioning and self._awaits_meter(silence):
            return self._refuse(InteractionStatus.DEFERRED, "AWAITING_METER", _silence_text(silence, in_hours=False))
        if silence is None or silence > _SILENCE:
            return self._abort("UNREACHABLE", _silence_text(silence, in_hours=True), Resolution.UNREACHABLE)
        return None

    def _awaits_meter(self, silence: timedelta | None) -> bool:
        return self.why.from_grid_state_transition or silence is None or silence > _COMMISSIONING_SILENCE

    def _vendor_api(self) -> Verdict | None:
        if self.twin is not None and not self.twin.is_energised:
            return self._suspend("GRID_DOWN", "The grid has no power")
        gateway = None if self.twin is None else self.twin.gateway(self.meter.dcu_id)
        if gateway is not None and not gateway.is_online:
            return self._suspend("GATEWAY_OFFLINE", "The meter's gateway is offline")
        is_v1 = self.meter.communication_protocol is CommunicationProtocol.CALIN_V1
        firmware_lacks_it = self.meter.version == _V1_FIRMWARE_WITHOUT_LIMIT_READ
        if is_v1 and firmware_lacks_it and self.kind is InteractionType.READ_POWER_LIMIT:
            return self._abort("UNSUPPORTED", f"Firmware {self.meter.version} does not support {self.kind}")
        return None

    def _suspend(self, code: str, reason: str) -> Verdict:
        return self._refuse(InteractionStatus.SUSPENDED, code, reason)

    def _abort(self, code: str, reason: str, resolution: Resolution = Resolution.UNSUPPORTED) -> Verdict:
        return self._refuse(InteractionStatus.ABORTED, code, reason, resolution)

    def _refuse(
        self, status: InteractionStatus, code: str, reason: str, resolution: Resolution | None = None
    ) -> Verdict:
        record = InteractionFailure(
            timestamp=self.now, status=self.status, reason=reason, code=code, is_final=resolution is not None
        )
        return Verdict(status=status, failure=record, resolution=resolution)


def _silence_text(silence: timedelta | None, *, in_hours: bool) -> str:
    if silence is None:
        return "The meter was never heard"
    seconds = silence.total_seconds()
    return (
        f"The meter has been silent for {round(seconds / 3600)} hours"
        if in_hours
        else (f"The meter has been silent for {round(seconds / 60)} minutes")
    )
