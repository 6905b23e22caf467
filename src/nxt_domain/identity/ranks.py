"""The role ceiling: nobody makes somebody more than they are themselves [API-66, API-67]."""

from __future__ import annotations

from nxt_domain.identity.model import MemberType, Principal
from nxt_domain.identity.rules import NO_ACCESS
from nxt_domain.shared.errors import Forbidden

RANKING = (MemberType.SUPERADMIN, MemberType.FINANCE, MemberType.DEVELOPER, MemberType.TECH)
"""Highest first; types that are not in it rank below it."""


def require_assignable(caller: Principal, wanted: MemberType) -> None:
    """Refuse a member type above the caller's own, or one that nobody gives.

    Raises:
        Forbidden: ``You can't assign the role …``.
    """
    if caller.member_type not in RANKING or wanted not in RANKING or _rank(wanted) < _rank(caller.member_type):
        raise Forbidden(f"You can't assign the role {wanted.value}", code="ROLE_CEILING")


def require_admin_organization(wanted: MemberType, organization_id: int | None, admin_organization_id: int) -> None:
    """Keep the highest type inside the platform's own organization [API-67].

    Raises:
        Forbidden: ``You can't assign the role SUPERADMIN``.
    """
    if wanted is MemberType.SUPERADMIN and organization_id != admin_organization_id:
        raise Forbidden(f"You can't assign the role {wanted.value}", code="ROLE_CEILING")


def require_not_above(caller: Principal, target: MemberType | None) -> None:
    """Refuse to remove a member who ranks above the caller [API-68].

    Raises:
        Forbidden: The usual sentence.
    """
    if _rank(target) < _rank(caller.member_type):
        raise Forbidden(NO_ACCESS, code="ROLE_CEILING")


def _rank(member_type: MemberType | None) -> int:
    return RANKING.index(member_type) if member_type in RANKING else len(RANKING)
