"""The feed and the evidence of acts, inside the transaction of the act [R43]."""

from __future__ import annotations

import attrs

from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import insertion
from nxt_domain.shared.audit import Act


class PostgresAuditTrail:
    """``AuditTrail`` on the relational plane; the chain of hashes is a background step [REL-167].

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def record(self, *acts: Act) -> None:
        """See ``AuditTrail.record``; two statements, whatever the number of acts."""
        if not acts:
            return
        await self._session.run(*insertion("internal.audit_log", [_evidence(act) for act in acts]))
        feed = [_feed(act) for act in acts if act.message is not None]
        if feed:
            await self._session.run(*insertion("public.audits", feed))


def _evidence(act: Act) -> dict[str, object]:
    return {
        "actor_type": act.actor.kind.value,
        "actor_account_id": act.actor.account_id,
        "actor_api_key_id": act.actor.api_key_id,
        "actor_label": act.actor.label,
        "organization_id": act.about.organization_id,
        "grid_id": act.about.grid_id,
        "action": act.action,
        "entity_type": act.entity_type,
        "entity_id": act.entity_id,
        "before": act.before,
        "after": act.after,
        "reason": act.reason,
        "request_id": act.actor.request_id,
        "source_ip": act.actor.source_ip,
    }


def _feed(act: Act) -> dict[str, object]:
    return {
        "message": act.message,
        "from_fs_command": act.is_fs_command,
        "author_id": act.actor.account_id,
        **attrs.asdict(act.about),
    }
