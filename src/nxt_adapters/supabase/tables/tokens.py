"""Secrets and tokens: encrypted secrets, decoder keys, tokens made (relational-schema 14.4, REL-164)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from nxt_adapters.supabase.tables.columns import ENERGY, INSTANT, NOW, big_key, created_at, metadata

secrets = Table(
    "secrets",
    metadata,
    Column("id", Uuid, primary_key=True),
    created_at(),
    Column("purpose", Text, nullable=False),
    Column("owner_type", Text),
    Column("owner_id", BigInteger),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("algorithm", Text, nullable=False, server_default="AES-256-GCM"),
    Column("rotated_at", INSTANT),
    Column("expires_at", INSTANT),
    Index("ix_secrets_owner", "purpose", "owner_type", "owner_id"),
    Index("ix_secrets_key_id", "key_id"),
    schema="internal",
)

meter_secrets = Table(
    "meter_secrets",
    metadata,
    created_at(),
    Column("meter_id", Integer, ForeignKey("meters.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("decoder_key_id", Uuid, ForeignKey("internal.secrets.id")),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Index("ix_meter_secrets_decoder_key_id", "decoder_key_id"),
    schema="internal",
)

secret_inbox = Table(
    "secret_inbox",
    metadata,
    big_key(),
    created_at(),
    Column("purpose", Text, nullable=False),
    Column("owner_type", Text, nullable=False),
    Column("owner_id", BigInteger, nullable=False),
    Column("plaintext", Text, nullable=False),
    schema="internal",
)

sts_tokens = Table(
    "sts_tokens",
    metadata,
    big_key(),
    created_at(),
    Column("meter_id", Integer, ForeignKey("meters.id"), nullable=False),
    Column("interaction_id", BigInteger),
    Column("issue_time", INSTANT, nullable=False),
    Column("issue_minute", INSTANT, nullable=False),
    Column("token_class", Text, nullable=False),
    Column("value", ENERGY),
    Column("nonce", SmallInteger),
    Column("token", Text),
    Column("source", Text, nullable=False),
    UniqueConstraint("meter_id", "issue_minute"),
    CheckConstraint(
        "token_class in ('TOP_UP', 'CLEAR_CREDIT', 'CLEAR_TAMPER', 'SET_POWER_LIMIT')", name="ck_sts_tokens_token_class"
    ),
    CheckConstraint("source in ('VENDOR', 'OWN')", name="ck_sts_tokens_source"),
    CheckConstraint("token ~ '^[0-9]{20}$'", name="ck_sts_tokens_token"),
    CheckConstraint("issue_minute = date_trunc('minute', issue_minute, 'UTC')", name="ck_sts_tokens_issue_minute"),
    Index("ix_sts_tokens_interaction_id", "interaction_id", postgresql_where=text("interaction_id is not null")),
    schema="internal",
)
