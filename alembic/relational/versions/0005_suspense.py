"""What was decided about money in suspense [PAY-80, PAY-92]: one decision at a time for each entry."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table internal.suspense_resolutions (
        entry_id bigint primary key references internal.ledger_entries (id),
        created_at timestamptz not null default now(),
        action text not null,
        state text not null,
        attempt integer not null default 1,
        reason text not null,
        author_account_id integer not null references public.accounts (id),
        order_id integer references public.orders (id),
        gateway_refund_id text,
        last_error text,
        constraint ck_suspense_resolutions_action check (action in ('credit', 'refund')),
        constraint ck_suspense_resolutions_state check (
            state in ('CREDITED', 'REFUNDING', 'REFUND_ASKED', 'REFUNDED', 'FAILED')
        ),
        constraint ck_suspense_resolutions_order check ((order_id is null) = (action = 'refund'))
    )
    """,
    "create unique index ux_suspense_resolutions_order_id on internal.suspense_resolutions (order_id)",
    "create index ix_suspense_resolutions_author_account_id on internal.suspense_resolutions (author_account_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
