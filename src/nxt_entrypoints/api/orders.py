"""Routes of the public pay page, and verification on request (PAY 8)."""

from __future__ import annotations

from decimal import Decimal

import attrs
from msgspec import UNSET, UnsetType

from nxt_domain.identity.model import Principal
from nxt_domain.orders.model import PaymentChannel
from nxt_domain.orders.ports import PublicView
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.public_orders import PublicPurchase
from nxt_domain.shared.money import Currency
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import Created, Id, PurchaseAmount
from nxt_entrypoints.http.rate_limit import PUBLIC_ORDERS
from nxt_entrypoints.http.routes import Guard, Route, route

_TAGS = ("orders",)
_NOT_VERIFIED = dict.fromkeys(
    ("NOT_VERIFIABLE", "GATEWAY_FAILED", "NOT_SUCCESSFUL", "AMOUNT_MISMATCH", "CURRENCY_MISMATCH"), 500
)
"""Kept for compatibility [PAY-59]."""


@attrs.frozen(kw_only=True)
class InitialisePublicBody:
    """What the pay page sends [PAY-53]."""

    meter_external_reference: str
    amount: PurchaseAmount
    currency: Currency
    payment_channel: PaymentChannel
    external_reference: str | None = None


@attrs.frozen(kw_only=True)
class InitialisedPublicOrder:
    """What the pay page needs to open the gateway's checkout."""

    order_id: int
    external_reference: str
    organization_name: str
    grid_name: str
    meter_external_reference: str
    customer_full_name: str | None
    flutterwave_public_key: str


@attrs.frozen(kw_only=True)
class OrderNameBody:
    """Names an order by its id, its reference, or both."""

    id: Id | None = None
    external_reference: str | None = None


@attrs.frozen(kw_only=True)
class PublicOrderState:
    """Where a purchase stands; the last three are absent until a top-up command exists [PAY-56]."""

    order_status: OrderStatus
    amount: Decimal
    directive_status: str | UnsetType | None = UNSET
    token: str | UnsetType | None = UNSET
    kwh: Decimal | UnsetType | None = UNSET


@attrs.frozen(kw_only=True)
class CancelledPublicOrder:
    """The order that was given up."""

    id: int
    order_status: OrderStatus


@route(
    "POST",
    "/orders/flutterwave/initialise/public",
    guard=Guard.PUBLIC,
    summary="Begin a purchase by meter number",
    tags=_TAGS,
    limit=PUBLIC_ORDERS,
    capability="payments",
    errors={
        404: "Meter or grid unknown.",
        409: "Too many purchases at one moment.",
        422: "Too much energy, or another currency.",
    },
)
async def initialise_public(body: InitialisePublicBody, services: ApiServices) -> InitialisedPublicOrder:
    """Stores an INITIALISED order for the meter; the money comes through the gateway's checkout."""
    purchase = PublicPurchase(
        meter_external_reference=body.meter_external_reference,
        amount=body.amount,
        currency=body.currency,
        payment_channel=body.payment_channel,
        external_reference=body.external_reference,
    )
    made = await services.initialise_public_order(purchase)
    return InitialisedPublicOrder(
        order_id=made.order_id,
        external_reference=made.external_reference,
        organization_name=made.organization_name,
        grid_name=made.grid_name,
        meter_external_reference=made.meter_external_reference,
        customer_full_name=made.customer_full_name,
        flutterwave_public_key=made.public_key,
    )


@route(
    "POST",
    "/orders/flutterwave/check/public",
    guard=Guard.PUBLIC,
    summary="Watch a purchase",
    tags=_TAGS,
    limit=PUBLIC_ORDERS,
    capability="payments",
    changes=False,
    errors={404: "Order unknown, or the reference is another one.", 422: "No id."},
)
async def check_public(body: OrderNameBody, services: ApiServices) -> PublicOrderState:
    """Tells the pay page, which polls this, whether it is paid, and the token once there is one."""
    return _state(await services.check_public_order(body.id, body.external_reference))


@route(
    "POST",
    "/orders/flutterwave/cancel/public",
    guard=Guard.PUBLIC,
    summary="Give a purchase up before it is paid",
    tags=_TAGS,
    limit=PUBLIC_ORDERS,
    capability="payments",
    errors={
        404: "Order unknown, or the reference is another one.",
        406: "It is being or has been processed.",
        422: "No id.",
    },
)
async def cancel_public(body: OrderNameBody, services: ApiServices) -> CancelledPublicOrder:
    """Cancels an order; money that arrives afterwards is still credited."""
    status = await services.cancel_public_order(body.id, body.external_reference)
    # The use case refuses a missing id.
    return CancelledPublicOrder(id=body.id or 0, order_status=status)


@route(
    "POST",
    "/orders/flutterwave/verify",
    guard=Guard.USER_OR_KEY,
    summary="Ask the gateway about an order and wait for its word",
    tags=_TAGS,
    capability="payments",
    statuses=_NOT_VERIFIED,
    errors={404: "Order unknown, or its payment is unknown to the gateway.", 422: "Neither id nor reference."},
)
async def verify(body: OrderNameBody, caller: Principal, services: ApiServices) -> Created:
    """Answers when the order is paid; refusals keep status 500, as clients know it."""
    return Created(id=await services.verify_order(caller, body.id, body.external_reference))


def _state(view: PublicView) -> PublicOrderState:
    if view.directive_status is None:
        return PublicOrderState(order_status=view.status, amount=view.amount)
    return PublicOrderState(
        order_status=view.status,
        amount=view.amount,
        directive_status=view.directive_status,
        token=view.token,
        kwh=view.energy_kwh,
    )


ROUTES: tuple[Route, ...] = (initialise_public, check_public, cancel_public, verify)
