"""The posting routine of the ledger: internal.post_entries."""

from __future__ import annotations

import json
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.ledger import MANUAL, PLATFORM, balances, connect, entry, make_wallets, post

from nxt_entrypoints.database.baseline_seed import Baseline, seed


@pytest.fixture
def ledger(any_relational_url: str) -> str:
    seed(any_relational_url, Baseline())
    return any_relational_url


def test_worked_example(ledger: str) -> None:
    """[PAY-34] [PAY-28] The four settled orders of payments 5.7 in one batch: balances, chains, and a sum of zero."""
    with connect(ledger) as connection:
        organization, agent, meter = make_wallets(connection, 3)
        posted = post(
            connection,
            [
                entry("order:1:settle", (organization, "100000"), (PLATFORM, "-100000")),
                entry("order:2:settle", (agent, "20000"), (organization, "-20000")),
                entry("order:3:settle", (meter, "1000"), (agent, "-1000")),
                entry("order:4:settle", (meter, "500"), (PLATFORM, "-500")),
            ],
        )
        assert [(ordinal, created) for ordinal, _, created in posted] == [(1, True), (2, True), (3, True), (4, True)]
        connection.execute("select internal.refresh_hot_balances()")
        found = balances(connection)
        assert [found[code] for code in (organization, agent, meter, PLATFORM)] == [80000, 19000, 1500, -100500]
        assert sum(found.values()) == 0
        chain = connection.execute(
            "select p.amount, p.balance_before, p.balance_after from internal.ledger_postings p"
            " join internal.ledger_accounts a on a.id = p.account_id where a.code = %s order by p.id",
            [agent],
        ).fetchall()
        assert chain == [(20000, 0, 20000), (-1000, 20000, 19000)]
        hot = connection.execute(
            "select count(*) from internal.ledger_postings where balance_before is null and amount < 0"
        ).fetchone()
        assert hot == (2,)


def test_wallets_follow_in_the_same_transaction(ledger: str) -> None:
    """[REL-147] [PAY-21] [PAY-30] A wallet shows its account's balance and the time of the transaction."""
    with connect(ledger) as connection:
        (wallet,) = make_wallets(connection, 1)
        with connection.transaction():
            post(connection, [entry("a", (wallet, "12.5"), (MANUAL, "-12.5"))])
            row = connection.execute(
                "select balance, balance_updated_at = now()::timestamptz(3) from wallets where id = %s",
                [wallet.removeprefix("wallet:")],
            ).fetchone()
        assert row == (Decimal("12.5"), True)


def test_a_key_posts_once(ledger: str) -> None:
    """[PAY-27] [R51] The same key with equal postings, in any order and writing, returns the existing entry."""
    with connect(ledger) as connection:
        (wallet,) = make_wallets(connection, 1)
        first = post(connection, [entry("order:9:settle", (wallet, "10"), (MANUAL, "-10"))])
        again = post(connection, [entry("order:9:settle", (MANUAL, "-10.0000"), (wallet, "10.00"))])
        assert again == [(1, first[0][1], False)]
        assert balances(connection)[wallet] == 10


def test_a_key_repeated_in_one_batch_posts_once(ledger: str) -> None:
    """[PAY-27] Repeats in a batch are repeats of its first element, among new and known keys."""
    with connect(ledger) as connection:
        (wallet,) = make_wallets(connection, 1)
        one = entry("one", (wallet, "1"), (MANUAL, "-1"))
        two = entry("two", (wallet, "2"), (MANUAL, "-2"))
        ((_, known, _),) = post(connection, [one])
        posted = post(connection, [two, one, two])
        assert [(n, created) for n, _, created in posted] == [(1, True), (2, False), (3, False)]
        assert posted[1][1] == known
        assert posted[0][1] == posted[2][1]
        assert balances(connection)[wallet] == 3


@pytest.mark.parametrize("same_batch", [True, False])
def test_a_key_with_other_postings_is_a_conflict(ledger: str, same_batch: bool) -> None:
    """[REL-147] [R51] A known key with other postings raises LEDGER_KEY_CONFLICT and changes nothing."""
    with connect(ledger) as connection:
        (wallet,) = make_wallets(connection, 1)
        first = entry("order:9:settle", (wallet, "10"), (MANUAL, "-10"))
        other = entry("order:9:settle", (wallet, "11"), (MANUAL, "-11"))
        if not same_batch:
            post(connection, [first])
        before = balances(connection)
        with pytest.raises(psycopg.Error, match="LEDGER_KEY_CONFLICT") as caught:
            post(connection, [first, other] if same_batch else [other])
        assert caught.value.sqlstate == "NX002"
        assert balances(connection) == before


