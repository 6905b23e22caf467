"""Use cases behind the routes that move money."""

from __future__ import annotations

import attrs

from nxt_domain.orders.use_cases.make_payout import ChangePayout, DraftPayout
from nxt_domain.orders.use_cases.move_money import InitialiseOrder, PlaceOrder
from nxt_domain.orders.use_cases.resolve_suspense import ResolveSuspense
from nxt_domain.orders.use_cases.reverse_order import ReverseOrder
from nxt_domain.orders.use_cases.show_lost_revenue import ShowLostRevenue
from nxt_domain.orders.use_cases.show_payout import ShowPayout
from nxt_domain.orders.use_cases.transfer_credit import TransferCredit


@attrs.frozen(kw_only=True)
class MoneyServices:
    """Ready to be called; ``nxt_entrypoints.wiring.money`` makes it."""

    place_order: PlaceOrder
    initialise_order: InitialiseOrder
    draft_payout: DraftPayout
    change_payout: ChangePayout
    show_payout: ShowPayout
    reverse_order: ReverseOrder
    resolve_suspense: ResolveSuspense
    show_lost_revenue: ShowLostRevenue
    transfer_credit: TransferCredit
