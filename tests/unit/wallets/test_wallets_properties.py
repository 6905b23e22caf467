"""Every invariant of the books, on generated movements (PAY 5.3)."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nxt_adapters.memory.ledger import MemoryLedger
from nxt_domain.shared.errors import DomainError, InvalidInput
from nxt_domain.shared.money import Currency
from nxt_domain.wallets import rules
from nxt_domain.wallets.accounts import (
    AccountClass,
    currency_of,
    gateway_account,
    kind_of,
    manual_account,
    merchant_of,
    organization_of,
    suspense_account,
    wallet_account,
    wallet_of,
)
from nxt_domain.wallets.audit import check_books
from nxt_domain.wallets.model import Entry, EntryType, Posting, UnbalancedEntry

WALLETS = [wallet_account(number) for number in range(1, 5)]
OUTSIDE = [gateway_account("platform"), manual_account(), suspense_account("platform")]
amounts = st.decimals(min_value="0.0001", max_value=10**9, places=4)


def entry(key: str, *postings: tuple[str, Decimal]) -> Entry:
    return Entry(
        key=key, entry_type=EntryType.ADJUSTMENT, memo="test", postings=[Posting(*posting) for posting in postings]
    )


class LedgerMachine(RuleBasedStateMachine):
    """Any movements, repeats and refusals, against a plain model of balances."""

    @initialize()
    def begin(self) -> None:
        self.ledger = MemoryLedger()
        self.model: dict[str, Decimal] = {}
        self.known: dict[str, Entry] = {}

    def post(self, entries: list[Entry]) -> bool:
        try:
            asyncio.run(self.ledger.post(entries))
        except DomainError:
            return False
        for posted in entries:
            if posted.key not in self.known:
                self.known[posted.key] = posted
                for posting in posted.postings:
                    self.model[posting.account] = self.model.get(posting.account, Decimal(0)) + posting.amount
        return True

    @rule(
        moves=st.lists(
            st.tuples(st.sampled_from(OUTSIDE + WALLETS), st.sampled_from(WALLETS + OUTSIDE), amounts),
            min_size=1,
            max_size=4,
        ),
        key=st.integers(0, 30),
    )
    def move(self, moves: list[tuple[str, str, Decimal]], key: int) -> None:
        before = dict(self.model)
        entries = [
            entry(f"{key}:{number}", (target, amount), (source, -amount))
            for number, (source, target, amount) in enumerate(moves)
        ]
        if not self.post(entries):
            assert self.model == before, "a refusal changes nothing"

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.known:
            known = self.known[data.draw(st.sampled_from(sorted(self.known)))]
            (receipt,) = asyncio.run(self.ledger.post([known]))
            assert not receipt.created

    @rule(amount=amounts, off=amounts)
    def unbalanced(self, amount: Decimal, off: Decimal) -> None:
        """[PAY-25] whatever does not sum to zero is refused."""
        assert not self.post([entry("off", (WALLETS[0], amount + off), (OUTSIDE[0], -amount))])

    @invariant()
    def books_are_in_order(self) -> None:
        """[PAY-25] [PAY-28] [PAY-29] sums, chains, floors."""
        assert asyncio.run(self.ledger.findings()) == []

    @invariant()
    def balances_are_what_was_moved(self) -> None:
        for code, balance in self.model.items():
            assert self.ledger.balance(code) == balance
            if code in WALLETS:
                assert balance >= 0, "[PAY-22]"


TestLedger = LedgerMachine.TestCase


@given(st.lists(amounts, min_size=1, max_size=6))
def test_an_entry_of_many_legs_balances_or_is_refused(legs: list[Decimal]) -> None:
    """[PAY-25] [PAY-110] more than two postings are allowed, and must sum to zero."""
    total = sum(legs, Decimal(0))
    postings = [(wallet_account(number), leg) for number, leg in enumerate(legs, start=1)]
    rules.validate(entry("fine", *postings, (manual_account(), -total)))
    with pytest.raises(UnbalancedEntry):
        rules.validate(entry("off", *postings, (manual_account(), -total - 1)))


def test_the_audit_finds_what_should_be_impossible() -> None:
    """[PAY-133] a forged balance, a broken chain, a lost posting."""
    ledger = MemoryLedger()
    asyncio.run(ledger.post([entry("a", (WALLETS[0], Decimal(10)), (OUTSIDE[0], Decimal(-10)))]))
    booked = list(ledger.entries)
    accounts = [rules.open_account(code) for code in (WALLETS[0], OUTSIDE[0])]
    forged = [attrs.evolve(accounts[0], balance=Decimal(-3)), attrs.evolve(accounts[1], balance=Decimal(-10))]
    assert {finding.rule for finding in check_books(forged, booked)} == {
        "BALANCE_DIFFERS",
        "FLOOR_BROKEN",
        "BOOKS_UNBALANCED",
    }
    torn = [attrs.evolve(booked[0], postings=booked[0].postings[:1])]
    assert {"ENTRY_TOO_SHORT", "ENTRY_UNBALANCED"} <= {finding.rule for finding in check_books(accounts, torn)}
    bent = attrs.evolve(booked[0].postings[0], balance_before=Decimal(1), balance_after=Decimal(11))
    broken = [attrs.evolve(booked[0], postings=[bent, booked[0].postings[1]])]
    assert "CHAIN_BROKEN" in {finding.rule for finding in check_books(accounts, broken)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (rules.MoneySource(wallet_id=17, is_system=False), "wallet:17"),
        (rules.MoneySource(wallet_id=968, is_system=True, merchant="platform"), "external:gateway:platform"),
        (rules.MoneySource(wallet_id=968, is_system=True, merchant="org:9"), "external:gateway:org:9"),
        (rules.MoneySource(wallet_id=968, is_system=True), "external:manual"),
        (
            rules.MoneySource(wallet_id=968, is_system=True, merchant="org:9", resolves_suspense=True),
            "suspense:gateway:org:9",
        ),
    ],
)
def test_where_the_money_of_an_order_comes_from(source: rules.MoneySource, expected: str) -> None:
    """[PAY-34] one case per kind of sender; the receiver's leg comes first [PAY-35]."""
    booked = rules.settlement_entry(
        order_id=50, source=source, receiver_account="wallet:40", amount=Decimal(1000), currency=Currency.NGN
    )
    assert booked.key == "order:50:settle"
    assert [(leg.account, leg.amount) for leg in booked.postings] == [("wallet:40", 1000), (expected, -1000)]


