"""Open tasks of the outbox by kind: a lane passes by the tasks of others, however many wait."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    "drop index internal.ix_outbox_tasks_open",
    """
    create index ix_outbox_tasks_open on internal.outbox_tasks (kind, next_attempt_at)
    where done_at is null and dropped_at is null
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
