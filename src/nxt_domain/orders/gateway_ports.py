"""What paying needs from outside: the payment gateway, and whose account there."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.orders.gateway import GatewayTransaction
from nxt_domain.orders.suspense import Refund
from nxt_domain.orders.ussd import UssdCharge
from nxt_domain.shared.errors import NotFound, UpstreamFailed


class UnknownPayment(NotFound):
    """The gateway has no transaction under this reference or id."""

    default_code = "GATEWAY_TRANSACTION_UNKNOWN"


class GatewayFailed(UpstreamFailed):
    """The gateway can't be reached, refused our credentials, or answered nonsense: nothing is known."""

    default_code = "GATEWAY_FAILED"


class GatewayRefusedCredentials(GatewayFailed):
    """The gateway does not accept the keys of the merchant account."""

    default_code = "GATEWAY_CREDENTIALS"


class ChargeRefused(UpstreamFailed):
    """The gateway will not make this charge; nobody was charged."""

    default_code = "CHARGE_REFUSED"


class RefundRefused(UpstreamFailed):
    """The gateway will not give this payment back."""

    default_code = "REFUND_REFUSED"


class PaymentGateway(Protocol):
    """One merchant account. All calls but ``charge_by_ussd`` and ``refund`` are harmless to repeat."""

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """Read the transaction under a reference [PAY-61].

        Raises:
            UnknownPayment: There is none (yet).
            GatewayFailed: Nothing is known.
        """

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """Read a transaction by the gateway's id [PAY-77].

        Raises:
            UnknownPayment: There is none.
            GatewayFailed: Nothing is known.
        """

    async def charge_by_ussd(self, charge: UssdCharge) -> str:
        """Charge a bank account that the buyer confirms by dialling a code; never repeated by the adapter [PAY-64].

        Returns:
            What to dial, e.g. ``*889*767*1234#``.

        Raises:
            ChargeRefused: The gateway will not do it, or gives nothing to dial.
            GatewayFailed: Nobody knows whether it was taken: verify the reference before asking again.
        """

    async def refund(self, gateway_tx_id: str, amount: Decimal, *, comment: str) -> Refund:
        """Give a payment back to its payer; never repeated by the adapter [PAY-92].

        Args:
            gateway_tx_id: The transaction that paid.
            amount: Major units.
            comment: Why, for the gateway's records.

        Raises:
            RefundRefused: The gateway will not do it.
            GatewayFailed: Nobody knows whether it was taken: look at ``refunds_of`` before asking again.
        """

    async def refunds_of(self, gateway_tx_id: str) -> Sequence[Refund]:
        """List the refunds of a transaction, oldest first.

        Raises:
            GatewayFailed: Nothing is known.
        """


@attrs.frozen(kw_only=True)
class MerchantAccount:
    """A set of gateway keys at work.

    Attributes:
        merchant: ``platform`` or ``org:<id>``; stored with each charge.
        organization_id: Whose account it is; None: the platform's.
        public_key: For the browser's checkout.
    """

    merchant: str
    organization_id: int | None
    public_key: str
    gateway: PaymentGateway


class MerchantAccounts(Protocol):
    """Chooses the merchant account for a payment [PAY-84, PAY-86]."""

    async def for_organization(self, organization_id: int | None) -> MerchantAccount:
        """Choose the account for new payments on an organization's grids: its own if switched on, else the platform's.

        Raises:
            Unavailable: The platform's keys are not configured.
        """

    async def for_merchant(self, merchant: str) -> MerchantAccount:
        """Find the account that a stored charge was made with, whatever is switched on or off since.

        Raises:
            Unavailable: Its keys are not configured (any more).
        """
