"""Meters' decoder keys, inside a transaction [R15]."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from nxt_adapters.supabase.secret_store import context_of
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Read
from nxt_domain.shared.secrets import Sealed, SecretBox, SecretText

PURPOSE: Final = "METER_DECODER_KEY"
OWNER: Final = "meter"

# What a client wrote within the last seconds is still in the inbox, and newer than what is sealed.
_KEYS: Final = Read(
    """
    with written as (
        select distinct on (owner_id) owner_id, plaintext from internal.secret_inbox
        where purpose = :purpose and owner_type = :owner and owner_id = any(:meter_ids)
        order by owner_id, id desc
    )
    select m.id, w.plaintext, s.ciphertext, s.key_id
    from unnest(cast(:meter_ids as bigint[])) as m (id)
    left join written w on w.owner_id = m.id
    left join internal.meter_secrets k on k.meter_id = m.id and w.owner_id is null
    left join internal.secrets s on s.id = k.decoder_key_id
    """
)


class PostgresDecoderKeys:
    """``DecoderKeys`` on the relational plane.

    Args:
        session: Of the unit of work.
        box: Gives the data keys; asked only when there is something to open.
    """

    def __init__(self, session: Session, box: Callable[[], SecretBox]) -> None:
        self._session = session
        self._box = box

    async def of_meters(self, meter_ids: Collection[int]) -> Mapping[int, SecretText]:
        """See ``DecoderKeys.of_meters``."""
        if not meter_ids:
            return {}
        facts = {"purpose": PURPOSE, "owner": OWNER, "meter_ids": list(meter_ids)}
        keys: dict[int, str] = {}
        for row in await self._session.objects(_KEYS, facts):
            if row.ciphertext is not None:
                sealed = Sealed(ciphertext=bytes(row.ciphertext), key_id=row.key_id)
                keys[row.id] = self._box().open(sealed, context=context_of(PURPOSE, OWNER, row.id))
            elif row.plaintext:  # an empty text asks for the deletion of the key
                keys[row.id] = row.plaintext
        return {meter_id: SecretText(key) for meter_id, key in keys.items()}
