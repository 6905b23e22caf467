"""Asking the gateway about an order and drawing the consequences, whoever asks (PAY 9.4, 9.5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.orders import notices
from nxt_domain.orders.gateway import Charge, GatewayTransaction, Verdict, judge, mismatch, next_verification
from nxt_domain.orders.gateway_ports import GatewayFailed, MerchantAccounts, UnknownPayment
from nxt_domain.orders.model import Order
from nxt_domain.orders.ports import GatewayKey, OrdersTransaction
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import NotFound, Unavailable
from nxt_domain.shared.group_commit import GroupCommit
from nxt_domain.shared.money import Currency, plain
from nxt_domain.shared.outbox import OutboxTask
from nxt_domain.shared.wakeups import Channel, WakeUps
from nxt_domain.wallets.accounts import merchant_of
from nxt_domain.wallets.model import Entry
from nxt_domain.wallets.rules import suspense_entry

_SMALLEST_MONEY = Decimal("0.0001")
_TOGETHER = 100


class Reach(StrEnum):
    """How far a verification got."""

    ANSWERED = "ANSWERED"
    UNKNOWN = "UNKNOWN"
    UNREACHED = "UNREACHED"


@attrs.frozen(kw_only=True)
class Verification:
    """What a verification came to.

    Attributes:
        order: As it is afterwards.
        reach: Whether the gateway answered, does not know the payment, or told nothing.
        answer: What it said, if it answered.
        verdict: What that means for the order; ``UNDECIDED`` without an answer.
        is_late: Whether the order was given up before it was paid.
    """

    order: Order
    reach: Reach
    answer: GatewayTransaction | None = None
    verdict: Verdict = Verdict.UNDECIDED
    is_late: bool = False

    @property
    def result(self) -> str:
        """What it came to, in one word."""
        return self.verdict.value if self.reach is Reach.ANSWERED else self.reach.value


class VerificationMetrics(Protocol):
    """Counts what verifications come to [PAY-135]."""

    def verified(self, result: str) -> None:
        """Count a verification by its result."""

    def paid_late(self) -> None:
        """Count a payment of an order that was given up already."""


class Uncounted:
    """Counts nothing."""

    def verified(self, result: str) -> None:
        """See ``VerificationMetrics``."""

    def paid_late(self) -> None:
        """See ``VerificationMetrics``."""


@attrs.define(eq=False, kw_only=True)
class _Answered:
    """An answer of the gateway whose consequences are to be drawn.

    Attributes:
        known: The order's charge, as far as it was known before the order was locked.
        verification: Set when they are durable.
    """

    order_id: int
    known: Charge
    answer: GatewayTransaction
    verification: Verification | None = None

    @property
    def key(self) -> GatewayKey:
        """The gateway's transaction; a charge never changes its merchant account."""
        return (self.known.merchant, self.answer.id)


@attrs.frozen(kw_only=True)
class _Judged:
    """An answer and what it means for its order, which is locked."""

    order: Order
    charge: Charge
    verdict: Verdict
    answer: GatewayTransaction

    @property
    def key(self) -> GatewayKey:
        """The gateway's transaction."""
        return (self.charge.merchant, self.answer.id)

    def suspense_entry(self) -> Entry | None:
        """Make the entry of money that fits no order, if that is what it is."""
        answer = self.answer
        is_bookable = answer.currency in set(Currency) and answer.amount >= _SMALLEST_MONEY
        if not self.verdict.goes_to_suspense or not is_bookable:
            return None
        return suspense_entry(
            merchant=self.charge.merchant,
            gateway_tx_id=answer.id,
            order_id=self.order.id,
            amount=answer.amount,
            currency=Currency(answer.currency),
        )

    def alert(self, at: datetime) -> OutboxTask | None:
        """Make the task that tells people, if there is something to tell."""
        found = _alert_about(self.order, self.verdict, self.answer)
        if found is None:
            return None
        code, text = found
        facts = {
            "order_id": self.order.id,
            "reference": self.charge.reference,
            "expected": f"{self.order.currency} {plain(self.order.amount)}",
            "received": f"{self.answer.currency} {plain(self.answer.amount)}",
        }
        return alert(code, f"order:{self.order.id}", text, at=at, facts=facts)


