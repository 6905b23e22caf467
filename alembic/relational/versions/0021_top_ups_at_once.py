"""Top-ups that one statement makes are told to the chat bot together [PAY-119].

A batch of settlement inserts 200 of them at once, and told of each by itself.
The statements stand, in order, in the folder beside this file; they are frozen.
"""

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0021")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in sorted(STEPS.glob("*.sql")):
        cursor.execute(step.read_text(encoding="utf-8"))
