"""Who makes tokens, and where it is written down which were made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from nxt_domain.shared.errors import Unavailable, UpstreamFailed
from nxt_domain.shared.secrets import SecretText
from nxt_domain.tokens.model import TokenRequest, TokenReservation


class TokenRefused(UpstreamFailed):
    """The vendor will never make this token [R2]."""

    default_code = "TOKEN_FAILED"


class TokenOutcomeUnknown(UpstreamFailed):
    """The vendor may have booked the sale: asking again could sell twice [MET-75]."""

    default_code = "TOKEN_OUTCOME_UNKNOWN"


class TokenVendorUnavailable(Unavailable):
    """No token came, and asking again for the same one is safe [STS-6].

    Codes: ``TOKEN_VENDOR_UNAVAILABLE``, ``TOKEN_VENDOR_TIMEOUT``, ``TOKEN_VENDOR_BAD_ANSWER``.
    """

    default_code = "TOKEN_VENDOR_UNAVAILABLE"


class TokenBadAnswer(TokenVendorUnavailable):
    """The vendor answered with something else than the token that was ordered: people should look at it [STS-70]."""

    default_code = "TOKEN_VENDOR_BAD_ANSWER"


@runtime_checkable
class LocalTokenMaker(Protocol):
    """Makes tokens in this process, at once and always the same: usable inside a transaction [R1]."""

    @property
    def vendor_id(self) -> str:
        """E.g. ``test`` or ``native``."""

    @property
    def needs_decoder_key(self) -> bool:
        """Whether its requests must hold the meter's decoder key."""

    def make(self, request: TokenRequest) -> str:
        """Return twenty digits; the same request gives the same digits.

        Raises:
            InvalidInput: The request can't be put into a token.
        """


@runtime_checkable
class TokenVendor(Protocol):
    """Has tokens made elsewhere, outside any transaction."""

    @property
    def vendor_id(self) -> str:
        """E.g. ``nxt-sts`` or ``calin-api-v1``."""

    @property
    def needs_decoder_key(self) -> bool:
        """Whether its requests must hold the meter's decoder key."""

    async def request(self, request: TokenRequest) -> str:
        """Return twenty digits.

        Raises:
            TokenRefused: It will never make this one.
            TokenOutcomeUnknown: It may or may not have made one; must not be repeated blindly.
            TokenVendorUnavailable: Nothing was sold; may be repeated.
            InvalidInput: The request can't be put into a token.
        """


class DecoderKeys(Protocol):
    """Meters' decoder keys, opened inside the caller's transaction [R15]."""

    async def of_meters(self, meter_ids: Collection[int]) -> Mapping[int, SecretText]:
        """Open keys, also one that was written a moment ago; meters without one are left out.

        Raises:
            SecretLost: One can't be opened, for want of its data key.
        """


class TokenIssues(Protocol):
    """The record of every token, inside the caller's transaction, which holds the meters' row locks."""

    async def taken_minutes(self, meter_ids: Collection[int], since: datetime) -> Mapping[int, Collection[datetime]]:
        """Tell which minutes from ``since`` on are taken, per meter."""

    async def reserve(self, reservations: Sequence[TokenReservation]) -> None:
        """Write reservations (with their token when it is made already), and each meter's last issue time.

        Raises:
            Conflict: A minute is taken.
        """

    async def of_interactions(self, interaction_ids: Collection[int]) -> Mapping[int, TokenReservation]:
        """Find what was reserved for interactions."""

    async def complete(self, interaction_id: int, token: str) -> None:
        """Write down the token made for a reservation that has none."""
