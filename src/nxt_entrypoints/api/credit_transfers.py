"""Moving credit from one meter to another (PAY 13.2)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.orders.credit_transfers import TransferStatus
from nxt_domain.orders.use_cases.transfer_credit import WantedTransfer
from nxt_domain.shared.money import Currency
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import Id, PurchaseAmount
from nxt_entrypoints.http.routes import Guard, Route, route


@attrs.frozen(kw_only=True)
class TransferBody:
    """Which credit moves where [PAY-140]."""

    sender_meter_id: Id
    receiver_meter_id: Id
    amount: PurchaseAmount
    currency: Currency


@attrs.frozen(kw_only=True)
class StoredTransfer:
    """The row of the transfer; ``sender_meter_set_to_amount`` is known once the sender's credit was read."""

    id: int
    created_at: datetime
    amount: Decimal
    currency: Currency
    meter_credit_transfer_status: TransferStatus
    sender_meter_id: int
    receiver_meter_id: int
    sender_meter_set_to_amount: Decimal | None
    author_id: int | None
    rls_organization_id: int | None


@route(
    "POST",
    "/meter-credit-transfers",
    guard=Guard.USER_OR_KEY,
    summary="Move credit from one meter to another",
    tags=("orders",),
    capability="payments",
    errors={
        404: "There is no such meter.",
        406: "Both meters are the same.",
        409: "A transfer goes on with one of the meters.",
        422: "A meter is not ready, the two belong to different organizations, no tariff, or another currency.",
    },
)
async def transfer_credit(body: TransferBody, caller: Principal, services: ApiServices) -> StoredTransfer:
    """Stores the transfer; the commands to both meters follow by themselves, and its status tells how far they are."""
    transfer = await services.money.transfer_credit(
        caller,
        WantedTransfer(
            sender_meter_id=body.sender_meter_id,
            receiver_meter_id=body.receiver_meter_id,
            amount=body.amount,
            currency=body.currency,
        ),
    )
    return StoredTransfer(
        id=transfer.id,
        created_at=transfer.created_at,
        amount=transfer.amount,
        currency=transfer.currency,
        meter_credit_transfer_status=transfer.status,
        sender_meter_id=transfer.sender_meter_id,
        receiver_meter_id=transfer.receiver_meter_id,
        sender_meter_set_to_amount=transfer.sender_meter_set_to_amount,
        author_id=transfer.author_id,
        rls_organization_id=transfer.organization_id,
    )


ROUTES: tuple[Route, ...] = (transfer_credit,)
