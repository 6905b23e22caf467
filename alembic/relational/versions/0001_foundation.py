"""The foundation: identities, grids, meters, money, ledger, work queues and device messages.

The statements stand, in order, in the folder beside this file; they are frozen.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0001")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in sorted(STEPS.glob("*.sql")):
        cursor.execute(step.read_text(encoding="utf-8"))
