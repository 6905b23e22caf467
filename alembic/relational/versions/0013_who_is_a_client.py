"""Clients are those whom row security limits, whatever their role is called.

The statements stand, in order, in the folder beside this file; they are frozen. Each file is a block of its own that a
later revision can take back without touching the others.
"""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0013")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in sorted(STEPS.glob("*.sql")):
        cursor.execute(step.read_text(encoding="utf-8"))
