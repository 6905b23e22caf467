"""How far a command is on its way, for whoever may see its meter [DM-183, MET-96]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from nxt_domain.identity.model import AccountType, CredentialKind, Principal
from nxt_domain.messaging.wire import failure_to_json
from nxt_domain.meters.model import InteractionOwner
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory


@attrs.frozen(kw_only=True)
class DeliveryStatusView:
    """Where the live message of an interaction is; the names are a contract with clients.

    Attributes:
        delivery_failure_history: Failed attempts, newest first; empty, never absent.
    """

    delivery_status: str
    delivery_failure_history: Sequence[Mapping[str, object]]


def may_see(caller: Principal, owner: InteractionOwner) -> bool:
    """Tell whether a caller may see it: customers that of their meters, agents that of their grid [API-64, API-65]."""
    if caller.is_admin_org:
        return True
    if caller.kind is not CredentialKind.KEY:
        if caller.account_type is AccountType.CUSTOMER:
            return owner.customer_account_id == caller.account_id
        if caller.account_type is AccountType.AGENT:
            return owner.grid_id is not None and owner.grid_id == caller.grid_id
    return owner.organization_id is not None and owner.organization_id == caller.organization_id


class ReadDeliveryStatus:
    """Looks at the live message of an interaction.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[MetersTransaction]) -> None:
        self._begin = begin

    async def __call__(self, caller: Principal, interaction_id: int) -> DeliveryStatusView | None:
        """Tell where it is.

        Returns:
            None: it has no live message, is unknown, or another tenant's, which must look the same [R39].
        """
        async with self._begin() as tx:
            owner = (await tx.interactions.owners([interaction_id])).get(interaction_id)
            if owner is None or not may_see(caller, owner):
                return None
            message = await tx.messages.get(str(interaction_id))
        if message is None:
            return None
        return DeliveryStatusView(
            delivery_status=message.delivery_status.value,
            delivery_failure_history=[failure_to_json(record) for record in message.failure_history],
        )
