"""What a grid charges for the meters that a customer asks for, unless it is agreed otherwise (PAY 13.1)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from nxt_domain.grids.contracts import MeterRequest
from nxt_domain.grids.model import MeterPhase
from nxt_domain.grids.tariffs import MeterType


@attrs.frozen(kw_only=True)
class ConnectionFees:
    """A grid's default fees, in major units of its currency.

    Attributes:
        is_dual_meter_grid: Whether a connection may have one meter per tier (``uses_dual_meter_setup``).
        hps: ``default_hps_connection_fee``.
        fs_single_phase: ``default_fs_1_phase_connection_fee``.
        fs_three_phase: ``default_fs_3_phase_connection_fee``.
    """

    is_dual_meter_grid: bool
    hps: Decimal
    fs_single_phase: Decimal
    fs_three_phase: Decimal

    def meters_for(self, phase: MeterPhase, *, is_full_service: bool = False) -> Sequence[MeterRequest]:
        """List the meters that a wish comes to, each with its fee [PAY-136].

        Args:
            phase: Wanted; in a grid with two meters per customer it is that of the full service.
            is_full_service: Whether full service is wanted beside the essential one; other grids have one service,
                so there it changes nothing.
        """
        is_three_phase = phase is MeterPhase.THREE_PHASE
        if not self.is_dual_meter_grid:
            fee = self.fs_three_phase if is_three_phase else self.hps
            return [MeterRequest(meter_type=MeterType.HPS, meter_phase=phase, fee=fee)]
        essential = MeterRequest(meter_type=MeterType.HPS, meter_phase=MeterPhase.SINGLE_PHASE, fee=self.hps)
        if not is_full_service:
            return [essential]
        fee = self.fs_three_phase if is_three_phase else self.fs_single_phase
        return [essential, MeterRequest(meter_type=MeterType.FS, meter_phase=phase, fee=fee)]
