"""Accounts for readers, without the codes that link chats.

The statements stand, in order, in the folder beside this file; they are frozen. Each file is a block of its own that a
later revision can take back without touching the others.
"""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0011")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in sorted(STEPS.glob("*.sql")):
        cursor.execute(step.read_text(encoding="utf-8"))
