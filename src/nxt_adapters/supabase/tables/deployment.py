"""The ids of the installation that SQL needs to know (relational-schema 1.1)."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Integer, Table

from nxt_adapters.supabase.tables.columns import INSTANT, NOW, YES, metadata

# One row, written by seeding from the configuration; row security reads it [REL-10].
deployment = Table(
    "deployment",
    metadata,
    Column("is_only", Boolean, primary_key=True, server_default=YES),
    Column("platform_organization_id", Integer, ForeignKey("organizations.id"), nullable=False),
    Column("banking_system_wallet_id", Integer, ForeignKey("wallets.id"), nullable=False),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    CheckConstraint("is_only", name="ck_deployment_is_only"),
    schema="internal",
)
