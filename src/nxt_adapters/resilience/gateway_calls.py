"""How payment gateways are asked, whichever they are: reads patiently, writes once [PAY-60, PAY-92]."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import stamina

from nxt_adapters.resilience.errors import CallFailed, CircuitOpen, FateUnknown, HttpFailed, NotReached, Overloaded
from nxt_adapters.resilience.http import HttpCaller, HttpReply
from nxt_adapters.resilience.policy import CallPolicy, RetryPolicy
from nxt_domain.orders.gateway_ports import GatewayFailed, UnknownPayment
from nxt_domain.orders.suspense import Refund

_T = TypeVar("_T")

GATEWAY_POLICY: Final = CallPolicy(
    timeout_s=35.0,
    connect_timeout_s=5.0,
    concurrency=16,
    retry=RetryPolicy(attempts=4, wait_initial_s=1.0, wait_max_s=9.0, jitter_s=0.5),
)
"""Time-outs of PAY-60; the first pause is tripled each time: 1 s, 3 s, 9 s."""

_PAUSE_GROWTH: Final = 3.0
_MOST_PAGES: Final = 50
_ONCE: Final = RetryPolicy(attempts=1)


class GatewayCalls:
    """Calls to one merchant account.

    Args:
        caller: Shared by all merchant accounts of a gateway; its policy's retries are made here.
        secret_key: Of the merchant account.
    """

    def __init__(self, caller: HttpCaller, secret_key: str) -> None:
        self._caller = caller
        self._headers = {"Authorization": f"Bearer {secret_key}"}

    async def read(
        self,
        operation: str,
        url: str,
        reader: Callable[[HttpReply], _T],
        params: Mapping[str, str] | None = None,
    ) -> _T:
        """Ask, and ask again after network errors, 429 and 5xx; an answer that says 5xx by its reader counts as such.

        Args:
            operation: For metrics.
            url: Whole.
            reader: Understands the answer; its errors of the port's kind are not repeated.
            params: Of the query.

        Raises:
            GatewayFailed: The gateway can't be asked.
        """
        rule = self._caller.guard.policy.retry
        turns = stamina.retry_context(
            on=_may_help,
            attempts=rule.attempts,
            timeout=None,
            wait_initial=rule.wait_initial_s,
            wait_max=rule.wait_max_s,
            wait_jitter=rule.jitter_s,
            wait_exp_base=_PAUSE_GROWTH,
        )
        try:
            async for turn in turns:
                with turn:
                    return reader(
                        await self._caller.request(
                            operation, "GET", url, params=params, headers=self._headers, retry=_ONCE
                        )
                    )
        except CallFailed as failed:
            raise _unanswered(failed) from failed
        raise AssertionError("the retry loop ends by a result or an error")

    async def post(
        self, operation: str, url: str, body: Mapping[str, object], params: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Ask for something that must not be repeated blindly: once.

        Raises:
            GatewayFailed: Nothing is known of what became of it.
        """
        try:
            return await self._caller.request(
                operation, "POST", url, json=body, params=params, headers=self._headers, retry=_ONCE
            )
        except CallFailed as failed:
            raise _unanswered(failed) from failed

    async def page(self, operation: str, url: str, params: Mapping[str, str]) -> HttpReply:
        """Ask for a page of a list, as often as the policy says.

        Raises:
            GatewayFailed: The gateway can't be asked.
        """
        try:
            return await self._caller.request(
                operation, "GET", url, params=params, headers=self._headers, repeatable=True
            )
        except CallFailed as failed:
            raise _unanswered(failed) from failed


async def all_refunds(
    gateway_tx_id: str, page_of: Callable[[int], Awaitable[tuple[Sequence[Refund], bool]]]
) -> Sequence[Refund]:
    """Go through the pages of a list of refunds, which may hold other transactions' too.

    Args:
        gateway_tx_id: Whose refunds are wanted.
        page_of: Gives a page, counted from 1, and whether it is the last one.

    Raises:
        GatewayFailed: There is no end to it.
    """
    found: list[Refund] = []
    for page in range(1, _MOST_PAGES + 1):
        refunds, is_last = await page_of(page)
        found += [refund for refund in refunds if refund.gateway_tx_id == gateway_tx_id]
        if is_last:
            return sorted(found, key=lambda refund: (len(refund.id), refund.id))
    raise GatewayFailed("The payment gateway lists more refunds than can be looked through")


def transaction_number(gateway_tx_id: str) -> str:
    """Check the id of a transaction, which may come from a webhook's body: only digits may enter an address.

    Raises:
        UnknownPayment: It is no number.
    """
    if not (gateway_tx_id.isascii() and gateway_tx_id.isdigit()):
        raise UnknownPayment("The gateway's ids are numbers")
    return gateway_tx_id


def _unanswered(failed: CallFailed) -> GatewayFailed:
    return GatewayFailed(f"The payment gateway could not be asked: {failed.message}")


def _may_help(error: Exception) -> bool:
    """A circuit that is open is left alone."""
    is_trouble = isinstance(error, NotReached | FateUnknown | HttpFailed)
    return is_trouble and not isinstance(error, CircuitOpen | Overloaded)
