"""Reports that go to finance people by e-mail: rows of the notification queue [PAY-164, PAY-179]."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.shared.json import JsonObject


class MailType(StrEnum):
    """Reason of a mail, in the database's words, which choose the template; the spelling of the second is theirs."""

    REVENUE = "GRID_REVENUE"
    PAYOUTS = "AUTO_PAYOUT_GENRATION_REPORT"


@attrs.frozen(kw_only=True)
class Reader:
    """Somebody who gets reports."""

    account_id: int
    email: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Report:
    """What is told, and to the finance people of which organization.

    Attributes:
        key: A second report with it is not stored for the same reader.
        parameters: What the template shows.
    """

    type: MailType
    subject: str
    organization_id: int
    key: str
    parameters: JsonObject


class Mails(Protocol):
    """Mails waiting to be sent, in the caller's transaction."""

    async def finance_of(self, organization_id: int) -> Sequence[Reader]:
        """List the finance members of an organization whose account is live and has an address."""

    async def add(self, report: Report, readers: Sequence[Reader]) -> None:
        """Store a report and one mail for each reader; without readers, nothing."""
