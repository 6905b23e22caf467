"""A token vendor in memory."""

from __future__ import annotations

from collections import deque

from nxt_domain.shared.errors import DomainError
from nxt_domain.tokens.model import TokenRequest
from nxt_domain.tokens.native import NativeTokenMaker


class MemoryTokenVendor:
    """Implements ``TokenVendor``: makes real tokens, and fails when told to.

    Attributes:
        requests: What it was asked, in order.
    """

    vendor_id = "memory"
    needs_decoder_key = True

    def __init__(self) -> None:
        self.requests: list[TokenRequest] = []
        self._maker = NativeTokenMaker()
        self._failures: deque[DomainError] = deque()

    def fail_next(self, failure: DomainError) -> None:
        """Let one call fail."""
        self._failures.append(failure)

    async def request(self, request: TokenRequest) -> str:
        """See ``TokenVendor.request``."""
        self.requests.append(request)
        token = self._maker.make(request)
        if self._failures:
            raise self._failures.popleft()
        return token
