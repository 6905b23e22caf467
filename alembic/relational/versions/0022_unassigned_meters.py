"""A meter that is taken away while a paid top-up is under way calls a person, whoever takes it [PAY-118].

Clients write meters through the data plane as well, so the table itself watches.
The statements stand, in order, in the folder beside this file; they are frozen.
"""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0022")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in sorted(STEPS.glob("*.sql")):
        cursor.execute(step.read_text(encoding="utf-8"))
