"""Rules of supply contracts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.grids.contracts import RequestedMeter, RequestedMeterEdit, compare_requested_meters
from nxt_domain.grids.model import MeterPhase
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.shared.errors import InvalidInput

FEES = st.decimals(min_value=0, max_value=10**6, places=4)
TYPES, PHASES = st.sampled_from(MeterType), st.sampled_from(MeterPhase)


@st.composite
def lists(draw: st.DrawFn) -> tuple[list[RequestedMeter], list[RequestedMeterEdit]]:
    """Draw what is stored, and a complete list of a client that knows it."""
    stored = [
        RequestedMeter(id=key, meter_type=draw(TYPES), meter_phase=draw(PHASES), fee=draw(FEES))
        for key in range(1, draw(st.integers(1, 6)))
    ]
    keys = [*(meter.id for meter in stored), *draw(st.lists(st.none(), max_size=4))]
    edits = [
        RequestedMeterEdit(
            id=key, meter_type=draw(TYPES), meter_phase=draw(PHASES), fee=draw(FEES), is_deleted=draw(st.booleans())
        )
        for key in draw(st.permutations(keys))
    ]
    return stored, edits


@given(lists())
def test_what_is_left_is_what_the_client_sees(
    both: tuple[list[RequestedMeter], list[RequestedMeterEdit]],
) -> None:
    """[API-83] Property: after a complete list the fees are the sum of what remains of it, and a repeat is idle."""
    stored, edits = both
    changes = compare_requested_meters(stored, edits)
    after = {meter.id: meter for meter in stored} | {meter.id: meter for meter in changes.changed}
    kept = [meter for key, meter in after.items() if key not in changes.deleted_ids]
    total = sum((request.fee for request in (*kept, *changes.added)), Decimal(0))
    assert total == sum((edit.fee for edit in edits if not edit.is_deleted), Decimal(0))
    gone = [RequestedMeter(**_values(after[key]), id=key, is_deleted=True) for key in changes.deleted_ids]
    known = [edit for edit in edits if edit.id is not None]
    again = compare_requested_meters([*kept, *gone], known)
    assert (list(again.added), list(again.changed), list(again.deleted_ids)) == ([], [], [])


@given(lists(), st.integers(1, 50))
def test_only_the_connections_own_meters(both: tuple[list[RequestedMeter], list[RequestedMeterEdit]], key: int) -> None:
    """[API-83] An id that is not the connection's, or that comes twice, is refused."""
    stored, edits = both
    extra = RequestedMeterEdit(id=key, meter_type=MeterType.FS, meter_phase=MeterPhase.SINGLE_PHASE, fee=Decimal(1))
    with pytest.raises(InvalidInput, match="must name meters of this connection, each once"):
        compare_requested_meters(stored, [*edits, extra])


def _values(meter: RequestedMeter) -> dict[str, object]:
    return {"meter_type": meter.meter_type, "meter_phase": meter.meter_phase, "fee": meter.fee}
