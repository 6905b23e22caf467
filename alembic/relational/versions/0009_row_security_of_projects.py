"""Row security of the tables of revision 0006, among them the public form for sites.

The statements stand, in order, in the folder beside this file; they are frozen. Each file is a block of its own that a
later revision can take back without touching the others.
"""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0009")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in sorted(STEPS.glob("*.sql")):
        cursor.execute(step.read_text(encoding="utf-8"))
