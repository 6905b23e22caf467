"""Migrations of the series store: forward only, each in a transaction [TEL-18].

The runner hands over an open connection. Plain alembic may be used too, with ``sqlalchemy.url``.
"""

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool


def run(connection: Connection) -> None:
    """Apply what is missing over one connection."""
    attributes = context.config.attributes
    context.configure(
        connection=connection,
        version_table=attributes.get("version_table", "alembic_version"),
        transaction_per_migration=True,
        on_version_apply=attributes.get("on_version_apply"),
    )
    with context.begin_transaction():
        context.run_migrations()


if "connection" in context.config.attributes:
    run(context.config.attributes["connection"])
else:
    engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=NullPool)
    with engine.connect() as own_connection:
        run(own_connection)
        own_connection.commit()
