"""Contract of ``Ledger`` over memory and PostgreSQL (PAY 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from tests.support.ledger import connect, make_wallets
from tests.support.payments_postgres import PaymentsTransaction

from nxt_adapters.memory.ledger import MemoryLedger
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.ledger_audit import PostgresLedgerAudit
from nxt_domain.shared.errors import InvalidInput, Unprocessable
from nxt_domain.shared.money import Currency
from nxt_domain.wallets.accounts import gateway_account, manual_account, suspense_account, wallet_account
from nxt_domain.wallets.model import (
    Entry,
    EntryType,
    FloorViolated,
    LedgerKeyConflict,
    PostedEntry,
    Posting,
    UnbalancedEntry,
)
from nxt_domain.wallets.ports import Finding


class Books:
    """A ledger with two empty wallets, ``a`` and ``b``; each call commits on its own."""

    def __init__(
        self,
        a: str,
        b: str,
        post: Callable[[Sequence[Entry]], Awaitable[Sequence[PostedEntry]]],
        balances: Callable[[Sequence[str]], Awaitable[Any]],
        findings: Callable[[], Awaitable[Sequence[Finding]]],
    ) -> None:
        self.a, self.b = a, b
        self.post, self._balances, self.findings = post, balances, findings

    async def balance(self, code: str) -> Decimal:
        return Decimal((await self._balances([code]))[code])

    async def move(self, key: str, source: str, target: str, amount: str) -> PostedEntry:
        (receipt,) = await self.post([entry(key, (target, amount), (source, f"-{amount}"))])
        return receipt


def entry(key: str, *postings: tuple[str, str]) -> Entry:
    legs = [Posting(code, Decimal(amount)) for code, amount in postings]
    return Entry(key=key, entry_type=EntryType.ADJUSTMENT, memo="test", postings=legs)


@pytest.fixture(params=["memory", "postgres"])
async def books(request: pytest.FixtureRequest) -> AsyncIterator[Books]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Books(wallet_account(1), wallet_account(2), ledger.post, ledger.balances, ledger.findings)
        return
    url = request.getfixturevalue("relational_url")
    with connect(url, role=None) as owner:
        a, b = make_wallets(owner, 2)
        owner.execute("insert into wallets (id, identifier) values (968, 'BANKING_SYSTEM') on conflict do nothing")
    engine = create_engine(url, pool_size=2)

    async def post(entries: Sequence[Entry]) -> Sequence[PostedEntry]:
        async with PaymentsTransaction(engine) as tx:
            receipts = await tx.ledger.post(entries)
            await tx.commit()
        return receipts

    async def balances(codes: Sequence[str]) -> Any:
        async with PaymentsTransaction(engine) as tx:
            return await tx.ledger.balances(codes)

    async def findings() -> Sequence[Finding]:
        found = await PostgresLedgerAudit(engine).findings()
        # These entries belong to no order, so that the tables clients read know nothing of them.
        return [finding for finding in found if finding.rule != "TRANSACTIONS_DIFFER"]

    yield Books(a, b, post, balances, findings)
    await engine.dispose()


async def test_entries_move_money_and_balances_follow(books: Books) -> None:
    """[PAY-25] [PAY-28] [PAY-33]"""
    receipt = await books.move("one", manual_account(), books.a, "100.5")
    assert receipt.created
    await books.move("two", books.a, books.b, "40.25")
    assert (await books.balance(books.a), await books.balance(books.b)) == (Decimal("60.25"), Decimal("40.25"))
    assert await books.findings() == []


async def test_a_known_key_returns_its_entry(books: Books) -> None:
    """[PAY-27] posting again changes nothing."""
    first = await books.move("one", manual_account(), books.a, "100")
    again = await books.move("one", manual_account(), books.a, "100")
    assert (again.id, again.created) == (first.id, False)
    assert await books.balance(books.a) == 100


async def test_a_known_key_with_other_postings_is_a_conflict(books: Books) -> None:
    """R51 over [PAY-27]."""
    await books.move("one", manual_account(), books.a, "100")
    with pytest.raises(LedgerKeyConflict):
        await books.move("one", manual_account(), books.a, "101")
    with pytest.raises(LedgerKeyConflict):
        await books.move("one", manual_account(), books.b, "100")


@pytest.mark.parametrize(
    "postings",
    [
        [("A", "100")],
        [("A", "100"), ("X", "-99")],
        [("A", "0"), ("X", "0")],
        [("A", "0.00001"), ("X", "-0.00001")],
        [("A", "NaN"), ("X", "-1")],
        [("A", "5"), ("U", "-5")],
    ],
)
async def test_entries_that_are_not_balanced_are_refused(books: Books, postings: list[tuple[str, str]]) -> None:
    """[PAY-25] two postings or more, worth something, to 4 decimals, zero in each currency."""
    codes = {"A": books.a, "X": manual_account(), "U": "external:manual:USD"}
    with pytest.raises(UnbalancedEntry):
        await books.post([entry("bad", *((codes[name], amount) for name, amount in postings))])
    assert await books.balance(books.a) == 0


async def test_a_floor_refuses_the_whole_call(books: Books) -> None:
    """[PAY-22] [PAY-29] nothing of it remains, and other entries of the call neither."""
    await books.move("one", manual_account(), books.a, "100")
    with pytest.raises(FloorViolated):
        await books.post(
            [
                entry("two", (books.b, "60"), (books.a, "-60")),
                entry("three", (books.b, "60"), (books.a, "-60")),
            ]
        )
    assert (await books.balance(books.a), await books.balance(books.b)) == (Decimal(100), Decimal(0))
    assert (await books.move("two", books.a, books.b, "60")).created


async def test_entries_of_one_call_see_each_other(books: Books) -> None:
    """[PAY-29] floors hold after each entry, in the order given."""
    await books.post(
        [entry("one", (books.a, "10"), (manual_account(), "-10")), entry("two", (books.b, "10"), (books.a, "-10"))]
    )
    assert (await books.balance(books.a), await books.balance(books.b)) == (Decimal(0), Decimal(10))


async def test_the_outside_has_no_floor_and_suspense_has_one(books: Books) -> None:
    """PAY 5.2: external accounts may go down for ever, suspense may not."""
    suspense = suspense_account("platform")
    await books.move("in", gateway_account("platform"), suspense, "500")
    assert await books.balance(suspense) == 500
    with pytest.raises(FloorViolated):
        await books.move("out", suspense, books.a, "501")


async def test_currencies_never_mix(books: Books) -> None:
    """[PAY-20] an account of another currency is another account."""
    usd = suspense_account("platform", Currency.USD)
    await books.post([entry("usd", (usd, "5"), (gateway_account("platform", Currency.USD), "-5"))])
    assert await books.balance(usd) == 5
    assert await books.findings() == []


async def test_accounts_outside_the_chart_are_refused(books: Books) -> None:
    """PAY 5.2"""
    with pytest.raises((InvalidInput, Unprocessable)):
        await books.move("one", "pocket:money", books.a, "1")


async def test_an_empty_call_posts_nothing(books: Books) -> None:
    """R3"""
    assert list(await books.post([])) == []
