"""Moving credit from one meter to another: what happens next, decided from what has happened (PAY 13.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.grids.tariffs import credit_value, energy_sold
from nxt_domain.meters.model import Interaction, InteractionStatus, Resolution
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import Currency, ceil_tenth


class TransferStatus(StrEnum):
    """What clients see of a transfer."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"


class TransferStep(StrEnum):
    """The commands of a transfer, in their order [PAY-141]; ``DELIVER`` is the top-up of its order."""

    TURN_OFF = "TURN_OFF"
    READ_CREDIT = "READ_CREDIT"
    CLEAR_CREDIT = "CLEAR_CREDIT"
    GIVE_BACK = "GIVE_BACK"
    DELIVER = "DELIVER"
    TURN_ON = "TURN_ON"


class TransferAction(StrEnum):
    """What to do with a transfer now."""

    WAIT = "WAIT"
    TURN_OFF = "TURN_OFF"
    READ_CREDIT = "READ_CREDIT"
    MEASURE = "MEASURE"
    PAY_OUT = "PAY_OUT"
    TURN_ON = "TURN_ON"
    REFUSE = "REFUSE"
    ALERT = "ALERT"
    FINISH = "FINISH"


@attrs.frozen(kw_only=True)
class NewCreditTransfer:
    """A transfer that somebody asked for.

    Attributes:
        amount: Major units.
        author_id: Account of who asked.
    """

    sender_meter_id: int
    receiver_meter_id: int
    amount: Decimal
    currency: Currency
    author_id: int


@attrs.frozen(kw_only=True)
class CreditTransfer:
    """A transfer as stored.

    Attributes:
        organization_id: ``rls_organization_id``, that of the receiving meter.
        sender_meter_set_to_amount: What is left on the sending meter, in money.
        order_id: The order that books it; None: it is about to be made.
        energy_kwh: What moves; known once the sender's credit was read.
        give_back_kwh: What the sender gets back after its credit was cleared.
        commands: Interactions by step; that of ``DELIVER`` belongs to the order.
        is_refused: It was given up before anything was cleared.
        is_paid_out: Its order was released to settle.
        alerted_at: When operators were told that it is stuck.
        finished_at: When nothing was left to do.
    """

    id: int
    created_at: datetime
    status: TransferStatus
    amount: Decimal
    currency: Currency
    sender_meter_id: int
    receiver_meter_id: int
    author_id: int | None
    organization_id: int | None
    sender_meter_set_to_amount: Decimal | None = None
    order_id: int | None = None
    energy_kwh: Decimal | None = None
    give_back_kwh: Decimal | None = None
    commands: Mapping[TransferStep, int] = attrs.field(factory=dict)
    is_refused: bool = False
    is_paid_out: bool = False
    alerted_at: datetime | None = None
    finished_at: datetime | None = None

    def measured(self, credit_kwh: Decimal, tariff: Decimal) -> CreditTransfer:
        """Note how much moves and how much goes back; the numbers never change afterwards [PAY-141].

        What goes back is rounded up to what a token can hold, in the customer's favour.

        Args:
            credit_kwh: Present on the sending meter, at least what moves.
            tariff: Of the sending meter, per kWh.
        """
        energy_kwh = energy_sold(self.amount, tariff)
        give_back_kwh = ceil_tenth(credit_kwh - energy_kwh)
        return attrs.evolve(
            self,
            energy_kwh=energy_kwh,
            give_back_kwh=give_back_kwh,
            sender_meter_set_to_amount=credit_value(give_back_kwh, tariff),
        )

    def sent(self, step: TransferStep, interaction_id: int) -> CreditTransfer:
        """Note the command of a step; one that was given up stays so."""
        status = self.status if self.is_refused else TransferStatus.PROCESSING
        return attrs.evolve(self, status=status, commands={**self.commands, step: interaction_id}, alerted_at=None)

    def refused(self) -> CreditTransfer:
        """Give it up before anything was cleared; the sender is still to be turned on."""
        return attrs.evolve(self, status=TransferStatus.FAILED, is_refused=True)


