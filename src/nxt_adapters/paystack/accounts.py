"""The platform's merchant account at Paystack; organizations have none of their own here."""

from __future__ import annotations

from nxt_adapters.paystack.gateway import DEFAULT_POLICY, SYSTEM, PaystackGateway
from nxt_adapters.resilience import CallPolicy, HttpCaller
from nxt_domain.orders.gateway_ports import MerchantAccount
from nxt_domain.orders.merchants import MerchantKeys
from nxt_domain.shared.errors import Unavailable
from nxt_domain.wallets.accounts import merchant_of, organization_of


class PaystackAccounts:
    """Implements ``MerchantAccounts``, and finds the key that webhooks are signed with.

    The table of organizations' own accounts holds those of another gateway [PAY-82]: all new payments go to the
    platform's account, and a charge that was made with an organization's own waits.

    Args:
        base_url: ``PAYSTACK_API``.
        platform: The platform's keys; None: not configured, so payments answer 503 [PAY-13].
        fallback_email: ``FLW_USSD_FALLBACK_EMAIL``, which this gateway wants with USSD charges, too.
        policy: Time-outs, retries, breaker and bulkhead.
    """

    def __init__(
        self,
        *,
        base_url: str,
        platform: MerchantKeys | None,
        fallback_email: str = "info@nxtgrid.co",
        policy: CallPolicy = DEFAULT_POLICY,
    ) -> None:
        self._base_url = base_url
        self._platform = platform
        self._fallback_email = fallback_email
        self._caller = HttpCaller(SYSTEM, policy)

    async def for_organization(self, organization_id: int | None) -> MerchantAccount:
        """Choose the platform's account, whoever owns the grid; see ``MerchantAccounts``."""
        return self._account()

    async def for_merchant(self, merchant: str) -> MerchantAccount:
        """Find the account that a stored charge was made with; see ``MerchantAccounts``."""
        if organization_of(merchant) is not None:
            raise Unavailable("Organizations have no account of their own here", code="GATEWAY_NOT_CONFIGURED")
        return self._account()

    async def webhook_secret(self, merchant: str) -> str | None:
        """Return the secret key, which signs the webhooks; None: no such account [PAY-68]."""
        return self._platform.secret_key if self._platform and organization_of(merchant) is None else None

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()

    def _account(self) -> MerchantAccount:
        if self._platform is None:
            raise Unavailable("Payment gateway is not configured", code="GATEWAY_NOT_CONFIGURED")
        gateway = PaystackGateway(
            base_url=self._base_url,
            secret_key=self._platform.secret_key,
            caller=self._caller,
            fallback_email=self._fallback_email,
        )
        return MerchantAccount(
            merchant=merchant_of(None), organization_id=None, public_key=self._platform.public_key, gateway=gateway
        )
