"""What settling needs from outside: repositories inside one transaction, and the meters' room."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar

from nxt_domain.meters.use_cases.top_ups import TopUpRequest
from nxt_domain.orders.model import Order
from nxt_domain.orders.ports import Notices
from nxt_domain.orders.settlement import PaidFee, Settlement, SettlingOrder
from nxt_domain.shared.unit_of_work import UnitOfWork
from nxt_domain.wallets.ports import Ledger

TxT_contra = TypeVar("TxT_contra", contravariant=True)


class Settlements(Protocol):
    """Settling, set-based: each method is a fixed number of statements for any number of orders [R3]."""

    async def claim(self, limit: int, *, only: Collection[int] | None = None) -> Sequence[SettlingOrder]:
        """Lock ``PENDING`` orders, lowest id first, that nobody else holds [PAY-102].

        An order is left out while a ``PENDING`` one with a lower id has the same sender, the system wallet excepted
        [PAY-105]; orders in their waiting time are left out and don't count [PAY-104].

        Args:
            limit: At most so many.
            only: Consider these orders alone.
        """

    async def record(self, settlements: Sequence[Settlement]) -> None:
        """Write orders, transaction rows and fee counters of a batch; entries are posted already [PAY-35, PAY-106].

        Raises:
            Conflict: An order is not ``PENDING`` any more.
        """

    async def record_reversal(self, order: Order, fees: Sequence[PaidFee]) -> None:
        """Write ``reversed_at``, two more transaction rows and the fee counters; the entry is posted already [PAY-37].

        Args:
            order: Locked by the caller, with its time of reversal.
            fees: Changes of what connections have paid.
        """


class SettlementFailures(Protocol):
    """Counts technical failures, in transactions of their own [R3]."""

    async def count(self, order_id: int, error: str) -> int:
        """Count one more failure of an order and return how many there are now."""

    async def wait(self, order_id: int, duration: timedelta) -> None:
        """Leave an order alone for a while."""


class TopUps(Protocol[TxT_contra]):
    """Brings bought energy to meters, inside the settlement's transaction [R1]."""

    async def create_for_orders(self, tx: TxT_contra, requests: Sequence[TopUpRequest]) -> None:
        """Make the commands of settled orders; a repeat changes nothing."""


class SettlementTransaction(UnitOfWork, Protocol):
    """One transaction that settles orders."""

    @property
    def settlements(self) -> Settlements:
        """Orders to settle."""

    @property
    def settlement_failures(self) -> SettlementFailures:
        """Technical failures."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""

    @property
    def notices(self) -> Notices:
        """Text messages."""
