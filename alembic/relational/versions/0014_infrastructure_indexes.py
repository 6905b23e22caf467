"""Lists of grids and of what stands on them by key, as those of customers and meters [R41]."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

PAGED = (
    ("grids", "organization_id"),
    *((table, "rls_organization_id") for table in ("poles", "dcus", "mppts", "routers")),
    *((table, "grid_id") for table in ("poles", "dcus", "mppts", "routers")),
)


def upgrade() -> None:
    for table, owner in PAGED:
        op.create_index(f"ix_{table}_{owner}_id", table, [owner, "id"])
