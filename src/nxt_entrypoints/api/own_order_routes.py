"""Orders of signed-in people and programs (PAY 8.1, 8.2)."""

from __future__ import annotations

from typing import Annotated

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.orders.model import PaymentChannel
from nxt_domain.orders.ports import ReferenceTaken
from nxt_domain.orders.use_cases.move_money import GatewayPayment, Transfer
from nxt_domain.shared.money import Currency
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import Created, Id, IdPath, PurchaseAmount
from nxt_entrypoints.http.routes import Guard, Route, route
from nxt_entrypoints.http.rules import NOT_EMPTY, max_length

_TAGS = ("orders",)
_MAKING = {
    406: "Sender and receiver are the same wallet.",
    409: "A wallet does not exist.",
    422: "Another currency, a missing link, no tariff, or too much energy.",
}


@attrs.frozen(kw_only=True)
class PlaceOrderBody:
    """A movement from one wallet to another [PAY-51]."""

    receiver_wallet_id: Id
    sender_wallet_id: Id
    amount: PurchaseAmount
    currency: Currency
    payment_channel: PaymentChannel
    author_id: Id | None = None


@attrs.frozen(kw_only=True)
class InitialiseBody:
    """A payment into a wallet through the gateway [PAY-52]."""

    external_reference: str
    receiver_wallet_id: Id
    amount: PurchaseAmount
    currency: Currency
    payment_channel: PaymentChannel


@attrs.frozen(kw_only=True)
class InitialisedOrder:
    """The order, and the key of the merchant account that will take the money [PAY-88]."""

    id: int
    flutterwave_public_key: str


@route(
    "POST",
    "/orders",
    guard=Guard.USER_OR_KEY,
    summary="Move money from a wallet",
    tags=_TAGS,
    capability="payments",
    errors=_MAKING | {403: "The sender is not the caller's to spend from."},
)
async def place_order(body: PlaceOrderBody, caller: Principal, services: ApiServices) -> Created:
    """Stores a PENDING order; it is settled in its turn, and fails then if the balance does not suffice."""
    transfer = Transfer(
        sender_wallet_id=body.sender_wallet_id,
        receiver_wallet_id=body.receiver_wallet_id,
        amount=body.amount,
        currency=body.currency,
        payment_channel=body.payment_channel,
        author_id=body.author_id,
    )
    return Created(id=await services.money.place_order(caller, transfer))


@route(
    "POST",
    "/orders/flutterwave/initialise",
    guard=Guard.USER_OR_KEY,
    summary="Begin a payment into a wallet through the gateway",
    tags=_TAGS,
    capability="payments",
    statuses={ReferenceTaken.default_code: 500},
    errors=_MAKING | {406: "The receiver is the system wallet."},
)
async def initialise(body: InitialiseBody, caller: Principal, services: ApiServices) -> InitialisedOrder:
    """Stores an INITIALISED order; a reference that is known keeps status 500, as clients know it."""
    payment = GatewayPayment(
        external_reference=body.external_reference,
        receiver_wallet_id=body.receiver_wallet_id,
        amount=body.amount,
        currency=body.currency,
        payment_channel=body.payment_channel,
    )
    begun = await services.money.initialise_order(caller, payment)
    return InitialisedOrder(id=begun.order_id, flutterwave_public_key=begun.public_key)


@attrs.frozen(kw_only=True)
class ReasonBody:
    """Why staff do something that can't be undone."""

    reason: Annotated[str, NOT_EMPTY, max_length(1000)]


@attrs.frozen(kw_only=True)
class ReversedOrder:
    """The order, and the ledger entry that took its settlement back."""

    id: int
    entry_id: int


@route(
    "POST",
    "/orders/{id}/reverse",
    guard=Guard.USER_OR_KEY,
    summary="Reverse a settled order",
    tags=_TAGS,
    capability="payments",
    errors={
        404: "Order unknown.",
        409: "Not settled, reversed already, the receiver holds too little, or the energy has reached the meter.",
    },
)
async def reverse(path: IdPath, body: ReasonBody, caller: Principal, services: ApiServices) -> ReversedOrder:
    """Posts the opposite of the settlement; the order stays COMPLETED, and a top-up that still waits is aborted."""
    done = await services.money.reverse_order(caller, path.id, body.reason)
    return ReversedOrder(id=done.order_id, entry_id=done.entry_id)


ROUTES: tuple[Route, ...] = (place_order, initialise, reverse)