def test_suspense_is_booked_once_per_gateway_transaction() -> None:
    """[PAY-27] [PAY-79] key, accounts and currency."""
    booked = rules.suspense_entry(
        merchant="org:9", gateway_tx_id="77", order_id=50, amount=Decimal("4000.00005"), currency=Currency.USD
    )
    assert booked.key == "gateway:org:9:77:suspense"
    assert [(leg.account, leg.amount) for leg in booked.postings] == [
        ("suspense:gateway:org:9:USD", Decimal("4000.0001")),
        ("external:gateway:org:9:USD", Decimal("-4000.0001")),
    ]


def test_codes_tell_kind_currency_and_owner() -> None:
    """PAY 5.2"""
    assert wallet_account(17, Currency.USD) == "wallet:17:USD"
    assert (currency_of("wallet:17:USD"), currency_of("wallet:17")) == (Currency.USD, Currency.NGN)
    assert (wallet_of("wallet:17:USD"), wallet_of("external:manual")) == (17, None)
    assert (merchant_of(None), merchant_of(9)) == ("platform", "org:9")
    assert (organization_of("platform"), organization_of("org:9")) == (None, 9)
    assert kind_of("suspense:gateway:platform").min_balance == 0
    assert kind_of("external:disbursement").is_hot
    assert kind_of("clearing:revenue:5").account_class is AccountClass.CLEARING
    for nonsense in ("org:", "org:x", "else"):
        with pytest.raises(InvalidInput):
            organization_of(nonsense)
