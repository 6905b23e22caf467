"""What the chat bot hears of paid top-ups becomes tasks, whoever writes the row [PAY-119].

The statements stand, in order, in the folder beside this file; they are frozen.
"""

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0018")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in sorted(STEPS.glob("*.sql")):
        cursor.execute(step.read_text(encoding="utf-8"))
