"""Money that came in and fits no order (PAY 9.5)."""

from __future__ import annotations

from typing import Annotated

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.orders.suspense import ResolutionState, SuspenseAction
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import Id
from nxt_entrypoints.http.routes import Guard, Route, route
from nxt_entrypoints.http.rules import NOT_EMPTY, max_length


@attrs.frozen(kw_only=True)
class EntryPath:
    """Which suspense entry."""

    entryId: Id  # noqa: N815 - the path's own spelling


@attrs.frozen(kw_only=True)
class ResolveBody:
    """What is decided; ``receiver_wallet_id`` is needed for ``credit``."""

    action: SuspenseAction
    reason: Annotated[str, NOT_EMPTY, max_length(1000)]
    receiver_wallet_id: Id | None = None


@attrs.frozen(kw_only=True)
class ResolvedSuspense:
    """The decision, and the order that gives the money out, if one does."""

    entry_id: int
    action: SuspenseAction
    state: ResolutionState
    order_id: int | None


@route(
    "POST",
    "/gateway-suspense/{entryId}/resolve",
    guard=Guard.USER_OR_KEY,
    summary="Decide about money that fits no order",
    tags=("orders",),
    capability="payments",
    errors={
        404: "There is no such suspense entry.",
        406: "The receiver is the system wallet.",
        409: "It is resolved already, or the wallet does not exist.",
        422: "Another currency, a missing link, or too much energy.",
    },
)
async def resolve(path: EntryPath, body: ResolveBody, caller: Principal, services: ApiServices) -> ResolvedSuspense:
    """Credits a wallet by an order that settles at once, or asks the gateway to give the money back."""
    decided = await services.money.resolve_suspense(
        caller, path.entryId, body.action, body.receiver_wallet_id, body.reason
    )
    return ResolvedSuspense(
        entry_id=decided.entry_id, action=decided.action, state=decided.state, order_id=decided.order_id
    )


ROUTES: tuple[Route, ...] = (resolve,)
