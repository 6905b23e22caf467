"""Choosing the merchant account of a payment, with a bounded cache of organizations' keys [PAY-84 … PAY-87]."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import attrs

from nxt_adapters.flutterwave.gateway import DEFAULT_POLICY, SYSTEM, FlutterwaveGateway
from nxt_adapters.resilience import CallPolicy, HttpCaller
from nxt_domain.orders.gateway import GatewayTransaction
from nxt_domain.orders.gateway_ports import GatewayRefusedCredentials, MerchantAccount, PaymentGateway
from nxt_domain.orders.merchants import MerchantKeys, OrganizationCredentials, OrganizationKeys
from nxt_domain.orders.suspense import Refund
from nxt_domain.orders.ussd import UssdCharge
from nxt_domain.shared.errors import Unavailable
from nxt_domain.wallets.accounts import merchant_of, organization_of

_T = TypeVar("_T")
_MOST_CACHED = 256


@attrs.frozen
class _Cached:
    keys: OrganizationKeys | None
    until: float


class FlutterwaveAccounts:
    """Implements ``MerchantAccounts``, and finds the secret hashes of webhooks.

    Args:
        base_url: ``FLW_API``.
        platform: The platform's own keys; None: not configured, so payments answer 503 [PAY-13].
        credentials: Reads organizations' own accounts; None: this installation has none.
        fallback_email: ``FLW_USSD_FALLBACK_EMAIL``, which the gateway wants with USSD charges.
        credentials_ttl_s: ``FLW_CREDENTIALS_TTL_S``: how long their keys are kept, seconds.
        policy: Time-outs, retries, breaker and bulkhead.
        monotonic: Measures the time keys are kept, seconds.
    """

    def __init__(
        self,
        *,
        base_url: str,
        platform: MerchantKeys | None,
        credentials: OrganizationCredentials | None = None,
        fallback_email: str = "info@nxtgrid.co",
        credentials_ttl_s: float = 300.0,
        policy: CallPolicy = DEFAULT_POLICY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url
        self._platform = platform
        self._credentials = credentials
        self._fallback_email = fallback_email
        self._ttl_s = credentials_ttl_s
        self._monotonic = monotonic
        self._caller = HttpCaller(SYSTEM, policy)
        self._cache: OrderedDict[int, _Cached] = OrderedDict()

    async def for_organization(self, organization_id: int | None) -> MerchantAccount:
        """Choose the account for new payments; see ``MerchantAccounts``."""
        own = None if organization_id is None else await self._keys(organization_id)
        if organization_id is not None and own is not None and own.is_enabled:
            return self._account(organization_id, own.keys)
        return self._platform_account()

    async def for_merchant(self, merchant: str) -> MerchantAccount:
        """Find the account that a stored charge was made with; see ``MerchantAccounts``."""
        organization_id = organization_of(merchant)
        if organization_id is None:
            return self._platform_account()
        own = await self._keys(organization_id)
        if own is None:
            raise Unavailable("Payment gateway is not configured", code="GATEWAY_NOT_CONFIGURED")
        return self._account(organization_id, own.keys)

    async def webhook_secret(self, merchant: str) -> str | None:
        """Return the secret hash of a merchant account's webhooks; None: none is set, or no such account [PAY-68]."""
        organization_id = organization_of(merchant)
        if organization_id is None:
            return self._platform.webhook_secret if self._platform else None
        own = await self._keys(organization_id)
        return own.keys.webhook_secret if own else None

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()

    def _platform_account(self) -> MerchantAccount:
        if self._platform is None:
            raise Unavailable("Payment gateway is not configured", code="GATEWAY_NOT_CONFIGURED")
        return MerchantAccount(
            merchant=merchant_of(None),
            organization_id=None,
            public_key=self._platform.public_key,
            gateway=self._gateway(self._platform),
        )

    def _account(self, organization_id: int, keys: MerchantKeys) -> MerchantAccount:
        return MerchantAccount(
            merchant=merchant_of(organization_id),
            organization_id=organization_id,
            public_key=keys.public_key,
            gateway=_RotatingGateway(self._gateway(keys), lambda: self._fresh_gateway(organization_id)),
        )

    def _gateway(self, keys: MerchantKeys) -> FlutterwaveGateway:
        return FlutterwaveGateway(
            base_url=self._base_url,
            secret_key=keys.secret_key,
            caller=self._caller,
            fallback_email=self._fallback_email,
        )

    async def _fresh_gateway(self, organization_id: int) -> PaymentGateway | None:
        self._cache.pop(organization_id, None)
        own = await self._keys(organization_id)
        return None if own is None else self._gateway(own.keys)

    async def _keys(self, organization_id: int) -> OrganizationKeys | None:
        if self._credentials is None:
            return None
        now = self._monotonic()
        cached = self._cache.get(organization_id)
        if cached is not None and cached.until > now:
            self._cache.move_to_end(organization_id)
            return cached.keys
        keys = await self._credentials.read(organization_id)
        self._cache[organization_id] = _Cached(keys, now + self._ttl_s)
        self._cache.move_to_end(organization_id)
        while len(self._cache) > _MOST_CACHED:
            self._cache.popitem(last=False)
        return keys


class _RotatingGateway:
    """Reads the keys anew, once, when the gateway refuses them: they may have been rotated [PAY-84, PAY-85]."""

    def __init__(self, gateway: PaymentGateway, renew: Callable[[], Awaitable[PaymentGateway | None]]) -> None:
        self._gateway = gateway
        self._renew = renew

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        return await self._with_fresh_keys(lambda gateway: gateway.verify_by_reference(reference))

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        return await self._with_fresh_keys(lambda gateway: gateway.verify_by_id(gateway_tx_id))

    async def charge_by_ussd(self, charge: UssdCharge) -> str:
        # As for refunds: refused keys mean that nothing was done.
        return await self._with_fresh_keys(lambda gateway: gateway.charge_by_ussd(charge))

    async def refund(self, gateway_tx_id: str, amount: Decimal, *, comment: str) -> Refund:
        # Refused keys mean that nothing was done, so asking again with fresh ones is no repeat.
        return await self._with_fresh_keys(lambda gateway: gateway.refund(gateway_tx_id, amount, comment=comment))

    async def refunds_of(self, gateway_tx_id: str) -> Sequence[Refund]:
        return await self._with_fresh_keys(lambda gateway: gateway.refunds_of(gateway_tx_id))

    async def _with_fresh_keys(self, ask: Callable[[PaymentGateway], Awaitable[_T]]) -> _T:
        try:
            return await ask(self._gateway)
        except GatewayRefusedCredentials:
            renewed = await self._renew()
            if renewed is None:
                raise
            return await ask(renewed)
