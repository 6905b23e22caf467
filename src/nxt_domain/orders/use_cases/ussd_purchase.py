"""A purchase by phone: the order first, then the charge, then the code to dial [PAY-99, PAY-100]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from nxt_domain.orders import notices
from nxt_domain.orders.gateway import Charge
from nxt_domain.orders.gateway_ports import (
    ChargeRefused,
    GatewayFailed,
    MerchantAccounts,
    PaymentGateway,
    UnknownPayment,
)
from nxt_domain.orders.model import Order, PaymentChannel
from nxt_domain.orders.ports import OrdersTransaction
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.place_order import OrderDraft, OrderPlacement
from nxt_domain.orders.ussd import UssdCharge, UssdSession, UssdSessions, asked_once_more, charge_task
from nxt_domain.shared.errors import NotFound, Unprocessable
from nxt_domain.shared.money import Currency
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps


class UssdTransaction(OrdersTransaction, Protocol):
    """One transaction over phone sessions and the orders they make."""

    @property
    def ussd_sessions(self) -> UssdSessions:
        """Phone sessions."""


class PlaceUssdOrder:
    """Turns a session that chose meter, amount and bank into an order, so that one exists before anybody can pay.

    Args:
        begin: Opens a transaction.
        placement: Makes orders.
        accounts: Chooses the merchant account.
        new_reference: Makes a reference nobody has, e.g. a UUID.
        wake_ups: Wakes the relay.
        system_wallet_id: The wallet that stands for the outside banking world.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[UssdTransaction],
        placement: OrderPlacement,
        accounts: MerchantAccounts,
        new_reference: Callable[[], str],
        wake_ups: WakeUps,
        system_wallet_id: int,
    ) -> None:
        self._begin = begin
        self._placement = placement
        self._accounts = accounts
        self._new_reference = new_reference
        self._wake_ups = wake_ups
        self._system_wallet_id = system_wallet_id

    async def __call__(self, session_id: int) -> int:
        """Store order, charge and task together, and return the order's id.

        Raises:
            NotFound: There is no such session.
            Unprocessable: It has not chosen meter, amount and bank; or another currency, or too much energy.
            Conflict: The session has made its order already.
            Unavailable: The gateway is not configured.
        """
        async with self._begin() as tx:
            session = await tx.ussd_sessions.find(session_id)
        if session is None:
            raise NotFound(f"There is no phone session {session_id}", code="SESSION_UNKNOWN")
        if session.meter is None or session.amount is None or session.bank_code is None:
            raise Unprocessable(f"Phone session {session_id} has not chosen what to pay", code="SESSION_INCOMPLETE")
        meter = session.meter
        account = await self._accounts.for_organization(meter.organization_id)
        async with self._begin() as tx:
            draft = OrderDraft(
                sender_wallet_id=self._system_wallet_id,
                receiver_wallet_id=meter.wallet_id or await tx.orders.open_meter_wallet(meter.id),
                amount=session.amount,
                currency=Currency.NGN,
                channel=PaymentChannel.USSD,
                author_id=session.caller.account_id,
                ussd_session_id=session.id,
            )
            order = await self._placement.through_gateway(
                tx, draft, merchant=account.merchant, reference=self._new_reference()
            )
            await tx.outbox.add([charge_task(order.id)])
            await tx.commit()
        self._wake_ups.hint(Channel.OUTBOX)
        return order.id


class ChargeByUssd:
    """Charges the bank of a purchase, and sends the buyer the code to dial; a repeat charges nobody twice.

    Args:
        begin: Opens a transaction.
        accounts: Finds the merchant account of the charge.
        wake_ups: Wakes whoever sends messages.
    """

    def __init__(
        self, *, begin: UnitOfWorkFactory[UssdTransaction], accounts: MerchantAccounts, wake_ups: WakeUps
    ) -> None:
        self._begin = begin
        self._accounts = accounts
        self._wake_ups = wake_ups

    async def __call__(self, order_id: int) -> None:
        """Bring the charge of an order to its end.

        Raises:
            NotFound: The order, its charge or its session are missing.
            GatewayFailed: Nobody knows whether the bank was charged; the next call finds out first.
            Unavailable: The keys of the merchant account are missing.
        """
        order, charge, session = await self._read(order_id)
        if order.status is not OrderStatus.INITIALISED:
            return
        gateway = (await self._accounts.for_merchant(charge.merchant)).gateway
        if charge.status is not None and await _is_known(gateway, charge.reference):
            return  # the code to dial is lost; the buyer begins anew, and no second charge is made [PAY-100]
        asking = asked_once_more(charge)
        if asking is None:
            await self._refuse(order, session, "The gateway did not take the charge")
            return
        await self._note(asking)
        try:
            note = await gateway.charge_by_ussd(_charge(order, charge, session))
        except ChargeRefused as refused:
            await self._refuse(order, session, refused.message)
            return
        await self._tell(order, session, note)

    async def _read(self, order_id: int) -> tuple[Order, Charge, UssdSession]:
        async with self._begin() as tx:
            order = await tx.orders.find(order_id=order_id)
            charge = await tx.charges.find(order_id)
            session_id = None if order is None else order.ussd_session_id
            session = None if session_id is None else await tx.ussd_sessions.find(session_id)
        if order is None or charge is None or session is None:
            raise NotFound(f"Order {order_id} was not made by phone", code="NOT_BY_PHONE")
        return order, charge, session

    async def _note(self, asking: Charge) -> None:
        async with self._begin() as tx:
            await tx.orders.lock([asking.order_id])
            await tx.charges.save([asking])
            await tx.commit()

    async def _refuse(self, order: Order, session: UssdSession, why: str) -> None:
        async with self._begin() as tx:
            present = (await tx.orders.lock([order.id]))[order.id]
            if present.status is not OrderStatus.INITIALISED:
                return
            failed = present.refuse_charge(why)
            notice = notices.bank_refused(failed, session.caller)
            await tx.orders.save([failed])
            await tx.notices.add([] if notice is None else [notice])
            await tx.commit()
        self._wake_ups.hint(Channel.NOTIFICATIONS)

    async def _tell(self, order: Order, session: UssdSession, note: str) -> None:
        async with self._begin() as tx:
            notice = notices.ussd_code(order, session.caller, note)
            await tx.notices.add([] if notice is None else [notice])
            await tx.commit()
        self._wake_ups.hint(Channel.NOTIFICATIONS)


async def _is_known(gateway: PaymentGateway, reference: str) -> bool:
    try:
        await gateway.verify_by_reference(reference)
    except UnknownPayment:
        return False
    return True


def _charge(order: Order, charge: Charge, session: UssdSession) -> UssdCharge:
    if session.meter is None or session.bank_code is None or session.caller.phone is None:
        raise GatewayFailed(f"Phone session {session.id} lost what it had chosen", code="SESSION_INCOMPLETE")
    return UssdCharge(
        reference=charge.reference,
        bank_code=session.bank_code,
        amount=order.amount,
        currency=order.currency,
        phone=session.caller.phone,
        meter=session.meter,
    )
