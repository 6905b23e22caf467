"""Migrations of the relational plane: forward only, each in a transaction where possible [REL-173].

The runner hands over an open connection, with its lock time-out set.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transaction_per_migration=True,
    on_version_apply=context.config.attributes["on_version_apply"],
)
with context.begin_transaction():
    context.run_migrations()
