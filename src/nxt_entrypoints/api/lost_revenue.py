"""Lost revenue of a grid (API 5.8, PAY 17)."""

from __future__ import annotations

from decimal import Decimal

import attrs
from msgspec import UNSET, UnsetType

from nxt_domain.identity.model import Principal
from nxt_domain.orders.lost_revenue import LossOfType
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import IdPath
from nxt_entrypoints.http.routes import Guard, Route, route

WorstDay = list[object] | dict[str, object]
"""``["YYYY-MM-DD", kWh]``, or ``{}`` if no day has a loss."""


@attrs.frozen(kw_only=True)
class LostRevenueBody:
    """Whole units of the grid's currency; the days are absent where there is nothing to compare [PAY-181]."""

    totalHPSRevenueLost: Decimal | None  # noqa: N815 - names are the clients'
    totalFSRevenueLost: Decimal | None  # noqa: N815 - as above
    dayWithHighestLossHPS: WorstDay | UnsetType = UNSET  # noqa: N815 - as above
    dayWithHighestLossFS: WorstDay | UnsetType = UNSET  # noqa: N815 - as above


@route(
    "GET",
    "/lost-revenue/{id}",
    guard=Guard.USER_OR_KEY,
    summary="Show what a grid did not earn this month",
    tags=("grids",),
    capability="payments",
    errors={404: "Grid unknown."},
)
async def lost_revenue(path: IdPath, caller: Principal | None, services: ApiServices) -> LostRevenueBody:
    """Energy that was not sold because meters stood still, in this UTC month, by service tier."""
    found = await services.money.show_lost_revenue(caller, path.id)
    if found.hps is None or found.fs is None:
        return LostRevenueBody(totalHPSRevenueLost=None, totalFSRevenueLost=None)
    if found.is_unscathed:
        return LostRevenueBody(totalHPSRevenueLost=found.hps.total, totalFSRevenueLost=found.fs.total)
    return LostRevenueBody(
        totalHPSRevenueLost=found.hps.total,
        totalFSRevenueLost=found.fs.total,
        dayWithHighestLossHPS=_worst(found.hps),
        dayWithHighestLossFS=_worst(found.fs),
    )


def _worst(loss: LossOfType) -> WorstDay:
    return {} if loss.worst_day is None else list(loss.worst_day)


ROUTES: tuple[Route, ...] = (lost_revenue,)
