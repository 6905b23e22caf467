"""Purchases by phone: a bank is charged by a code that the buyer dials [PAY-64, PAY-99, PAY-100]."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.orders.gateway import Charge
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.ports import MeterForSale
from nxt_domain.shared.money import Currency
from nxt_domain.shared.outbox import OutboxTask

USSD_CHARGE = "USSD_CHARGE"
_ASKED = "charge asked"
_ASKED_AGAIN = "charge asked again"


@attrs.frozen(kw_only=True)
class UssdSession:
    """What a phone session came to.

    Attributes:
        caller: Whose phone it is.
        amount: Major units; None: none was given yet.
        meter: The meter that was named; None: none was.
        bank_code: The gateway's code of the bank that was chosen; None: none was.
    """

    id: int
    caller: Contact
    amount: Decimal | None
    meter: MeterForSale | None
    bank_code: str | None


@attrs.frozen(kw_only=True)
class UssdCharge:
    """What the gateway is asked to charge.

    Attributes:
        reference: The order's reference, which becomes the gateway's ``tx_ref``.
        bank_code: The gateway's code of the bank.
        amount: Major units.
        phone: Of the session.
        meter: What is paid for, shown in the gateway's records.
    """

    reference: str
    bank_code: str
    amount: Decimal
    currency: Currency
    phone: str
    meter: MeterForSale


class UssdSessions(Protocol):
    """Reads phone sessions."""

    async def find(self, session_id: int) -> UssdSession | None:
        """Find a session with what it came to."""


def asked_once_more(charge: Charge) -> Charge | None:
    """Note that the gateway is about to be asked, before it is; None: it was asked twice already [PAY-100]."""
    if charge.status is None:
        return attrs.evolve(charge, status=_ASKED)
    return attrs.evolve(charge, status=_ASKED_AGAIN) if charge.status == _ASKED else None


def charge_task(order_id: int) -> OutboxTask:
    """Make the task that charges the bank [PAY-121]."""
    return OutboxTask(
        kind=USSD_CHARGE,
        dedupe_key=f"order:{order_id}:ussd-charge",
        order_id=order_id,
        payload={"order_id": order_id},
    )
