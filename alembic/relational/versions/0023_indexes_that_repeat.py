"""Indexes that repeat others go, and those of columns that are mostly null hold only what isn't (decision 0014).

They are made and dropped beside running work, each statement by itself. Whatever was done when it stopped half-way is
found as it stands when it runs again; meanwhile no look-up is without an index.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

REPEATED = (
    "idx_orders_energy_topup_grid",
    "idx_orders_energy_topup_receiver",
    '"IDX_14f6e0badc019bbdd2f66f7e8a"',
    '"IDX_5c820aa56824815f8e19484ff5"',
)
MOSTLY_NULL = {
    "ix_orders_author_id": "orders (author_id)",
    "ix_notifications_notification_parameter_id": "notifications (notification_parameter_id)",
    "ix_notifications_grid_id": "notifications (grid_id)",
    "ix_notifications_organization_id": "notifications (organization_id)",
    "idx_meter_interaction_batch_execution_id": "meter_interactions (batch_execution_id, meter_interaction_status)",
    "idx_meter_interaction_meter_commissioning_id": "meter_interactions (meter_commissioning_id)",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for index in REPEATED:
            op.execute(f"drop index concurrently if exists public.{index}")
        for index, columns in MOSTLY_NULL.items():
            leading = columns.partition("(")[2].partition(",")[0].rstrip(")")
            op.execute(f"drop index concurrently if exists public.{index}_new")
            op.execute(f"create index concurrently {index}_new on public.{columns} where {leading} is not null")
            op.execute(f"drop index concurrently if exists public.{index}")
            op.execute(f"alter index public.{index}_new rename to {index}")
