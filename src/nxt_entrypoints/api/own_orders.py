"""The tenant rule for orders that a caller names [API-64, R39]."""

from __future__ import annotations

from collections.abc import Callable

from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import may_see_organization
from nxt_domain.orders.ports import OrdersTransaction
from nxt_domain.orders.references import is_storable
from nxt_domain.orders.use_cases.verify_order import VerifyOrder
from nxt_domain.shared.errors import NotFound


class VerifyOwnOrder:
    """Verifies an order of the caller's own tenant; a foreign one answers exactly as an unknown one.

    Args:
        begin: Opens a transaction.
        verify: Verifies any order.
    """

    def __init__(self, *, begin: Callable[[], OrdersTransaction], verify: VerifyOrder) -> None:
        self._begin = begin
        self._verify = verify

    async def __call__(self, caller: Principal, order_id: int | None, external_reference: str | None) -> int:
        """Verify an order; see ``VerifyOrder`` for the parameters, the result and the errors."""
        reference = external_reference or None
        if await self._is_foreign(caller, order_id, reference):
            name = f"id {order_id}" if reference is None else f"external reference {reference}"
            raise NotFound(f"Order with {name} not found", code="ORDER_UNKNOWN")
        return await self._verify(order_id, reference)

    async def _is_foreign(self, caller: Principal, order_id: int | None, reference: str | None) -> bool:
        names_nothing = order_id is None and reference is None
        if caller.is_admin_org or names_nothing or (reference is not None and not is_storable(reference)):
            return False
        async with self._begin() as tx:
            order = await tx.orders.find(order_id=order_id, reference=reference)
        return order is not None and not may_see_organization(caller, order.organization_id)
