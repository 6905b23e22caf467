"""Project development: proposals, sites, flows, their steps and documents (relational-schema 4.8)."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import (
    EMPTY_ARRAY,
    EMPTY_OBJECT,
    INSTANT,
    JSON_DOCUMENT,
    GeoJson,
    big_key,
    created_at,
    metadata,
)


def _points_at(table: str, column: str, target: str, *, required: bool = False) -> Column[int]:
    key = ForeignKey(f"{target}.id", name=f"{table}_{column}_fkey", use_alter=target == "pd_documents")
    kind = Integer if target in ("accounts", "grids", "organizations") else BigInteger
    return Column(column, kind, key, nullable=not required)


pd_site_submissions = Table(
    "pd_site_submissions",
    metadata,
    big_key(),
    created_at(),
    Column("author_full_name", Text, nullable=False),
    Column("author_email", Text, nullable=False),
    Column("author_organization_name", Text, nullable=False),
    Column("site_name", String, nullable=False),
    Column("site_details", JSON_DOCUMENT, nullable=False),
    Column("outline_geom", GeoJson("Polygon")),
    Column("deleted_at", INSTANT),
    Column("location_geom", GeoJson("Point")),
    _points_at("pd_site_submissions", "organization_id", "organizations"),
    Column("author_organization_id", Integer),
    Column("buildings_geo_flat", JSON_DOCUMENT),
    Column("distribution_geo_flat", JSON_DOCUMENT),
    Column("meta_geo_flat", JSON_DOCUMENT),
    Column("poles_geo_flat", JSON_DOCUMENT),
    Index("ix_pd_site_submissions_organization_id", "organization_id"),
)

pd_flow_templates = Table(
    "pd_flow_templates",
    metadata,
    big_key(),
    created_at(),
    Column("name", Text, nullable=False),
    Column("parameters", JSON_DOCUMENT, nullable=False, server_default=EMPTY_OBJECT),
)

pd_flows = Table(
    "pd_flows",
    metadata,
    big_key(),
    created_at(),
    _points_at("pd_flows", "pd_flow_template_id", "pd_flow_templates", required=True),
    Column("google_folder_id", Text),
    Column("title", Text),
    Column("parameters", JSON_DOCUMENT, nullable=False, server_default=EMPTY_OBJECT),
    Index("ix_pd_flows_pd_flow_template_id", "pd_flow_template_id"),
)

pd_sites = Table(
    "pd_sites",
    metadata,
    big_key(),
    created_at(),
    _points_at("pd_sites", "organization_id", "organizations"),
    Column("name", Text, nullable=False),
    Column("deleted_at", INSTANT),
    Column("location_geom", GeoJson("Point")),
    Column("outline_geom", GeoJson("Polygon")),
    _points_at("pd_sites", "pd_flow_id", "pd_flows"),
    _points_at("pd_sites", "operations_grid_id", "grids"),
    Index("ix_pd_sites_organization_id", "organization_id"),
    Index("ix_pd_sites_pd_flow_id", "pd_flow_id"),
    Index("ix_pd_sites_operations_grid_id", "operations_grid_id"),
)

pd_document_templates = Table(
    "pd_document_templates",
    metadata,
    big_key(),
    created_at(),
    Column("google_drive_template_id", Text, nullable=False),
    Column("title", Text),
    Column("parameters", JSON_DOCUMENT, nullable=False, server_default=EMPTY_OBJECT),
    Column("pd_document_type", enums.pd_document_type),
    UniqueConstraint("google_drive_template_id", name="pd_document_templates_google_drive_template_id_key"),
)

pd_action_templates = Table(
    "pd_action_templates",
    metadata,
    big_key(),
    created_at(),
    Column("name", Text, nullable=False),
    _points_at("pd_action_templates", "pd_flow_template_id", "pd_flow_templates", required=True),
    Column("pd_action_type", enums.pd_action_type, nullable=False),
    Column("depends_on", JSON_DOCUMENT, server_default=EMPTY_ARRAY),
    Column("key", Text),
    _points_at("pd_action_templates", "pd_document_template_id", "pd_document_templates"),
    Column("parameters", JSON_DOCUMENT, nullable=False, server_default=EMPTY_OBJECT),
    UniqueConstraint("pd_flow_template_id", "key", name="unique_pd_action_templates_key"),
    Index("ix_pd_action_templates_pd_document_template_id", "pd_document_template_id"),
)

pd_actions = Table(
    "pd_actions",
    metadata,
    big_key(),
    created_at(),
    Column("name", Text, nullable=False),
    Column("pd_action_status", enums.pd_action_status, nullable=False, server_default="GENERATING"),
    Column("pd_action_type", enums.pd_action_type, nullable=False),
    Column("depends_on", JSON_DOCUMENT, server_default=EMPTY_ARRAY),
    _points_at("pd_actions", "pd_flow_id", "pd_flows"),
    # Its key pointed at the wrong table and is gone [REL-123].
    Column("pd_section_id", BigInteger),
    _points_at("pd_actions", "latest_pd_document_id", "pd_documents"),
    Column("key", Text),
    Column("parameters", JSON_DOCUMENT, nullable=False, server_default=EMPTY_OBJECT),
    _points_at("pd_actions", "pd_action_template_id", "pd_action_templates"),
    UniqueConstraint("pd_flow_id", "key", name="unique_pd_actions_key"),
    Index("ix_pd_actions_latest_pd_document_id", "latest_pd_document_id"),
    Index("ix_pd_actions_pd_action_template_id", "pd_action_template_id"),
)

pd_documents = Table(
    "pd_documents",
    metadata,
    big_key(),
    created_at(),
    _points_at("pd_documents", "pd_action_id", "pd_actions"),
    Column("google_drive_document_id", Text, nullable=False),
    Column("title", Text),
    Column("pd_document_type", enums.pd_document_type),
    Index("ix_pd_documents_pd_action_id", "pd_action_id"),
)

pd_audits = Table(
    "pd_audits",
    metadata,
    big_key(),
    created_at(),
    _points_at("pd_audits", "author_id", "accounts"),
    Column("message", Text),
    _points_at("pd_audits", "pd_action_id", "pd_actions"),
    Index("ix_pd_audits_author_id", "author_id"),
    Index("ix_pd_audits_pd_action_id", "pd_action_id"),
)