def next_action(
    transfer: CreditTransfer, commands: Mapping[TransferStep, Interaction], order_status: OrderStatus
) -> TransferAction:
    """Decide what comes next: each step starts when the one before has succeeded [PAY-141].

    A command that was looked upon as failed and turns out to have worked lets the transfer go on.

    Args:
        transfer: As stored, its row locked.
        commands: Those that were made so far, ``DELIVER`` among them.
        order_status: Of its order.
    """
    if transfer.is_refused:
        if TransferStep.TURN_OFF not in commands:
            return TransferAction.FINISH
        return _turning_on(commands.get(TransferStep.TURN_ON), or_else=TransferAction.FINISH)
    if (clear := commands.get(TransferStep.CLEAR_CREDIT)) is None:
        return _before_clearing(commands)
    if not _has_worked(clear):
        return _clearing(clear)
    return _delivering(transfer, commands, order_status) if transfer.is_paid_out else TransferAction.PAY_OUT


def _before_clearing(commands: Mapping[TransferStep, Interaction]) -> TransferAction:
    """Turn the sender off, read its credit, and compare."""
    for step, action in (
        (TransferStep.TURN_OFF, TransferAction.TURN_OFF),
        (TransferStep.READ_CREDIT, TransferAction.READ_CREDIT),
    ):
        if (command := commands.get(step)) is None:
            return action
        if not _has_worked(command):
            return TransferAction.REFUSE if command.status.is_final else TransferAction.WAIT
    return TransferAction.MEASURE


def _clearing(clear: Interaction) -> TransferAction:
    """Whether the credit was cleared is known only if the meter said so, or if the command never left."""
    if not clear.status.is_final:
        return TransferAction.WAIT
    was_not_done = clear.resolution is Resolution.REJECTED or clear.first_transmitted_at is None
    return TransferAction.REFUSE if was_not_done else TransferAction.ALERT


def _delivering(
    transfer: CreditTransfer, commands: Mapping[TransferStep, Interaction], order_status: OrderStatus
) -> TransferAction:
    if order_status not in {OrderStatus.PENDING, OrderStatus.COMPLETED}:
        return TransferAction.ALERT  # the money did not move, and the energy is owed to the sender
    wanted = [TransferStep.DELIVER]
    if transfer.give_back_kwh:
        wanted.insert(0, TransferStep.GIVE_BACK)
    made = [commands.get(step) for step in wanted]
    if any(command is not None and command.status.is_final and not _has_worked(command) for command in made):
        return TransferAction.ALERT
    if not all(command is not None and _has_worked(command) for command in made):
        return TransferAction.WAIT
    return _turning_on(commands.get(TransferStep.TURN_ON), or_else=TransferAction.ALERT)


def _turning_on(command: Interaction | None, *, or_else: TransferAction) -> TransferAction:
    if command is None:
        return TransferAction.TURN_ON
    if _has_worked(command):
        return TransferAction.FINISH
    return or_else if command.status.is_final else TransferAction.WAIT


def _has_worked(command: Interaction) -> bool:
    return command.status is InteractionStatus.SUCCESSFUL


class CreditTransfers(Protocol):
    """Transfers, inside the caller's transaction."""

    async def busy(self, meter_ids: Collection[int]) -> Collection[int]:
        """Tell which meters take part in a transfer that goes on; the caller holds their locks."""

    async def add(self, new: NewCreditTransfer) -> CreditTransfer:
        """Store a transfer."""

    async def due(self, now: datetime, limit: int) -> Sequence[int]:
        """Name transfers that should be looked at, the one that waited longest first, without locking."""

    async def lock(self, transfer_id: int) -> CreditTransfer | None:
        """Load a transfer that goes on and lock its row; None: it has ended, or somebody else looks at it now."""

    async def save(self, transfer: CreditTransfer, *, look_at: datetime) -> None:
        """Write a locked transfer, and when it should be looked at again."""

    async def hold(self, transfer: CreditTransfer, now: datetime) -> None:
        """Put both meters into manual mode, and remember which were not in it."""

    async def release(self, transfer: CreditTransfer, now: datetime) -> None:
        """Take those meters out of manual mode that ``hold`` put into it."""
