"""Take back what a host hands to everybody: calls of functions and the counters behind keys [REL-96, REL-109].

The first step took EXECUTE from PUBLIC alone, and nothing from the roles that a hosted database names one by one. What
clients may call is granted anew where it is made.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CLIENTS = "public, anon, authenticated"
STATEMENTS = (
    """
    do $$
    declare
        routine regprocedure;
    begin
        for routine in
            select p.oid from pg_proc p
            where p.pronamespace = 'public'::regnamespace and p.prorettype = 'trigger'::regtype
                and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
        loop
            execute format('revoke execute on function %s from public, anon, authenticated, service_role', routine);
        end loop;
    end
    $$
    """,
    f"revoke all on all sequences in schema public from {CLIENTS}",
    f"alter default privileges in schema public revoke all on sequences from {CLIENTS}",
    f"alter default privileges in schema public revoke execute on functions from {CLIENTS}, service_role",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
