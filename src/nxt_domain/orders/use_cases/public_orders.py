"""The public pay page: begin a purchase, watch it, give it up (PAY 8.3 to 8.5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import attrs

from nxt_domain.orders.amounts import check_amount
from nxt_domain.orders.gateway_ports import MerchantAccounts
from nxt_domain.orders.model import Order, PaymentChannel
from nxt_domain.orders.ports import MeterForSale, OrdersTransaction, PublicView, ReferenceTaken
from nxt_domain.orders.references import is_storable, payment_reference, reference_taken
from nxt_domain.orders.states import OrderStatus, TransitionRefused
from nxt_domain.orders.use_cases.place_order import OrderDraft, OrderPlacement
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, InvalidInput, NotAcceptable, NotFound, Unprocessable
from nxt_domain.shared.money import Currency

_COLLISIONS = 100


@attrs.frozen(kw_only=True)
class PublicPurchase:
    """What the pay page sends.

    Attributes:
        amount: Major units.
        external_reference: The page's own reference; None or empty: one is made.
    """

    meter_external_reference: str
    amount: Decimal
    currency: Currency
    payment_channel: PaymentChannel
    external_reference: str | None = None


@attrs.frozen(kw_only=True)
class InitialisedPurchase:
    """What the pay page needs to open the checkout [PAY-55]."""

    order_id: int
    external_reference: str
    organization_name: str
    grid_name: str
    meter_external_reference: str
    customer_full_name: str | None
    public_key: str


class InitialisePublicOrder:
    """Begins a purchase by meter number [PAY-53].

    Args:
        begin: Opens a transaction.
        begin_reading: Opens one that changes nothing; None: as ``begin``.
        placement: Makes orders.
        accounts: Chooses the merchant account.
        clock: Tells the time.
        system_wallet_id: The wallet that stands for the outside banking world.
        is_production: Whether references go without ``DEV__``.
    """

    def __init__(
        self,
        *,
        begin: Callable[[], OrdersTransaction],
        begin_reading: Callable[[], OrdersTransaction] | None = None,
        placement: OrderPlacement,
        accounts: MerchantAccounts,
        clock: Clock,
        system_wallet_id: int,
        is_production: bool,
    ) -> None:
        self._begin = begin
        self._begin_reading = begin_reading or begin
        self._placement = placement
        self._accounts = accounts
        self._clock = clock
        self._system_wallet_id = system_wallet_id
        self._is_production = is_production

    async def __call__(self, purchase: PublicPurchase) -> InitialisedPurchase:
        """Store an ``INITIALISED`` order for the meter.

        Raises:
            InvalidInput: The amount, a known reference (``REFERENCE_TAKEN``), a meter that is not ready
                (``METER_NOT_READY``).
            NotFound: Meter or grid unknown.
            Unprocessable: Too much energy, or another currency than the meter's wallet.
            Unavailable: The gateway is not configured.
        """
        check_amount(purchase.amount)
        meter = await self._meter(purchase)
        account = await self._accounts.for_organization(meter.organization_id)
        if purchase.external_reference:
            order = await self._place(purchase, meter, account.merchant, purchase.external_reference)
        else:
            order = await self._place_with_new_reference(purchase, meter, account.merchant)
        return InitialisedPurchase(
            order_id=order.id,
            external_reference=order.external_reference or "",
            organization_name=meter.organization_name or "",
            grid_name=meter.grid_name or "",
            meter_external_reference=meter.external_reference,
            customer_full_name=meter.customer_name,
            public_key=account.public_key,
        )

    async def _meter(self, purchase: PublicPurchase) -> MeterForSale:
        number = purchase.meter_external_reference
        async with self._begin_reading() as tx:
            await self._refuse_known_reference(tx, purchase.external_reference)
            meter = await tx.orders.meter_for_sale(number) if is_storable(number) else None
        if meter is None:
            raise NotFound(f"Could not find meter with external reference {number}", code="METER_UNKNOWN")
        if not meter.is_ready:
            raise InvalidInput(f"Meter {number} is not successfully installed (yet)", code="METER_NOT_READY")
        if meter.grid_name is None:
            text = f"Could not retrieve grid from meter with external reference {number}"
            raise NotFound(text, code="GRID_UNKNOWN")
        return meter

    async def _refuse_known_reference(self, tx: OrdersTransaction, reference: str | None) -> None:
        if not reference:
            return
        if not is_storable(reference):
            raise InvalidInput("external_reference must be a string", code="REFERENCE_INVALID")
        if await tx.orders.find(reference=reference) is not None:
            raise _reference_taken(reference)

    async def _place_with_new_reference(self, purchase: PublicPurchase, meter: MeterForSale, merchant: str) -> Order:
        at = self._clock.now()
        for _ in range(_COLLISIONS):
            reference = payment_reference(
                organization_name=meter.organization_name or "",
                meter_reference=meter.external_reference,
                at=at,
                is_production=self._is_production,
            )
            try:
                return await self._place(purchase, meter, merchant, reference)
            except InvalidInput as taken:
                if taken.code != ReferenceTaken.default_code:
                    raise
                at = max(at + timedelta(milliseconds=1), self._clock.now())
        raise Conflict("Too many purchases for one meter at the same moment", code=ReferenceTaken.default_code)

    async def _place(self, purchase: PublicPurchase, meter: MeterForSale, merchant: str, reference: str) -> Order:
        async with self._begin() as tx:
            wallet_id = meter.wallet_id or await tx.orders.open_meter_wallet(meter.id)
            draft = OrderDraft(
                sender_wallet_id=self._system_wallet_id,
                receiver_wallet_id=wallet_id,
                amount=purchase.amount,
                currency=purchase.currency,
                channel=purchase.payment_channel,
            )
            try:
                order = await self._placement.through_gateway(tx, draft, merchant=merchant, reference=reference)
            except ReferenceTaken as taken:
                raise _reference_taken(reference) from taken
            await tx.commit()
        return order


class CheckPublicOrder:
    """Tells the pay page where a purchase stands [PAY-56].

    Args:
        begin: Opens a transaction.
        is_reference_required: Whether an id alone is not enough (``PUBLIC_ORDER_STRICT``) [PAY-58].
    """

    def __init__(self, *, begin: Callable[[], OrdersTransaction], is_reference_required: bool = False) -> None:
        self._begin = begin
        self._is_reference_required = is_reference_required

    async def __call__(self, order_id: int | None, external_reference: str | None = None) -> PublicView:
        """Read an order by id; a reference that is sent along must match.

        Raises:
            Unprocessable: No id (or no reference where one is required).
            NotFound: Unknown, or the reference is another one.
        """
        if order_id is None or (self._is_reference_required and not external_reference):
            raise Unprocessable("Can't verify order with provided details", code="DETAILS_MISSING")
        async with self._begin() as tx:
            view = await tx.orders.public_view(order_id)
        if view is None or external_reference not in {None, view.external_reference}:
            raise _order_unknown(order_id)
        return view


class CancelPublicOrder:
    """Gives a purchase up before it is paid (T7) [PAY-57].

    Args:
        begin: Opens a transaction.
        is_reference_required: As for ``CheckPublicOrder``.
    """

    def __init__(self, *, begin: Callable[[], OrdersTransaction], is_reference_required: bool = False) -> None:
        self._begin = begin
        self._is_reference_required = is_reference_required

    async def __call__(self, order_id: int | None, external_reference: str | None = None) -> OrderStatus:
        """Cancel an order; money that arrives afterwards is still credited (T4).

        Raises:
            Unprocessable: No id (or no reference where one is required).
            NotFound: Unknown, or the reference is another one.
            NotAcceptable: It is being or has been processed.
        """
        if order_id is None or (self._is_reference_required and not external_reference):
            raise Unprocessable("Can't cancel order with provided details", code="DETAILS_MISSING")
        async with self._begin() as tx:
            order = (await tx.orders.lock([order_id])).get(order_id)
            if order is None or external_reference not in {None, order.external_reference}:
                raise _order_unknown(order_id)
            try:
                cancelled = order.cancel()
            except TransitionRefused as refused:
                text = "Can't cancel order that is being or has been processed"
                raise NotAcceptable(text, code="ORDER_STATE") from refused
            await tx.orders.save([cancelled])
            await tx.commit()
        return cancelled.status


def _order_unknown(order_id: int) -> NotFound:
    return NotFound(f"Could not find order with id {order_id}", code="ORDER_UNKNOWN")


def _reference_taken(reference: str) -> InvalidInput:
    return InvalidInput(reference_taken(reference), code=ReferenceTaken.default_code)
