"""Messages remember when they entered which stage, also in the archive.

The statements stand, in order, in the folder beside this file; they are frozen.
"""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0016")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in sorted(STEPS.glob("*.sql")):
        cursor.execute(step.read_text(encoding="utf-8"))
