"""Device messaging in a database of its own: the queue as in the relational plane, and the outbox of events.

The queue's statements are those of the relational plane's revisions, which are frozen like this one.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STEPS = Path(__file__).with_name("0001")
RELATIONAL = Path(__file__).parents[2] / "relational" / "versions"
QUEUE = (RELATIONAL / "0001" / "0317_messaging.sql", RELATIONAL / "0016" / "0100_stages.sql")


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for step in (STEPS / "0100_schema.sql", *QUEUE, STEPS / "0300_stand_alone.sql"):
        cursor.execute(step.read_text(encoding="utf-8"))
