"""Lists by key: a page of a tenant's rows, or of a grid's, is one step down an index, however many there are [R41]."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PAGED = (
    ("customers", "rls_organization_id"),
    ("customers", "grid_id"),
    ("connections", "rls_organization_id"),
    ("meters", "rls_organization_id"),
    ("meters", "rls_grid_id"),
    ("issues", "rls_organization_id"),
    ("notes", "rls_organization_id"),
)


def upgrade() -> None:
    for table, owner in PAGED:
        op.create_index(f"ix_{table}_{owner}_id", table, [owner, "id"])
