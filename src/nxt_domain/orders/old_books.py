"""Books of a predecessor that kept no ledger: wallets with a balance, orders, and two rows for each movement [PAY-40].

What is read here may be odd in every way that its tables allowed: amounts were binary floats, links could be missing,
and balances were written beside the rows, not from them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol

import attrs

from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.unit_of_work import UnitOfWork
from nxt_domain.wallets.ports import Ledger

SYSTEM_WALLET: Final = "BANKING_SYSTEM"


@attrs.frozen(kw_only=True)
class OldWallet:
    """A wallet as the predecessor has it.

    Attributes:
        identifier: Name of a system wallet.
        owners: How many owners it names; an ordinary wallet names one.
        balance: What it shows; not finite for a float that is no number.
        posted: Sum of its ``SUCCESSFUL`` rows, each rounded to 4 decimals.
        columns: Its row, to be stored again.
    """

    id: int
    identifier: str | None
    owners: int
    balance: Decimal
    posted: Decimal
    columns: Mapping[str, Any]

    @property
    def is_system(self) -> bool:
        """Whether it stands for the outside banking world."""
        return self.identifier == SYSTEM_WALLET

    @property
    def is_takeable(self) -> bool:
        """Whether it has exactly one owner, or none and a name [PAY-18]."""
        return self.owners == 1 or (self.owners == 0 and self.identifier is not None)


@attrs.frozen(kw_only=True)
class OldRow:
    """One side of a movement.

    Attributes:
        amount: Signed, with all digits of the float; may be no number.
        wallet_id: None: the link is missing.
        order_id: None: the link is missing.
        balance_before: -1 where it was not recorded.
        balance_after: As ``balance_before``.
    """

    id: int
    amount: Decimal
    is_successful: bool
    wallet_id: int | None
    order_id: int | None
    balance_before: Decimal
    balance_after: Decimal
    created_at: datetime


@attrs.frozen(kw_only=True)
class OldOrder:
    """An order with its rows.

    Attributes:
        amount: Old ones may be negative; their absolute value counts [PAY-15].
        tariff: Per kWh; -1: not known.
        has_reference: Whether it was paid through the gateway, or was to be.
        rows: By id.
        columns: Its row, to be stored again.
    """

    id: int
    order_status: OrderStatus
    amount: Decimal
    tariff: Decimal
    currency: str
    sender_wallet_id: int | None
    receiver_wallet_id: int | None
    has_reference: bool
    rows: Sequence[OldRow]
    columns: Mapping[str, Any]


class Oddity(StrEnum):
    """What a take-over has to tell about."""

    WALLET_REFUSED = "WALLET_REFUSED"
    BALANCE_DIFFERS = "BALANCE_DIFFERS"
    RAISED_TO_ZERO = "RAISED_TO_ZERO"
    ORDER_CHANGED = "ORDER_CHANGED"
    ORDER_REFUSED = "ORDER_REFUSED"
    NO_ROWS = "NO_ROWS"
    NO_PARTNER = "NO_PARTNER"
    NOT_COMPLETED = "NOT_COMPLETED"
    ROUNDING = "ROUNDING"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    OTHER_CURRENCY = "OTHER_CURRENCY"
    NO_ORDER = "NO_ORDER"
    NO_WALLET = "NO_WALLET"
    NOT_BOOKABLE = "NOT_BOOKABLE"


@attrs.frozen(kw_only=True)
class Remark:
    """One line of the report: wallet, order and amount [PAY-40].

    Attributes:
        amount: What could not be explained, signed as seen by the wallet; None: there is no amount to tell.
        detail: A sentence for the operator.
    """

    kind: Oddity
    wallet_id: int | None = None
    order_id: int | None = None
    transaction_id: int | None = None
    amount: Decimal | None = None
    detail: str = ""


@attrs.frozen(kw_only=True)
class TakenOrder:
    """An order as it is stored now.

    Attributes:
        columns: Its former row, in which the other fields are put right.
    """

    id: int
    order_status: OrderStatus
    amount: Decimal
    tariff: Decimal
    sender_wallet_id: int
    receiver_wallet_id: int
    columns: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class TakenRow:
    """A row as it is stored now: with a wallet, an order and at most 4 decimals."""

    id: int
    order_id: int
    wallet_id: int
    amount: Decimal
    is_successful: bool
    balance_before: Decimal
    balance_after: Decimal
    created_at: datetime


@attrs.frozen(kw_only=True)
class Carrier:
    """An order that is made only to carry one row, which had none; it counts nowhere (``IGNORED``).

    Attributes:
        reference: Its unique name.
        amount: Of the row, signed.
        created_at: Of the row; None: now.
    """

    reference: str
    wallet_id: int
    system_wallet_id: int
    amount: Decimal
    created_at: datetime | None = None


class Stage(StrEnum):
    """How far a take-over is; each stage goes through its rows by ascending id."""

    WALLETS = "WALLETS"
    ORDERS = "ORDERS"
    LOOSE_ROWS = "LOOSE_ROWS"
    BALANCES = "BALANCES"
    DONE = "DONE"


@attrs.frozen(kw_only=True)
class Extent:
    """How much there is to take over.

    Attributes:
        system_wallet_id: The predecessor's system wallet; None: it has none.
    """

    wallets: int
    orders: int
    rows: int
    last_wallet_id: int
    last_order_id: int
    last_row_id: int
    system_wallet_id: int | None


@attrs.frozen(kw_only=True)
class Standing:
    """Where a take-over stands.

    Attributes:
        after: Last id of the stage that is dealt with.
        wallets: Taken over so far.
        entries: Posted so far.
    """

    stage: Stage = Stage.WALLETS
    after: int = 0
    wallets: int = 0
    orders: int = 0
    rows: int = 0
    entries: int = 0


class OldBooks(Protocol):
    """Reads a predecessor's books; never writes. Everything comes by ascending id, a part at a time."""

    async def extent(self) -> Extent:
        """Count what there is.

        Raises:
            InvalidInput: There are no such tables.
            Unavailable: The database can't be reached.
        """

    async def wallets(self, after: int, limit: int) -> Sequence[OldWallet]:
        """Read wallets with an id above ``after``."""

    async def wallets_by_id(self, ids: Collection[int]) -> Mapping[int, OldWallet]:
        """Read certain wallets, their ``posted`` left at 0; unknown ones are left out."""

    async def orders(self, after: int, limit: int) -> Sequence[OldOrder]:
        """Read orders with an id above ``after``, with their rows."""

    async def loose_rows(self, after: int, limit: int) -> Sequence[OldRow]:
        """Read rows with an id above ``after`` whose order is missing."""


