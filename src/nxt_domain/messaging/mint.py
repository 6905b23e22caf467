"""Having a token made, in the module's own words: at once, and never queued [DM 13, DM 14.5]."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.messaging.model import CommandType
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.secrets import SecretText

MINTABLE = frozenset(
    {CommandType.TOP_UP_KWH, CommandType.SET_POWER_LIMIT, CommandType.CLEAR_TAMPER, CommandType.CLEAR_CREDIT}
)
"""Commands whose token can be made [DM-7]."""


class MintFailed(UpstreamFailed):
    """The vendor made none; the text is the plug-in's."""

    default_code = "MINT_FAILED"


class MintTimedOut(UpstreamFailed):
    """The vendor did not answer in time: nobody knows whether there is a token."""

    default_code = "MINT_TIMED_OUT"


@attrs.frozen(kw_only=True)
class TokenOrder:
    """A token to be made.

    Attributes:
        kind: One of ``MINTABLE``.
        meter: Its reference.
        issue_date: As the caller wrote it; it is passed on unchanged.
        decoder_key: For makers that need it.
        energy_kwh: For ``TOP_UP_KWH``.
        power_limit_w: For ``SET_POWER_LIMIT``.
    """

    kind: CommandType
    meter: str
    issue_date: str
    decoder_key: SecretText | None = None
    energy_kwh: Decimal | None = None
    power_limit_w: Decimal | None = None


class TokenMint(Protocol):
    """A plug-in that makes tokens."""

    async def mint(self, order: TokenOrder) -> str:
        """Return the digits.

        Raises:
            InvalidInput: The order can't be put into a token; nobody was asked [DM-135].
            MintFailed: The vendor said no, or something else.
            MintTimedOut: It said nothing.
        """
