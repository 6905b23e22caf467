"""How far transfers of credit between meters are [PAY-141]: what was measured, and the command of each step."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table internal.credit_transfer_runs (
        transfer_id integer primary key references public.meter_credit_transfers (id),
        created_at timestamptz not null default now(),
        energy_kwh numeric(12,1),
        give_back_kwh numeric(12,1),
        commands jsonb not null default '{}',
        held_meter_ids integer[] not null default '{}',
        is_refused boolean not null default false,
        is_paid_out boolean not null default false,
        look_at timestamptz not null default now(),
        alerted_at timestamptz,
        finished_at timestamptz
    )
    """,
    "create index ix_credit_transfer_runs_look_at on internal.credit_transfer_runs (look_at) where finished_at is null",
    "grant select, insert, update on internal.credit_transfer_runs to nxt_app",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
