"""Rows of grids and gateways for the fakes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs

from nxt_domain.grids.hardware_views import DcuView
from nxt_domain.grids.views import GridView, GridWithOrganization, OrganizationView

AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


def a_grid(grid_id: int, organization_id: int, **columns: Any) -> GridWithOrganization:
    """Make a grid of a tenant; all else is empty."""
    values: dict[str, Any] = dict.fromkeys(field.name for field in attrs.fields(GridView))
    owner: dict[str, Any] = dict.fromkeys(field.name for field in attrs.fields(OrganizationView))
    organization = OrganizationView(**{**owner, "id": organization_id, "name": f"Tenant {organization_id}"})
    own = {"id": grid_id, "name": f"Grid {grid_id}", "organization_id": organization_id, **columns}
    return GridWithOrganization(**{**values, **own}, organization=organization)


def a_dcu(dcu_id: int, external_reference: str, grid_id: int | None, owner: int | None, **columns: Any) -> DcuView:
    """Make a gateway on a tenant's grid, or in stock."""
    values: dict[str, Any] = {
        **dict.fromkeys(field.name for field in attrs.fields(DcuView)),
        "created_at": AT,
        "queue_buffer_length": 50,
        "external_system": "CALIN",
        "communication_protocol": "CALIN_LORAWAN",
        "is_online": False,
    }
    place = {"external_reference": external_reference, "grid_id": grid_id, "rls_organization_id": owner}
    return DcuView(**{**values, "id": dcu_id, **place, **columns})
