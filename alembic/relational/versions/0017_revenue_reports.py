"""Who gets the weekly revenue report, and one rule of what energy brought in for clients and for ourselves [PAY-170].

The product's roles may call the functions that clients call, so that no second statement says what counts.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

FIRST = ("Solaviva", "Zahra", "Etinpower Limited", "SAF-AGA")
NAMES = ", ".join(f"'{name}'" for name in FIRST)
STATEMENTS = (
    "alter table public.organizations add column is_revenue_report_enabled boolean not null default false",
    f"update public.organizations set is_revenue_report_enabled = true where name in ({NAMES})",  # noqa: S608 - constants
    """
    grant execute on function
        public.find_energy_topup_revenue(integer, timestamptz, timestamptz),
        public.find_top_spenders(integer, integer, timestamptz, timestamptz)
        to nxt_app
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
