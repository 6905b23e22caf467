"""Routes about single exchanges with meters (API 5.9)."""

from __future__ import annotations

from nxt_domain.identity.model import Principal
from nxt_domain.meters.delivery import DeliveryStatusView
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.fields import IdPath
from nxt_entrypoints.http.routes import Guard, Route, route


@route(
    "GET",
    "/meter-interactions/{id}/delivery-status",
    guard=Guard.USER_OR_KEY,
    summary="Tell how far a command is on its way to its meter",
    tags=("meters",),
    capability="metering",
)
async def delivery_status(path: IdPath, caller: Principal, services: ApiServices) -> DeliveryStatusView | None:
    """While the delivery layer has a message of it; else, and for unknown and foreign ones, 200 and an empty body."""
    return await services.registers.read_delivery_status(caller, path.id)


ROUTES: tuple[Route, ...] = (delivery_status,)
