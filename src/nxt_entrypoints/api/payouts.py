"""Statements of grids (PAY 14.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import attrs

from nxt_domain.grids.views import GridView
from nxt_domain.identity.model import Principal
from nxt_domain.orders.payouts import PayoutNotComputable
from nxt_domain.orders.use_cases.make_payout import PayoutChange
from nxt_domain.orders.use_cases.show_payout import NamedAccount, ShownPayout
from nxt_domain.wallets.payouts import PayoutStatus
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import Id
from nxt_entrypoints.http.routes import Guard, Route, route
from nxt_entrypoints.http.rules import max_length

_TAGS = ("payouts",)


@attrs.frozen(kw_only=True)
class DraftBody:
    """Which grid and half-open period [PAY-146]."""

    grid_id: Id
    date_from: datetime
    date_to: datetime


@attrs.frozen(kw_only=True)
class ChangeBody:
    """What is changed; other fields of a payout are accepted, and have no effect [PAY-148]."""

    id: Id
    draft_link: Annotated[str, max_length(2000)] | None = None
    payout_status: PayoutStatus | None = None
    approved_amount: Decimal | None = None
    external_reference: Annotated[str, max_length(255)] | None = None


@attrs.frozen(kw_only=True)
class PayoutBody:
    """A statement as clients know it; ``details`` is the draft message of PAY 14.3."""

    id: int
    created_at: datetime
    proposed_amount: Decimal
    approved_amount: Decimal | None
    external_reference: str | None
    external_system: str
    payout_status: PayoutStatus
    draft_link: str | None
    started_at: datetime
    ended_at: datetime
    grid_id: int
    details: Mapping[str, object]
    grid: GridView | None
    approved_by: NamedAccount | None


@route(
    "POST",
    "/payouts",
    guard=Guard.USER_OR_KEY,
    summary="Draft the statement of a grid and period",
    tags=_TAGS,
    capability="payments",
    statuses={PayoutNotComputable.default_code: 500},
    errors={404: "Grid unknown.", 409: "The period's statement is approved already."},
)
async def draft_payout(body: DraftBody, caller: Principal, services: ApiServices) -> PayoutBody:
    """Works the statement out and stores it; a repeat while it waits for approval works it out anew."""
    payout = await services.money.draft_payout(body.grid_id, body.date_from, body.date_to)
    return _body(await services.money.show_payout(caller, payout))


@route(
    "PUT",
    "/payouts",
    guard=Guard.USER_OR_KEY,
    summary="Store a draft's link, approve a statement, note its bank transfer",
    tags=_TAGS,
    capability="payments",
    errors={
        404: "Payout unknown.",
        409: "That is no step from where it stands.",
        422: "A payout below zero can't be approved.",
    },
)
async def change_payout(body: ChangeBody, caller: Principal, services: ApiServices) -> PayoutBody:
    """Approval is for finance staff of the platform; the ledger follows in the same transaction."""
    change = PayoutChange(
        draft_link=body.draft_link,
        status=body.payout_status,
        approved_amount=body.approved_amount,
        external_reference=body.external_reference,
    )
    payout = await services.money.change_payout(caller, body.id, change)
    return _body(await services.money.show_payout(caller, payout))


def _body(shown: ShownPayout) -> PayoutBody:
    payout = shown.payout
    return PayoutBody(
        id=payout.id,
        created_at=payout.created_at,
        proposed_amount=payout.proposed_amount,
        approved_amount=payout.approved_amount,
        external_reference=payout.external_reference,
        external_system="FLUTTERWAVE",
        payout_status=payout.status,
        draft_link=payout.draft_link,
        started_at=payout.started_at,
        ended_at=payout.ended_at,
        grid_id=payout.grid_id,
        details=payout.details,
        grid=shown.grid,
        approved_by=shown.approved_by,
    )


ROUTES: tuple[Route, ...] = (draft_payout, change_payout)