def test_a_floor_refuses_the_whole_batch(ledger: str) -> None:
    """[PAY-22] [PAY-29] [R3] An entry below the floor raises, names its account, and nothing of the batch remains."""
    with connect(ledger) as connection:
        poor, rich = make_wallets(connection, 2, opening="100")
        batch = [
            entry("fits", (rich, "60"), (poor, "-60")),
            entry("too much", (rich, "41"), (poor, "-41")),
        ]
        with pytest.raises(psycopg.Error, match="INSUFFICIENT_BALANCE") as caught:
            post(connection, batch)
        assert caught.value.sqlstate == "NX001"
        detail = json.loads(caught.value.diag.message_detail or "")
        assert (detail["ordinal"], detail["key"], detail["account_code"]) == (2, "too much", poor)
        assert (Decimal(detail["balance"]), Decimal(detail["min_balance"])) == (40, 0)
        assert balances(connection)[poor] == 100
        assert post(connection, batch[:1])[0][2] is True


def test_floors_hold_after_each_entry_in_order(ledger: str) -> None:
    """[PAY-29] Money that comes in later in the batch can't be spent before; within one entry order is free."""
    with connect(ledger) as connection:
        one, two = make_wallets(connection, 2)
        income = entry("in", (one, "50"), (MANUAL, "-50"))
        spend = entry("out", (two, "50"), (one, "-50"))
        with pytest.raises(psycopg.Error, match="INSUFFICIENT_BALANCE"):
            post(connection, [spend, income])
        assert len(post(connection, [income, spend])) == 2
        post(connection, [entry("through", (one, "-70"), (one, "70"), (two, "1"), (MANUAL, "-1"))])
        assert balances(connection)[one] == 0


def test_a_suspense_account_has_a_floor_and_reaches_the_system_wallet(ledger: str) -> None:
    """[R24] [PAY-30] Suspense is not hot; with its counterpart the system wallet's statistic stays where it was."""
    with connect(ledger) as connection:
        suspense = "suspense:gateway:platform"
        post(connection, [entry("s", (suspense, "30"), (PLATFORM, "-30"))])
        connection.execute("select internal.refresh_hot_balances()")
        assert balances(connection)[suspense] == 30
        assert connection.execute("select balance from wallets where id = 968").fetchone() == (0,)
        with pytest.raises(psycopg.Error, match="INSUFFICIENT_BALANCE"):
            post(connection, [entry("t", (suspense, "-31"), (PLATFORM, "31"))])


@pytest.mark.parametrize(
    ("amounts", "state"),
    [
        (("10", "-9.9999"), "NX003"),
        (("10",), "NX003"),
        ((), "NX003"),
        (("0", "0"), "NX005"),
        (("0.00001", "-0.00001"), "NX005"),
        (("NaN", "NaN"), "NX005"),
    ],
)
def test_malformed_entries_are_refused(ledger: str, amounts: tuple[str, ...], state: str) -> None:
    """[PAY-25] Two postings or more that sum to zero, in amounts of at most four decimals."""
    with connect(ledger) as connection:
        codes = make_wallets(connection, 2, opening="100")
        postings = list(zip(codes, amounts, strict=False))
        with pytest.raises(psycopg.Error) as caught:
            post(connection, [entry("bad", *postings)])
        assert caught.value.sqlstate == state


def test_currencies_balance_each_for_itself(ledger: str) -> None:
    """[PAY-20] [PAY-25] Amounts of two currencies never cancel each other."""
    with connect(ledger) as connection:
        (naira,) = make_wallets(connection, 1, opening="100")
        dollars = connection.execute("select internal.ensure_ledger_account('external:manual:USD')").fetchone()
        assert dollars is not None
        with pytest.raises(psycopg.Error, match="LEDGER_UNBALANCED"):
            post(connection, [entry("mixed", (naira, "10"), ("external:manual:USD", "-10"))])


