"""Reports by e-mail, as rows of ``notifications`` with the parameters of their template [PAY-164, PAY-179]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.engine import dump_json
from nxt_domain.orders.mails import Reader, Report

_FINANCE: Final = text(
    """
    select a.id as account_id, a.email from public.members m join public.accounts a on a.id = m.account_id
    where a.organization_id = :organization_id and m.member_type = 'FINANCE' and a.deleted_at is null
        and btrim(a.email) <> ''
    order by a.id
    """
)
# One set of parameters for all readers.
_ADD: Final = text(
    """
    with parameters as (
        insert into public.notification_parameters (parameters) values (cast(:parameters as json)) returning id
    )
    insert into public.notifications (
        carrier_external_system, connector_external_system, notification_type, notification_status, email, subject,
        account_id, organization_id, notification_parameter_id, dedupe_key)
    select 'SENDGRID', 'SENDGRID', cast(:type as notification_type_enum), 'PENDING', r.email, :subject,
        r.account_id, :organization_id, parameters.id, :key || ':' || r.account_id
    from parameters, unnest(cast(:accounts as integer[]), cast(:emails as text[])) as r (account_id, email)
    on conflict (dedupe_key) where dedupe_key is not null do nothing
    """
)


class PostgresMails:
    """Implements ``Mails``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def finance_of(self, organization_id: int) -> Sequence[Reader]:
        """See ``Mails.finance_of``."""
        rows = await self._connection.execute(_FINANCE, {"organization_id": organization_id})
        return [Reader(account_id=row.account_id, email=row.email) for row in rows]

    async def add(self, report: Report, readers: Sequence[Reader]) -> None:
        """See ``Mails.add``; one statement."""
        if not readers:
            return
        values = {
            "parameters": dump_json(report.parameters),
            "type": report.type,
            "subject": report.subject,
            "organization_id": report.organization_id,
            "key": report.key,
            "accounts": [reader.account_id for reader in readers],
            "emails": [reader.email for reader in readers],
        }
        await self._connection.execute(_ADD, values)
