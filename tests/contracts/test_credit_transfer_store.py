"""Contract of ``CreditTransfers`` over memory and PostgreSQL (PAY 13.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from tests.support.meters_villages import KINDS, village
from tests.support.transfer_world import TransferWorld

from nxt_domain.orders.credit_transfers import CreditTransfer, TransferStatus, TransferStep


@pytest.fixture(params=KINDS)
async def transfers(request: pytest.FixtureRequest) -> AsyncIterator[TransferWorld]:
    async with village(request, request.param) as built:
        made = TransferWorld(built)
        await made.prepare()
        yield made


async def saved(transfers: TransferWorld, transfer: CreditTransfer, after: timedelta = timedelta()) -> None:
    async with transfers.village.begin() as tx:
        await tx.credit_transfers.save(transfer, look_at=transfers.village.clock.now() + after)
        await tx.commit()


async def test_a_transfer_is_kept_with_all_its_numbers(transfers: TransferWorld) -> None:
    """[PAY-141] What a crash must not forget."""
    new = await transfers.move("600")
    known = attrs.evolve(
        new,
        status=TransferStatus.PROCESSING,
        energy_kwh=Decimal("2.4"),
        give_back_kwh=Decimal("2.9"),
        sender_meter_set_to_amount=Decimal(725),
        commands={TransferStep.TURN_OFF: 7, TransferStep.READ_CREDIT: 8},
        is_paid_out=True,
        alerted_at=transfers.village.clock.now(),
    )
    await saved(transfers, known)
    async with transfers.village.begin() as tx:
        assert await tx.credit_transfers.lock(new.id) == known
        assert await tx.credit_transfers.lock(new.id + 1) is None


async def test_what_is_due(transfers: TransferWorld) -> None:
    """The one that waited longest comes first; what ended never comes again, and its meters are free."""
    clock = transfers.village.clock
    transfer = await transfers.move()
    clock.advance(timedelta(minutes=1))
    async with transfers.village.begin() as tx:
        assert await tx.credit_transfers.due(clock.now(), 5) == [transfer.id]
        assert await tx.credit_transfers.busy({transfers.sender, transfers.third}) == [transfers.sender]
    await saved(transfers, transfer, timedelta(minutes=1))
    async with transfers.village.begin() as tx:
        assert await tx.credit_transfers.due(clock.now(), 5) == []
    clock.advance(timedelta(minutes=2))
    async with transfers.village.begin() as tx:
        assert await tx.credit_transfers.due(clock.now(), 5) == [transfer.id]
        assert await tx.credit_transfers.due(clock.now(), 0) == []
    await saved(transfers, attrs.evolve(transfer, finished_at=clock.now()))
    async with transfers.village.begin() as tx:
        assert await tx.credit_transfers.due(clock.now(), 5) == []
        assert await tx.credit_transfers.lock(transfer.id) is None
        assert await tx.credit_transfers.busy({transfers.sender, transfers.receiver}) == []


async def test_manual_mode_is_given_back_as_it_was(transfers: TransferWorld) -> None:
    """[PAY-141] A meter that staff had put into manual mode stays in it."""
    village = transfers.village
    transfer = await transfers.move()
    other = attrs.evolve(transfer, sender_meter_id=transfers.receiver, receiver_meter_id=transfers.third)
    async with village.begin() as tx:
        await tx.credit_transfers.hold(attrs.evolve(transfer, receiver_meter_id=transfers.sender), village.clock.now())
        await tx.commit()
    assert await transfers.in_manual_mode() == [True, False, False]
    async with village.begin() as tx:
        await tx.credit_transfers.hold(attrs.evolve(other, sender_meter_id=transfers.sender), village.clock.now())
        await tx.commit()
    assert await transfers.in_manual_mode() == [True, False, True]
    async with village.begin() as tx:
        await tx.credit_transfers.release(transfer, village.clock.now())
        await tx.commit()
    assert await transfers.in_manual_mode() == [True, False, False]


async def test_meters_for_sale_by_id(transfers: TransferWorld) -> None:
    """[PAY-54] As by number; unknown ones are left out."""
    async with transfers.village.begin() as tx:
        found = await tx.orders.meters_for_sale({transfers.sender, 999_999})
        (known,) = found.values()
        assert known == await tx.orders.meter_for_sale(known.external_reference)
    assert (list(found), known.is_ready) == ([transfers.sender], True)
