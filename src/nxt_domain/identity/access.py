"""The access matrix: which kinds of caller a route admits, and whose rows they reach [API-68].

One table, read by the guards, by the page `docs/access.md` and by the tests. A cell decides by the caller's kind alone,
before any row is read [R39]; the tenant rule is kept by scopes (``nxt_domain.identity.scope``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import attrs

from nxt_domain.identity.model import AccountType, CredentialKind, Principal


class Reach(StrEnum):
    """How far a kind of caller reaches on a route."""

    NONE = "none"
    """Not admitted: 403 (anonymous: 401)."""
    SELF = "self"
    """Own wallet as sender, meters connected to oneself, for an agent those of the own grid [API-65]."""
    OWN = "own"
    """Rows of the own organization [API-64]."""
    ALL = "all"
    """Everything the route offers."""


@attrs.frozen(kw_only=True)
class Access:
    """A row of the matrix. The platform's own members and keys are always admitted [API-63].

    Attributes:
        no_role: Whether an account without member, agent and customer is admitted [API-48].
        anonymous: Callers without credential.
        note: What the route narrows further, in words.
    """

    customer: Reach = Reach.NONE
    agent: Reach = Reach.NONE
    member: Reach = Reach.NONE
    key: Reach = Reach.NONE
    no_role: bool = False
    anonymous: bool = False
    note: str = ""

    def reach_of(self, principal: Principal) -> Reach:
        """Tell how far a caller reaches."""
        if principal.is_admin_org:
            return Reach.ALL
        if principal.account_type is None:
            return Reach.ALL if self.no_role else Reach.NONE
        if principal.kind is CredentialKind.KEY:
            return self.key
        match principal.account_type:
            case AccountType.MEMBER:
                return self.member
            case AccountType.AGENT:
                return self.agent
            case AccountType.CUSTOMER:
                return self.customer

    def admits(self, principal: Principal) -> bool:
        """Tell whether a caller's kind is admitted; nothing is said about single objects."""
        return self.reach_of(principal) is not Reach.NONE


def _everybody(reach: Reach, *, anonymous: bool = False, no_role: bool = False) -> Access:
    return Access(customer=reach, agent=reach, member=reach, key=reach, anonymous=anonymous, no_role=no_role)


ADMIN_ONLY = Access()
KEYS = Access(key=Reach.ALL)
STAFF = Access(member=Reach.OWN, key=Reach.OWN)
PEOPLE = _everybody(Reach.OWN)
ANY_LOGIN = _everybody(Reach.ALL, no_role=True)
ANYBODY = _everybody(Reach.ALL, anonymous=True, no_role=True)

_EVERY_ROLE = _everybody(Reach.ALL)
_AGENTS_TOO = attrs.evolve(STAFF, agent=Reach.OWN, note="Agents: their own grid.")
_SELF_SERVICE = Access(customer=Reach.SELF, agent=Reach.SELF, member=Reach.OWN, key=Reach.OWN)
_CEILING = attrs.evolve(STAFF, note="No member type above the caller's own rank, the platform's included.")
_SNOOZE = attrs.evolve(STAFF, note="Ordinary organizations: only `snoozed_until`.")
_FINANCE = attrs.evolve(ADMIN_ONLY, note="Of the platform, `FINANCE`, `ADMIN` and `SUPERADMIN` only.")
_NO_VALUE_COMMANDS = "Members and keys: all but `TOP_UP` and `CLEAR_CREDIT`, unless `security.allowTenantValueTokens`."
_COMMANDS = attrs.evolve(
    _SELF_SERVICE, note=f"Customers and agents: reads, switching and clearing of tamper marks. {_NO_VALUE_COMMANDS}"
)