class PaymentVerification:
    """Asks outside any transaction, then locks the order, judges anew and writes everything at once [PAY-74].

    Answers that arrive together are written together.

    Any number of verifications of one order may run at the same time: the row lock and a fresh look at the order make
    all but one of them a no-op [PAY-75].

    Args:
        begin: Opens a transaction.
        accounts: Finds the merchant account that a charge was made with.
        clock: Tells the time.
        wake_ups: Wakes the settlement.
        metrics: Counters.
    """

    def __init__(
        self,
        *,
        begin: Callable[[], OrdersTransaction],
        accounts: MerchantAccounts,
        clock: Clock,
        wake_ups: WakeUps,
        metrics: VerificationMetrics | None = None,
    ) -> None:
        self._begin = begin
        self._accounts = accounts
        self._clock = clock
        self._wake_ups = wake_ups
        self._metrics = metrics or Uncounted()
        self._commits: GroupCommit[_Answered] = GroupCommit(self._conclude_all, limit=_TOGETHER)

    async def by_reference(self, order: Order, charge: Charge) -> Verification:
        """Ask for the payment under the order's reference [PAY-61].

        Args:
            order: As read without lock; its state is read again before anything is decided.
            charge: Its charge.
        """
        return self._counted(await self._verify(order, charge, None))

    async def by_id(self, order: Order, charge: Charge, gateway_tx_id: str) -> Verification:
        """Ask for one transaction of the gateway that may belong to the order [PAY-77]."""
        return self._counted(await self._verify(order, charge, gateway_tx_id))

    def _counted(self, done: Verification) -> Verification:
        self._metrics.verified(done.result)
        if done.is_late:
            self._metrics.paid_late()
        return done

    async def _verify(self, order: Order, charge: Charge, gateway_tx_id: str | None) -> Verification:
        try:
            account = await self._accounts.for_merchant(charge.merchant)
            if gateway_tx_id is None:
                answer = await account.gateway.verify_by_reference(charge.reference)
            else:
                answer = await account.gateway.verify_by_id(gateway_tx_id)
        except UnknownPayment:
            return await self._note(order.id, charge, Reach.UNKNOWN, error=None)
        except (GatewayFailed, Unavailable) as failed:
            return await self._note(order.id, charge, Reach.UNREACHED, error=failed.message)
        return await self._conclude(order.id, charge, answer)

    async def _note(self, order_id: int, known: Charge, reach: Reach, error: str | None) -> Verification:
        """Record that there is no answer; the order stays as it is [PAY-90]."""
        now = self._clock.now()
        async with self._begin() as tx:
            order = (await _locked(tx, [order_id]))[order_id]
            charge = await tx.charges.find(order_id) or known
            noted = charge.asked(now) if error is None else charge.unreached(now, error)
            await tx.charges.save([_rescheduled(noted, order, now)])
            await tx.commit()
        return Verification(order=order, reach=reach)

    async def _conclude(self, order_id: int, known: Charge, answer: GatewayTransaction) -> Verification:
        answered = _Answered(order_id=order_id, known=known, answer=answer)
        await self._commits.submit(answered)
        if answered.verification is None:
            raise RuntimeError("an answer was written without its verification")
        return answered.verification

    async def _conclude_all(self, batch: Sequence[_Answered]) -> None:
        """Draw the consequences of answers that came together."""
        for answers in _independent([answered for answered in batch if answered.verification is None]):
            await self._conclude_together(answers)

    async def _conclude_together(self, answers: Sequence[_Answered]) -> None:
        """Judge answers about different orders on their locked rows, and write everything in one transaction."""
        now = self._clock.now()
        async with self._begin() as tx:
            orders = await _locked(tx, [answered.order_id for answered in answers])
            charges = await tx.charges.find_all(list(orders))
            owners = await tx.charges.owners_of([answered.key for answered in answers])
            after: list[tuple[_Answered, Verification]] = []
            judged: list[_Judged] = []
            noted: list[Charge] = []
            for answered in answers:
                order, charge = orders[answered.order_id], charges.get(answered.order_id, answered.known)
                is_foreign = owners.get(answered.key) not in {None, order.id}
                verdict = judge(order, charge, answered.answer, belongs_to_other=is_foreign)
                concluded = _after(order, verdict, answered.answer)
                judged.append(_Judged(order=order, charge=charge, verdict=verdict, answer=answered.answer))
                noted.append(_rescheduled(_after_charge(charge, verdict, answered.answer, now), concluded, now))
                late = verdict is Verdict.PAID and order.is_late
                after.append((answered, _answered_with(concluded, answered.answer, verdict, is_late=late)))
            await self._book_and_alert(tx, judged)
            changed = [result for _, result in after if result.order is not orders[result.order.id]]
            await tx.orders.save([result.order for result in changed])
            await _tell_refused(tx, [result.order for result in changed if result.verdict is Verdict.REFUSED])
            await tx.charges.save(noted)
            await tx.commit()
        for answered, result in after:
            answered.verification = result
        if any(result.verdict is Verdict.PAID for _, result in after):
            self._wake_ups.hint(Channel.SETTLEMENT)

    async def _book_and_alert(self, tx: OrdersTransaction, judged: Sequence[_Judged]) -> None:
        """Book what fits no order to suspense, and say what a person should know [PAY-79].

        All entries are posted at once, so that their accounts are locked in one order: others do the same meanwhile.
        A gateway transaction is booked, and told of, once; a currency that we don't keep only raises the alert.
        """
        entries = {each.key: entry for each in judged if (entry := each.suspense_entry()) is not None}
        receipts = await tx.ledger.post(list(entries.values()))
        known = {key for key, receipt in zip(entries, receipts, strict=True) if not receipt.created}
        now = self._clock.now()
        told = [each.alert(now) for each in judged if each.key not in known]
        await tx.outbox.add([task for task in told if task is not None])


