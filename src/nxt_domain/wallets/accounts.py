"""The chart of accounts: what an account's code says about it [PAY 5.2]."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.money import Currency

PLATFORM_MERCHANT = "platform"
_HOME_CURRENCY = Currency.NGN
_CURRENCIES = frozenset(Currency)


class AccountClass(StrEnum):
    """What kind of money an account holds."""

    WALLET = "WALLET"
    EXTERNAL = "EXTERNAL"
    SUSPENSE = "SUSPENSE"
    INCOME = "INCOME"
    PAYABLE = "PAYABLE"
    CLEARING = "CLEARING"
    EQUITY = "EQUITY"


@attrs.frozen(kw_only=True)
class AccountKind:
    """The rules of an account.

    Attributes:
        min_balance: Its balance never falls below this [PAY-29]; None: no floor.
        is_hot: Never locked and without running balance, so that it serialises nobody [PAY-33].
    """

    account_class: AccountClass
    min_balance: Decimal | None = None
    is_hot: bool = False


_KINDS: tuple[tuple[str, AccountKind], ...] = (
    ("wallet:", AccountKind(account_class=AccountClass.WALLET, min_balance=Decimal(0))),
    ("external:", AccountKind(account_class=AccountClass.EXTERNAL, is_hot=True)),
    ("suspense:gateway:", AccountKind(account_class=AccountClass.SUSPENSE, min_balance=Decimal(0))),
    ("clearing:revenue:", AccountKind(account_class=AccountClass.CLEARING)),
    ("payable:developer:", AccountKind(account_class=AccountClass.PAYABLE)),
    ("income:", AccountKind(account_class=AccountClass.INCOME)),
    ("opening:migration", AccountKind(account_class=AccountClass.EQUITY)),
)


DISBURSEMENTS = "external:disbursement"
"""Money paid out to owners of grids [PAY-166]."""

OPENING = "opening:migration"
"""Takes up what the rows of a predecessor can't explain [PAY-40]."""


class IncomeKind(StrEnum):
    """What the platform earns, and what rounding and approval leave over."""

    PLATFORM_FEE = "platform_fee"
    INSURANCE = "insurance"
    RENTAL = "rental"
    GATEWAY_FEE = "gateway_fee"
    PAYOUT_ADJUSTMENT = "payout_adjustment"
    ROUNDING = "rounding"


def merchant_of(organization_id: int | None) -> str:
    """Name the merchant account of an organization; None: the platform's own [PAY-27]."""
    return PLATFORM_MERCHANT if organization_id is None else f"org:{organization_id}"


def organization_of(merchant: str) -> int | None:
    """Return the organization behind a merchant account; None: the platform.

    Raises:
        InvalidInput: It names no merchant account.
    """
    if merchant == PLATFORM_MERCHANT:
        return None
    kind, _, number = merchant.partition(":")
    if kind != "org" or not number.isascii() or not number.isdigit():
        raise InvalidInput(f"{merchant!r} is no merchant account", code="UNKNOWN_MERCHANT")
    return int(number)


def wallet_account(wallet_id: int, currency: Currency = _HOME_CURRENCY) -> str:
    """Return the code of an ordinary wallet's account."""
    return _coded(f"wallet:{wallet_id}", currency)


def gateway_account(merchant: str, currency: Currency = _HOME_CURRENCY) -> str:
    """Return the code for money received by a merchant account."""
    return _coded(f"external:gateway:{merchant}", currency)


def manual_account(currency: Currency = _HOME_CURRENCY) -> str:
    """Return the code for orders from the system wallet that staff book without a gateway."""
    return _coded("external:manual", currency)


def suspense_account(merchant: str, currency: Currency = _HOME_CURRENCY) -> str:
    """Return the code for money received that fits no order [PAY-79]."""
    return _coded(f"suspense:gateway:{merchant}", currency)


def clearing_account(grid_id: int) -> str:
    """Return the code of the counterpart of a grid's payouts."""
    return f"clearing:revenue:{grid_id}"


def developer_account(organization_id: int) -> str:
    """Return the code for what is owed to the owner of grids."""
    return f"payable:developer:{organization_id}"


def income_account(kind: IncomeKind) -> str:
    """Return the code of one of the platform's shares."""
    return f"income:{kind}"


def currency_of(code: str) -> Currency:
    """Read an account's currency from its code: a suffix, or none for naira."""
    suffix = code.rpartition(":")[2]
    return Currency(suffix) if suffix in _CURRENCIES else _HOME_CURRENCY


def kind_of(code: str) -> AccountKind:
    """Read class, floor and heat of an account from its code.

    Raises:
        InvalidInput: The chart of accounts knows no such code.
    """
    for prefix, kind in _KINDS:
        if code.startswith(prefix):
            return kind
    raise InvalidInput(f"the chart of accounts has no {code!r}", code="UNKNOWN_ACCOUNT")


def wallet_of(code: str) -> int | None:
    """Return the wallet behind a wallet's account, None for all other accounts."""
    parts = code.split(":")
    return int(parts[1]) if parts[0] == "wallet" and len(parts) > 1 and parts[1].isdigit() else None


def _coded(code: str, currency: Currency) -> str:
    return code if currency is _HOME_CURRENCY else f"{code}:{currency}"
