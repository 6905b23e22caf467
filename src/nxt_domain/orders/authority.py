"""Who may move which money: the table of PAY 7."""

from __future__ import annotations

from nxt_domain.identity.model import AccountType, CredentialKind, MemberType, Principal
from nxt_domain.orders.meta import Party
from nxt_domain.orders.model import ActorType
from nxt_domain.shared.errors import Forbidden

FINANCE_TYPES = frozenset({MemberType.FINANCE, MemberType.ADMIN, MemberType.SUPERADMIN})
"""Members of the platform who may also spend from the system wallet, reverse and resolve."""


def is_platform_finance(caller: Principal) -> bool:
    """Tell whether a caller is finance staff of the platform."""
    return caller.is_admin_org and caller.member_type in FINANCE_TYPES


def may_send_from(caller: Principal, sender: Party) -> bool:
    """Tell whether a caller may name a wallet as sender [PAY-48]; the receiver is not restricted.

    An API key counts as the member account it belongs to.
    """
    if sender.is_system:
        return is_platform_finance(caller)
    if caller.is_admin_org:
        return True
    match caller.account_type:
        case AccountType.AGENT:
            return sender.actor is ActorType.AGENT and sender.owner_id == caller.agent_id
        case AccountType.CUSTOMER:
            return sender.actor is ActorType.CUSTOMER and sender.owner_id == caller.customer_id
        case AccountType.MEMBER:
            return sender.organization_id is not None and sender.organization_id == caller.organization_id
        case _:
            return False


def require_sender(caller: Principal, sender: Party) -> None:
    """Refuse a sender wallet that is not the caller's to spend from.

    Raises:
        Forbidden: See ``may_send_from``.
    """
    if not may_send_from(caller, sender):
        raise Forbidden("You are not allowed to send from this wallet", code="SENDER_NOT_ALLOWED")


def require_platform_finance(caller: Principal) -> None:
    """Refuse everybody but finance staff of the platform.

    Raises:
        Forbidden: The caller is none.
    """
    if not is_platform_finance(caller):
        raise Forbidden("You do not have access to this resource")


def author_of(caller: Principal, author_id: int | None) -> int:
    """Return the account that an order is written to [PAY-49, API-70].

    Another account than the caller's counts only for keys of the platform: the chat bot orders for others.
    """
    is_platform_key = caller.is_admin_org and caller.kind is CredentialKind.KEY
    return author_id if author_id is not None and is_platform_key else caller.account_id
