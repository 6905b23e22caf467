"""Carrying transfers of credit on, step by step, wherever a process left them (PAY 13.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

import attrs

from nxt_domain.grids.tariffs import energy_sold
from nxt_domain.meters.effects import number_of
from nxt_domain.meters.model import Interaction, InteractionType, Meter
from nxt_domain.meters.use_cases.command_meters import MeterCommand, MeterCommands
from nxt_domain.orders.credit_transfers import (
    CreditTransfer,
    TransferAction,
    TransferStatus,
    TransferStep,
    next_action,
)
from nxt_domain.orders.model import Order
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.orders.use_cases.transfer_credit import TransferTransaction
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps
from nxt_domain.wallets.accounts import wallet_account

_LIMIT: Final = 50
_LOOK_AGAIN: Final = timedelta(seconds=2)
_LOOK_LATER: Final = timedelta(minutes=1)
_SENDING: Final = {
    TransferAction.TURN_OFF: TransferStep.TURN_OFF,
    TransferAction.READ_CREDIT: TransferStep.READ_CREDIT,
    TransferAction.TURN_ON: TransferStep.TURN_ON,
}
_BEFORE_CLEARING_LIVES: Final = timedelta(hours=2)
"""A command before anything was cleared gives up in time: its meter is dark, or its customer waits in the dark."""


@attrs.frozen(kw_only=True)
class _Case:
    """A transfer with all that its next step depends on, everything locked."""

    transfer: CreditTransfer
    order: Order
    meters: Mapping[int, Meter]
    commands: Mapping[TransferStep, Interaction]

    @property
    def sender(self) -> Meter:
        return self.meters[self.transfer.sender_meter_id]


class AdvanceTransfers:
    """Does the next step of each transfer whose last one has ended; each in a transaction of its own.

    Whatever a process was doing when it died, the rows say what was done: nothing is cleared or topped up twice.

    Args:
        begin: Opens a transaction.
        commands: Gives commands to meters.
        clock: Tells the time.
        wake_ups: Wakes those who settle and deliver.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[TransferTransaction],
        commands: MeterCommands,
        clock: Clock,
        wake_ups: WakeUps,
    ) -> None:
        self._begin = begin
        self._commands = commands
        self._clock = clock
        self._wake_ups = wake_ups

    async def __call__(self) -> int:
        """Look at what is due, and return how many transfers went on."""
        async with self._begin() as tx:
            due = await tx.credit_transfers.due(self._clock.now(), _LIMIT)
        moved = 0
        for transfer_id in due:
            try:
                moved += await self._advance(transfer_id)
            except DomainError as problem:
                await self._put_off(transfer_id, problem)
        if moved:
            self._wake_ups.hint(Channel.SETTLEMENT, Channel.MESSAGING, Channel.OUTBOX)
        return moved

    async def _advance(self, transfer_id: int) -> bool:
        async with self._begin() as tx:
            case = await _load(tx, transfer_id)
            if case is None:
                return False
            action = next_action(case.transfer, case.commands, case.order.status)
            after = await self._act(tx, case, action)
            is_stuck = action is TransferAction.ALERT
            look_at = self._clock.now() + (_LOOK_LATER if is_stuck else _LOOK_AGAIN)
            await tx.credit_transfers.save(after, look_at=look_at)
            await tx.commit()
        return action not in {TransferAction.WAIT, TransferAction.ALERT}

    async def _act(self, tx: TransferTransaction, case: _Case, action: TransferAction) -> CreditTransfer:
        if action is TransferAction.TURN_OFF and not self._commands.makes_tokens_for(case.sender):
            text = f"Tokens of meter {case.sender.external_reference} are made elsewhere, so its credit can't be moved"
            return await self._refuse(tx, case, FailureCode.METER_FAILED, text)
        if action in _SENDING:
            return await self._send(tx, case, _SENDING[action])
        if action is TransferAction.REFUSE:
            text = "A meter could not be reached, so nothing was moved"
            return await self._refuse(tx, case, FailureCode.METER_FAILED, text)
        steps = {
            TransferAction.MEASURE: self._measure,
            TransferAction.PAY_OUT: self._pay_out,
            TransferAction.FINISH: self._finish,
            TransferAction.ALERT: self._tell,
            TransferAction.WAIT: _leave,
        }
        return await steps[action](tx, case)

    async def _send(
        self, tx: TransferTransaction, case: _Case, step: TransferStep, energy_kwh: Decimal | None = None
    ) -> CreditTransfer:
        kind = InteractionType.TOP_UP if step is TransferStep.GIVE_BACK else InteractionType(step.value)
        is_early = step in {TransferStep.TURN_OFF, TransferStep.READ_CREDIT}
        if step is TransferStep.TURN_OFF:
            await tx.credit_transfers.hold(case.transfer, self._clock.now())
        command = MeterCommand(
            type=kind,
            energy_kwh=energy_kwh,
            author_id=case.transfer.author_id,
            lives=_BEFORE_CLEARING_LIVES if is_early else None,
        )
        made = await self._commands.give(tx, case.sender, command)
        return case.transfer.sent(step, made.id)

    async def _measure(self, tx: TransferTransaction, case: _Case) -> CreditTransfer:
        """Compare what is there with what shall move; the numbers are stored with the command that clears."""
        transfer, tariff = case.transfer, case.sender.tariff
        result = case.commands[TransferStep.READ_CREDIT].result or {}
        credit_kwh = number_of(result.get("kwh_credit_available"))
        if credit_kwh is None or not tariff:
            text = "The sending meter told no credit, or has no tariff"
            return await self._refuse(tx, case, FailureCode.METER_FAILED, text)
        account = wallet_account(case.order.sender_wallet_id, case.order.currency)
        held = (await tx.ledger.balances([account]))[account]
        wanted_kwh = energy_sold(transfer.amount, tariff)
        if credit_kwh < wanted_kwh or held < transfer.amount:
            text = f"The meter holds {credit_kwh} kWh, and its wallet {held}; {wanted_kwh} kWh are wanted"
            return await self._refuse(tx, case, FailureCode.INSUFFICIENT_BALANCE, text)
        measured = attrs.evolve(case, transfer=transfer.measured(credit_kwh, tariff))
        return await self._send(tx, measured, TransferStep.CLEAR_CREDIT)

    async def _pay_out(self, tx: TransferTransaction, case: _Case) -> CreditTransfer:
        """Release the order, and give the rest back."""
        if case.order.awaits_payment:
            await tx.orders.save([case.order.pay(None)])
        transfer = attrs.evolve(case.transfer, is_paid_out=True)
        if not transfer.give_back_kwh:
            return transfer
        paid = attrs.evolve(case, transfer=transfer)
        return await self._send(tx, paid, TransferStep.GIVE_BACK, transfer.give_back_kwh)

    async def _refuse(self, tx: TransferTransaction, case: _Case, code: FailureCode, why: str) -> CreditTransfer:
        if case.order.status is OrderStatus.INITIALISED:
            await tx.orders.save([case.order.give_up(code, why)])
        return case.transfer.refused()

    async def _finish(self, tx: TransferTransaction, case: _Case) -> CreditTransfer:
        now = self._clock.now()
        await tx.credit_transfers.release(case.transfer, now)
        status = TransferStatus.FAILED if case.transfer.is_refused else TransferStatus.SUCCESSFUL
        return attrs.evolve(case.transfer, status=status, finished_at=now)

    async def _tell(self, tx: TransferTransaction, case: _Case) -> CreditTransfer:
        return await self._alert(tx, case.transfer)

    async def _alert(self, tx: TransferTransaction, transfer: CreditTransfer, why: str = "") -> CreditTransfer:
        if transfer.alerted_at is not None:
            return transfer
        now = self._clock.now()
        text = f"A transfer of credit is stuck; energy may be owed to its meters. {why}".strip()
        facts = {"transfer_id": transfer.id, "order_id": transfer.order_id, "energy_kwh": str(transfer.energy_kwh)}
        await tx.outbox.add([alert("CREDIT_TRANSFER_STUCK", f"transfer:{transfer.id}", text, at=now, facts=facts)])
        return attrs.evolve(transfer, alerted_at=now)

    async def _put_off(self, transfer_id: int, problem: DomainError) -> None:
        """Tell of what could not be done, and try again later: others must not wait for it."""
        async with self._begin() as tx:
            transfer = await tx.credit_transfers.lock(transfer_id)
            if transfer is None:
                return
            told = await self._alert(tx, transfer, problem.message)
            await tx.credit_transfers.save(told, look_at=self._clock.now() + _LOOK_LATER)
            await tx.commit()


async def _leave(_tx: TransferTransaction, case: _Case) -> CreditTransfer:
    return case.transfer


async def _load(tx: TransferTransaction, transfer_id: int) -> _Case | None:
    """Lock a transfer, its order and its meters, in this order [R25]."""
    transfer = await tx.credit_transfers.lock(transfer_id)
    if transfer is None or transfer.order_id is None:
        return None
    order = (await tx.orders.lock([transfer.order_id]))[transfer.order_id]
    meters = await tx.meters.lock({transfer.sender_meter_id, transfer.receiver_meter_id})
    if transfer.sender_meter_id not in meters:
        text = f"Meter {transfer.sender_meter_id} was taken away"
        raise DomainError(text, code="METER_UNKNOWN")
    made = await tx.interactions.read(list(transfer.commands.values()))
    commands = {step: made[number] for step, number in transfer.commands.items()}
    delivery = (await tx.interactions.of_orders([order.id])).get(order.id)
    if delivery is not None:
        commands[TransferStep.DELIVER] = delivery
    return _Case(transfer=transfer, order=order, meters=meters, commands=commands)
