"""Whose rows a caller may touch: a repository of tenants' rows can't be opened without a scope [API-64, R39]."""

from __future__ import annotations

from typing import Protocol, TypeVar

import attrs

from nxt_domain.identity.model import Principal

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen(kw_only=True)
class Scope:
    """The rows of one organization, or of all of them for the platform's own staff.

    Attributes:
        organization_id: The tenant; None: no tenant at all, so that nothing is seen.
        is_platform: All tenants' rows, and those of nobody.
    """

    organization_id: int | None
    is_platform: bool = False

    def admits(self, organization_id: int | None) -> bool:
        """Tell whether a row of that organization is seen; None: it belongs to nobody."""
        return self.is_platform or (organization_id is not None and organization_id == self.organization_id)


PLATFORM = Scope(organization_id=None, is_platform=True)
"""For the system's own work, which serves all tenants."""


def scope_of(principal: Principal) -> Scope:
    """Return what a caller may see of tenants' rows."""
    return PLATFORM if principal.is_admin_org else Scope(organization_id=principal.organization_id)


class Scoped(Protocol[T_co]):
    """A transaction whose tenants' rows are reached through a scope alone."""

    def within(self, scope: Scope) -> T_co:
        """Open the repositories of tenants' rows: what lies outside the scope does not exist for them."""
