"""The demo's month of history is sound money and ready meters, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from nxt_entrypoints.database.baseline_seed import Baseline
from nxt_entrypoints.database.migrate import connected
from nxt_entrypoints.demo.operator import existing_operator
from nxt_entrypoints.demo.seed import demo_meters, seed_relational

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


@pytest.fixture
def seeded_url(relational_url: str) -> str:
    assert seed_relational(relational_url, Baseline(), NOW) is not None
    return relational_url


def test_villages_are_complete_and_a_second_seeding_changes_nothing(seeded_url: str) -> None:
    assert seed_relational(seeded_url, Baseline(), NOW) is None
    with connected(seeded_url) as connection:
        organization_id = existing_operator(connection)
        assert organization_id is not None
        meters = demo_meters(connection, organization_id)
        assert len(meters) >= 40
        assert len({meter.grid_id for meter in meters}) == 2
        orders = connection.scalar(text("select count(*) from orders"))
        assert orders > 150


def test_everybody_has_a_login_whose_claims_name_the_account(seeded_url: str) -> None:
    """[API-168] [REL-23] So that user administration works on the demo's people as on any other."""
    with connected(seeded_url) as connection:
        odd = connection.scalar(
            text(
                """
                select count(*) from accounts a
                left join auth.users u on u.id = a.supabase_id
                left join members m on m.account_id = a.id
                left join agents g on g.account_id = a.id
                left join customers c on c.account_id = a.id
                where num_nonnulls(m.id, g.id, c.id) <> 1
                    or (u.raw_app_meta_data ->> 'account_id')::int is distinct from a.id
                    or (u.raw_app_meta_data ->> 'organization_id')::int is distinct from a.organization_id
                    or (u.raw_app_meta_data ->> 'grid_id')::int is distinct from coalesce(g.grid_id, c.grid_id)
                """
            )
        )
        assert odd == 0


def test_seeded_books_balance_and_wallets_follow_the_ledger(seeded_url: str) -> None:
    """Postings sum to zero, transactions to balances, completed orders have their entry [PAY-25, PAY-31, PAY-38]."""
    with connected(seeded_url) as connection:
        assert connection.scalar(text("select sum(amount) from internal.ledger_postings")) == 0
        broken = connection.scalar(
            text(
                """
                select count(*) from wallets w
                where identifier is null and balance <> (
                    select coalesce(sum(amount), 0) from transactions t
                    where t.wallet_id = w.id and transaction_status = 'SUCCESSFUL')
                """
            )
        )
        assert broken == 0
        unsettled = connection.scalar(
            text(
                """
                select count(*) from orders o left join internal.ledger_entries e on e.order_id = o.id
                where (o.order_status = 'COMPLETED') <> (e.id is not null)
                """
            )
        )
        assert unsettled == 0


def test_history_lies_in_the_past(seeded_url: str) -> None:
    """Entries carry the time of their orders [R58]."""
    with connected(seeded_url) as connection:
        newest = connection.scalar(text("select max(effective_at) from internal.ledger_entries"))
        assert newest < NOW
        assert connection.scalar(text("select min(settled_at) from orders")) < datetime(2026, 2, 10, tzinfo=UTC)