class NewBooks(Protocol):
    """Writes what is taken over, inside the caller's transaction."""

    async def begin(self, extent: Extent) -> Standing:
        """Return where the take-over stands, and hold it until the transaction ends, so that no other goes on with it.

        The first call begins it, and reserves all ids up to the predecessor's last ones.

        Raises:
            Conflict: It was not begun, and the ledger has entries already; or another one goes on with it now.
        """

    async def advance(self, standing: Standing) -> None:
        """Write down how far it is."""

    async def add_wallets(self, wallets: Sequence[OldWallet]) -> None:
        """Store wallets, empty; their accounts open with them. Known ids stay as they are.

        Raises:
            Conflict: An owner is not there, or has another wallet.
        """

    async def add_orders(self, orders: Sequence[TakenOrder]) -> Sequence[int]:
        """Store orders; those that wait for the gateway get a charge.

        Returns:
            Ids of orders whose reference was taken, and which therefore have none now.
        """

    async def add_rows(self, rows: Sequence[TakenRow]) -> None:
        """Store rows."""

    async def add_carriers(self, carriers: Sequence[Carrier]) -> None:
        """Store orders that carry one row each, with that row."""

    async def note(self, remarks: Sequence[Remark]) -> None:
        """Keep lines of the report."""

    async def remarks(self, after: int, limit: int) -> Sequence[tuple[int, Remark]]:
        """Read lines of the report with a number above ``after``, each with its number."""

    async def finish(self) -> None:
        """Bring the statistics of hot accounts and of the system wallet up to date [PAY-39]."""


class TakeOverTransaction(UnitOfWork, Protocol):
    """What a take-over needs of a transaction."""

    @property
    def new_books(self) -> NewBooks:
        """Where it writes."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