def test_unknown_and_closed_accounts_are_refused(ledger: str) -> None:
    """[PAY-33] An account must exist and be open."""
    with connect(ledger) as connection, connect(ledger, role=None) as owner:
        (wallet,) = make_wallets(connection, 1, opening="100")
        with pytest.raises(psycopg.Error, match="LEDGER_ACCOUNT_UNKNOWN") as caught:
            post(connection, [entry("x", (wallet, "-1"), ("wallet:999999", "1"))])
        assert caught.value.sqlstate == "NX004"
        owner.execute("update internal.ledger_accounts set is_open = false where code = %s", [wallet])
        with pytest.raises(psycopg.Error, match="LEDGER_ACCOUNT_UNKNOWN"):
            post(connection, [entry("y", (wallet, "-1"), (MANUAL, "1"))])


def test_one_entry_form_and_its_links(ledger: str) -> None:
    """[PAY-33] [R58] post_entry posts one, with its own time and the entry it reverses; a second reversal fails."""
    with connect(ledger) as connection:
        (wallet,) = make_wallets(connection, 1)
        one = entry("first", (wallet, "5"), (MANUAL, "-5"), effective_at="2025-01-02T03:04:05Z")
        row = connection.execute("select entry_id, created from internal.post_entry(%s)", [json.dumps(one)]).fetchone()
        assert row is not None
        assert row[1] is True
        back = entry("second", (wallet, "-5"), (MANUAL, "5"), reverses_entry_id=row[0])
        post(connection, [back])
        stored = connection.execute(
            "select effective_at = '2025-01-02T03:04:05Z', reverses_entry_id from internal.ledger_entries order by id"
        ).fetchall()
        assert stored[0] == (True, None)
        assert stored[1][1] == row[0]
        with pytest.raises(psycopg.errors.UniqueViolation):
            post(connection, [{**back, "key": "third"}])


def test_an_empty_batch_is_nothing(ledger: str) -> None:
    """[R3] A worker with nothing to settle may say so."""
    with connect(ledger) as connection:
        assert post(connection, []) == []


@given(
    moves=st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 5000), st.integers(0, 9)),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_books_balance_after_any_batches(world: tuple[str, list[str]], moves: list[list[tuple[int, ...]]]) -> None:
    """[PAY-25] [PAY-28] [PAY-29] Whatever is posted, refused or repeated, sums, chains, floors and wallets hold."""
    url, codes = world
    targets = [*codes, MANUAL]
    with connect(url) as connection:
        serial = connection.execute("select coalesce(max(id), 0) from internal.ledger_entries").fetchone()
        for number, batch in enumerate(moves):
            entries = [
                entry(f"{serial}:{number}:{key}", (targets[to], f"{kobo / 100}"), (codes[source], f"-{kobo / 100}"))
                for source, to, kobo, key in batch
            ]
            assert refusal_of(connection, entries) in {None, "NX001", "NX002"}
        connection.execute("select internal.refresh_hot_balances()")
        assert connection.execute(FINDINGS).fetchall() == []


def refusal_of(connection: psycopg.Connection[tuple[object, ...]], entries: list[dict[str, object]]) -> str | None:
    try:
        post(connection, entries)
    except psycopg.Error as error:
        return error.sqlstate
    return None


FINDINGS = """
    select 'entry', e.id from internal.ledger_entries e join internal.ledger_postings p on p.entry_id = e.id
    group by e.id having sum(p.amount) <> 0 or count(*) < 2
    union all
    select 'balance', a.id from internal.ledger_accounts a left join internal.ledger_postings p on p.account_id = a.id
    group by a.id having a.balance <> coalesce(sum(p.amount), 0)
    union all
    select 'floor', id from internal.ledger_accounts where balance < min_balance
    union all
    select 'wallet', w.id from wallets w join internal.ledger_accounts a on a.wallet_id = w.id
    group by w.id having w.balance <> sum(a.balance)
    union all
    select 'chain', id from (
        select p.id, p.balance_before, lag(p.balance_after, 1, 0) over (partition by p.account_id order by p.id) as last
        from internal.ledger_postings p where p.balance_before is not null
    ) c where c.balance_before <> c.last
"""


@pytest.fixture
def world(relational_url: str) -> tuple[str, list[str]]:
    seed(relational_url, Baseline())
    with connect(relational_url) as connection:
        return relational_url, make_wallets(connection, 4, opening="50")