ACCESS: Mapping[str, Access] = {
    "POST /africastalking/webhook": ANYBODY,
    "POST /africastalking/sms-delivery-report": ANYBODY,
    "GET /auth/grafana-token": ANY_LOGIN,
    "POST /auth/v1/token": ANYBODY,
    "GET /auth/v1/user": _EVERY_ROLE,
    "POST /auth/v1/logout": attrs.evolve(_EVERY_ROLE, note="Users; a key has no session."),
    "POST /autopilot": STAFF,
    "POST /chirpstack/calin": KEYS,
    "POST /chirpstack/acrel": KEYS,
    "POST /chirpstack/milesight": KEYS,
    "GET /connections": STAFF,
    "POST /connections": STAFF,
    "PATCH /connections": STAFF,
    "POST /connections/upsert-requested-meters": STAFF,
    "GET /customers": STAFF,
    "GET /data-analytics/grid/{gridId}/uptimes": _AGENTS_TOO,
    "POST /data-analytics/grid/{gridId}/top-consumers": _AGENTS_TOO,
    "GET /dcus": STAFF,
    "PUT /dcus": ADMIN_ONLY,
    "POST /dcus/insert-from-inventory": ADMIN_ONLY,
    "POST /dcus/assign": STAFF,
    "PUT /dcus/unassign/{id}": STAFF,
    "POST /directive-batch-executions/reconcile-stale": ADMIN_ONLY,
    "POST /directive-batches/upsert-many": STAFF,
    "POST /epicollect/sync-one-survey": ADMIN_ONLY,
    "POST /epicollect/sync-one-organization": ADMIN_ONLY,
    "GET /epicollect/sync": ADMIN_ONLY,
    "POST /device-messages/events": ANYBODY,
    "POST /flutterwave/webhook": ANYBODY,
    "POST /flutterwave/webhook/{organizationId}": ANYBODY,
    "POST /gateway-suspense/{entryId}/resolve": _FINANCE,
    "GET /grids": STAFF,
    "PUT /grids": ADMIN_ONLY,
    "GET /grids/{id}": STAFF,
    "GET /grids/{id}/metering_hardware_connectivity_stats": STAFF,
    "GET /grids/{id}/pbg-connections/download": STAFF,
    "GET /issues": STAFF,
    "PUT /issues": _SNOOZE,
    "POST /issues/recalculate": ADMIN_ONLY,
    "POST /issues/debug": ADMIN_ONLY,
    "GET /lost-revenue/{id}": STAFF,
    "POST /meter-installs/registration-result": ADMIN_ONLY,
    "POST /meter-installs/deregistration-result": ADMIN_ONLY,
    "POST /meter-installs/retry-commissioning": STAFF,
    "POST /meter-interactions/create-one": _COMMANDS,
    "POST /meter-interactions/retry": STAFF,
    "POST /meter-interactions/reconcile-suspended": ADMIN_ONLY,
    "GET /meter-interactions/{id}/delivery-status": _SELF_SERVICE,
    "POST /meter-credit-transfers": STAFF,
    "GET /meters": STAFF,
    "POST /meters/assign-one": STAFF,
    "POST /meters/{id}/unassign": STAFF,
    "GET /meters/search": ANYBODY,
    "POST /meters/offline-clear-tamper-tokens": STAFF,
    "POST /meters/{external_reference}/tokens/deliver": STAFF,
    "POST /meters/{external_reference}/tokens/generate": attrs.evolve(STAFF, note=_NO_VALUE_COMMANDS),
    "POST /meters/testing/import": ADMIN_ONLY,
    "POST /meters/insert-from-inventory": ADMIN_ONLY,
    "GET /mppts": STAFF,
    "GET /mppts/sync/{grid_id}": STAFF,
    "GET /notes": STAFF,
    "PUT /notifications": KEYS,
    "POST /notifications": KEYS,
    "POST /notifications/site-submission": ANYBODY,
    "POST /orders": _SELF_SERVICE,
    "POST /orders/{id}/reverse": _FINANCE,
    "POST /orders/flutterwave/initialise": PEOPLE,
    "POST /orders/flutterwave/verify": PEOPLE,
    "POST /orders/flutterwave/initialise/public": ANYBODY,
    "POST /orders/flutterwave/check/public": ANYBODY,
    "POST /orders/flutterwave/cancel/public": ANYBODY,
    "PUT /payouts": ADMIN_ONLY,
    "POST /payouts": ADMIN_ONLY,
    "POST /pd-flows": ADMIN_ONLY,
    "POST /pd-actions/{id}/exec": ADMIN_ONLY,
    "POST /pd-actions/{id}/test": ADMIN_ONLY,
    "GET /poles": STAFF,
    "GET /routers": STAFF,
    "POST /sendgrid/webhook": ANYBODY,
    "POST /telegram/link": ADMIN_ONLY,
    "GET /telegram/accounts/{telegram_id}": ADMIN_ONLY,
    "POST /user-admin/invite-member": _CEILING,
    "POST /user-admin/update-member": _CEILING,
    "DELETE /user-admin/member/{id}": _CEILING,
    "POST /user-admin/create-agent": STAFF,
    "POST /user-admin/update-agent": STAFF,
    "DELETE /user-admin/agent/{id}": STAFF,
    "POST /user-admin/create-customer": STAFF,
    "POST /user-admin/update-customer": STAFF,
    "DELETE /user-admin/customer/{id}": STAFF,
}
"""Every route of the API role; those of the other roles are all or nothing [API-71]."""