def _answered_with(order: Order, answer: GatewayTransaction, verdict: Verdict, *, is_late: bool) -> Verification:
    return Verification(order=order, reach=Reach.ANSWERED, answer=answer, verdict=verdict, is_late=is_late)


def _independent(waiting: Sequence[_Answered]) -> Iterator[Sequence[_Answered]]:
    """Split answers into groups in which no order and no transaction of the gateway occurs twice, in their order."""
    while waiting:
        seen: set[object] = set()
        group: list[_Answered] = []
        later: list[_Answered] = []
        for answered in waiting:
            names = {answered.order_id, answered.key}
            (later if names & seen else group).append(answered)
            seen |= names
        yield group
        waiting = later


def _alert_about(order: Order, verdict: Verdict, answer: GatewayTransaction) -> tuple[str, str] | None:
    if verdict is Verdict.PAID and order.is_late:
        return "LATE_PAYMENT", f"Order {order.id} was {order.status} and has been paid after all"
    if verdict is Verdict.FOREIGN:
        return "FOREIGN_PAYMENT", f"Transaction {answer.id} is not that of order {order.id}"
    if verdict.goes_to_suspense:
        return "PAYMENT_IN_SUSPENSE", f"Money came in for order {order.id} that does not fit it: {verdict}"
    return None


def charge_of(order: Order, stored: Charge | None) -> Charge | None:
    """Return an order's charge; for an order from before there were charges, what it would have been.

    None: the order was never meant for the gateway, since it has no reference.
    """
    if stored is not None or order.external_reference is None:
        return stored
    return Charge(
        order_id=order.id,
        merchant=merchant_of(order.routing_organization_id),
        reference=order.external_reference,
        amount=order.amount,
        currency=order.currency,
    )


async def _locked(tx: OrdersTransaction, order_ids: Collection[int]) -> Mapping[int, Order]:
    orders = await tx.orders.lock(order_ids)
    for order_id in order_ids:
        if order_id not in orders:
            raise NotFound(f"Order with id {order_id} not found", code="ORDER_UNKNOWN")
    return orders


async def _tell_refused(tx: OrdersTransaction, orders: Sequence[Order]) -> None:
    """Tell the callers whose purchases by phone a bank refused [PAY-78]."""
    callers = {order.ussd_session_id: order for order in orders if order.ussd_session_id is not None}
    if not callers:
        return
    contacts = await tx.orders.session_contacts(callers)
    told = [notices.bank_refused(callers[session_id], contact) for session_id, contact in contacts.items()]
    await tx.notices.add([notice for notice in told if notice is not None])


def _after(order: Order, verdict: Verdict, answer: GatewayTransaction) -> Order:
    if verdict is Verdict.PAID:
        return order.pay(answer.method)
    if verdict is Verdict.REFUSED:
        return order.refuse()
    if verdict in {Verdict.AMOUNT_MISMATCH, Verdict.CURRENCY_MISMATCH}:
        return order.refuse_mismatch(*mismatch(verdict, order, answer))
    return order


def _after_charge(charge: Charge, verdict: Verdict, answer: GatewayTransaction, now: datetime) -> Charge:
    """The charge row speaks of the transaction that decided the order, so others leave it as it is."""
    is_about_other = verdict.goes_to_suspense and verdict not in {Verdict.AMOUNT_MISMATCH, Verdict.CURRENCY_MISMATCH}
    if is_about_other or verdict in {Verdict.FOREIGN, Verdict.NOTHING}:
        return charge.asked(now)
    return charge.answered(answer, now)


def _rescheduled(charge: Charge, order: Order, now: datetime) -> Charge:
    next_verify_at = next_verification(order, attempts=charge.verify_attempts, now=now)
    return attrs.evolve(charge, next_verify_at=next_verify_at)
