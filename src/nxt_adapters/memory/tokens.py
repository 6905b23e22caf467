"""The record of tokens, and meters' keys, in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.meters import MeterRow
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.secrets import SecretLost, SecretText
from nxt_domain.tokens.model import TokenReservation
from nxt_domain.tokens.rules import minute_of


class MemoryDecoderKeys:
    """Implements ``DecoderKeys``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._keys: dict[int, SecretText | None] = database.table("decoder_keys")

    def know(self, meter_id: int, key: str) -> None:
        """Give a meter its key; an empty text takes it away."""
        self._keys[meter_id] = SecretText(key)

    def lose(self, meter_id: int) -> None:
        """Let a meter's key be sealed with a data key that nobody has."""
        self._keys[meter_id] = None

    async def of_meters(self, meter_ids: Collection[int]) -> Mapping[int, SecretText]:
        """See ``DecoderKeys.of_meters``."""
        found: dict[int, SecretText] = {}
        for meter_id in set(meter_ids) & set(self._keys):
            key = self._keys[meter_id]
            if key is None:
                raise SecretLost("The data key of a decoder key is not at hand")
            if key.reveal():
                found[meter_id] = key
        return found


class MemoryTokenIssues:
    """Implements ``TokenIssues``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._tokens: dict[tuple[int, datetime], TokenReservation] = database.table("sts_tokens")
        self._meters: dict[int, MeterRow] = database.table("meters")

    async def taken_minutes(self, meter_ids: Collection[int], since: datetime) -> Mapping[int, Collection[datetime]]:
        """See ``TokenIssues.taken_minutes``."""
        taken: dict[int, set[datetime]] = defaultdict(set)
        for meter_id, minute in self._tokens:
            if meter_id in meter_ids and minute >= minute_of(since):
                taken[meter_id].add(minute)
        return taken

    async def reserve(self, reservations: Sequence[TokenReservation]) -> None:
        """See ``TokenIssues.reserve``."""
        for each in reservations:
            key = (each.meter_id, minute_of(each.issued_at))
            if key in self._tokens:
                raise Conflict("sts_tokens_meter_id_issue_minute_key is violated", code="ALREADY_EXISTS")
            self._tokens[key] = each
            row = self._meters[each.meter_id]
            last = row.meter.last_sts_token_issued_at
            newest = each.issued_at if last is None else max(last, each.issued_at)
            meter = attrs.evolve(row.meter, last_sts_token_issued_at=newest)
            self._meters[each.meter_id] = attrs.evolve(row, meter=meter)

    async def of_interactions(self, interaction_ids: Collection[int]) -> Mapping[int, TokenReservation]:
        """See ``TokenIssues.of_interactions``."""
        return {each.interaction_id: each for each in self._tokens.values() if each.interaction_id in interaction_ids}

    async def complete(self, interaction_id: int, token: str) -> None:
        """See ``TokenIssues.complete``."""
        for key, each in self._tokens.items():
            if each.interaction_id == interaction_id and each.token is None:
                self._tokens[key] = attrs.evolve(each, token=token)
