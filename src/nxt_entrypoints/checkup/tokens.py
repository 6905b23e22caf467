"""Whether installed meters can get tokens: those that are made from decoder keys need one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

import psycopg

from nxt_domain.grids.model import CommunicationProtocol
from nxt_entrypoints.checkup.findings import Finding
from nxt_entrypoints.settings.settings import Settings

_TIMEOUT_S = 5
_NEED_KEYS = frozenset({"native", "nxt-sts"})
_KEYLESS: LiteralString = """
    select count(*), min(m.external_reference) from meters m
    left join internal.meter_secrets k on k.meter_id = m.id
    where m.deleted_at is null and m.connection_id is not null and m.communication_protocol::text = any(%s)
        and k.decoder_key_id is null
        and not exists (
            select from internal.secret_inbox i
            where i.purpose = 'METER_DECODER_KEY' and i.owner_type = 'meter' and i.owner_id = m.id and i.plaintext <> ''
        )
"""


async def keyless_meters(settings: Settings, url: str) -> Sequence[Finding]:
    """Count installed meters whose next top-up will fail for want of a key [STS-6]."""
    metering = settings.artifact.capabilities.metering
    protocols = [each.value for each in CommunicationProtocol if metering.token_vendor(each).provider in _NEED_KEYS]
    if not (metering.enabled and protocols):
        return []
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=_TIMEOUT_S, autocommit=True) as opened:
            row = await (await opened.execute(_KEYLESS, [protocols])).fetchone()
    except psycopg.Error:
        return []  # the database's own findings say what is wrong
    count, example = row or (0, None)
    return [
        Finding(
            what="decoder keys",
            ok=not count,
            detail=f"{count} installed meters have none ({example})" if count else "every installed meter has one",
            advice="write meters.decoder_key: until then their top-ups end FAILED, TOKEN_FAILED",
        )
    ]
