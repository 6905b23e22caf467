"""Tokens for the charting tool, which verifies them by itself [API-60]."""

from __future__ import annotations

from datetime import timedelta

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.identity.ports import TokenSigner
from nxt_domain.shared.clock import Clock

REFRESH_LIFE = timedelta(days=30)


@attrs.frozen(kw_only=True)
class ChartingTokens:
    """A pair of tokens; this system accepts neither."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)


class IssueChartingTokens:
    """Gives a caller tokens for the charting tool.

    Args:
        signer: Signs with ``PRIVATE_KEY``.
        clock: Tells the time.
        access_life: ``NXT_JWT_DURATION``.
    """

    def __init__(self, *, signer: TokenSigner, clock: Clock, access_life: timedelta) -> None:
        self._signer = signer
        self._clock = clock
        self._access_life = access_life

    async def __call__(self, caller: Principal) -> ChartingTokens:
        """Sign both tokens."""
        return ChartingTokens(
            access_token=self._token(caller, self._access_life), refresh_token=self._token(caller, REFRESH_LIFE)
        )

    def _token(self, caller: Principal, life: timedelta) -> str:
        issued = int(self._clock.now().timestamp())
        return self._signer.sign(
            {
                "username": caller.email,
                "sub": str(caller.account_id),
                "iat": issued,
                "exp": issued + int(life.total_seconds()),
            }
        )
