"""Open tasks of the outbox by kind and by stream: a lane passes by the tasks of others, however many wait."""

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
    # In other words than the index above, so that a question about a stream can't be answered from that one: while few
    # tasks are open, statistics make a walk through all of them look cheaper than one step down the right index.
    "drop index internal.ix_outbox_tasks_open_stream",
    """
    create index ix_outbox_tasks_open_stream on internal.outbox_tasks (stream_key, id)
    where coalesce(done_at, dropped_at) is null and stream_key is not null
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
