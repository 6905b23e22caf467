"""Default fees for the meters that a customer asks for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nxt_domain.grids.connection_fees import ConnectionFees
from nxt_domain.grids.contracts import MeterRequest
from nxt_domain.grids.model import MeterPhase
from nxt_domain.grids.tariffs import MeterType

HPS, FS = MeterType.HPS, MeterType.FS
ONE, THREE = MeterPhase.SINGLE_PHASE, MeterPhase.THREE_PHASE


@pytest.mark.parametrize(
    ("is_dual", "phase", "is_full_service", "expected"),
    [
        (False, ONE, False, [(HPS, ONE, 15_000)]),
        (False, THREE, False, [(HPS, THREE, 70_000)]),
        (False, ONE, True, [(HPS, ONE, 15_000)]),
        (True, ONE, False, [(HPS, ONE, 15_000)]),
        (True, THREE, False, [(HPS, ONE, 15_000)]),
        (True, THREE, True, [(HPS, ONE, 15_000), (FS, THREE, 70_000)]),
        (True, ONE, True, [(HPS, ONE, 15_000), (FS, ONE, 40_000)]),
    ],
)
def test_the_table_of_section_13_1(
    is_dual: bool,
    phase: MeterPhase,
    is_full_service: bool,
    expected: list[tuple[MeterType, MeterPhase, int]],
) -> None:
    """[PAY-136] Which meters a wish comes to in either kind of grid, and their fees."""
    fees = ConnectionFees(
        is_dual_meter_grid=is_dual,
        hps=Decimal(15_000),
        fs_single_phase=Decimal(40_000),
        fs_three_phase=Decimal(70_000),
    )
    meters = fees.meters_for(phase, is_full_service=is_full_service)
    assert meters == [MeterRequest(meter_type=kind, meter_phase=of, fee=Decimal(fee)) for kind, of, fee in expected]
