"""Payouts: banks, bank accounts, monthly settlements of grids (relational-schema 4.6)."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text, text

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import INSTANT_MS, JSON_TEXT, MONEY, created_at_ms, int_key, metadata

banks = Table(
    "banks",
    metadata,
    int_key(),
    created_at_ms(),
    Column("name", String, nullable=False),
    Column("external_id", String, nullable=False),
    Index("ux_banks_name", "name", unique=True),
    Index("ux_banks_external_id", "external_id", unique=True),
)

bank_accounts = Table(
    "bank_accounts",
    metadata,
    int_key(),
    created_at_ms(),
    Column("organization_id", Integer, ForeignKey("organizations.id", name="FK_cc20105b139589c697648c925c3")),
    Column("bank_id", Integer, ForeignKey("banks.id", name="FK_482543ba26483726aaa00d39174")),
    Column("account_number", Text),
    Index("ix_bank_accounts_bank_id", "bank_id"),
    Index("ix_bank_accounts_organization_id", "organization_id"),
)

payouts = Table(
    "payouts",
    metadata,
    int_key(),
    created_at_ms(),
    Column("proposed_amount", MONEY, nullable=False),
    Column("approved_amount", MONEY),
    Column("external_reference", String),
    Column("external_system", enums.external_system),
    Column("payout_status", enums.payout_status, nullable=False),
    Column("draft_link", String),
    Column("started_at", INSTANT_MS, nullable=False),
    Column("ended_at", INSTANT_MS, nullable=False),
    Column("grid_id", Integer, ForeignKey("grids.id", name="FK_e8bc1a446b4df957b8d37af1cd0"), nullable=False),
    Column("details", JSON_TEXT),
    Column("bank_account_id", Integer, ForeignKey("bank_accounts.id", name="FK_7796c1df57eeefa9173325627c4")),
    Column("approved_by_account_id", Integer, ForeignKey("accounts.id", name="FK_e2e6de2a3c003b36f840829079a")),
    CheckConstraint("started_at < ended_at", name="ck_payouts_period"),
    CheckConstraint("approved_amount >= 0", name="ck_payouts_approved_amount"),
    CheckConstraint("approved_amount is null or approved_by_account_id is not null", name="ck_payouts_approver"),
    Index("ix_payouts_bank_account_id", "bank_account_id"),
    Index("ix_payouts_approved_by_account_id", "approved_by_account_id"),
    Index("ix_payouts_grid_id", "grid_id"),
    Index(
        "ux_payouts_period",
        "grid_id",
        "started_at",
        "ended_at",
        unique=True,
        postgresql_where=text("payout_status <> 'FAILED'"),
    ),
)
