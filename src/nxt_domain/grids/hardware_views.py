"""What stands on grids, as dashboards read it: names and order of the fields are a contract with clients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import attrs

from nxt_domain.grids.views import GridWithOrganization

GeoPoint = Mapping[str, object]
"""A GeoJSON point: longitude, latitude in degrees."""


@attrs.frozen(kw_only=True)
class DcuView:
    """A gateway: a data concentrator or a LoRaWAN gateway; without grid it is in stock."""

    id: int
    created_at: datetime
    external_reference: str
    queue_buffer_length: int
    external_system: str
    is_online: bool
    last_online_at: datetime | None
    is_online_updated_at: datetime | None
    communication_protocol: str
    grid_id: int | None
    last_metering_hardware_install_session_id: int | None
    rls_organization_id: int | None
    location_geom: GeoPoint | None
    deleted_at: datetime | None


@attrs.frozen(kw_only=True)
class DcuWithGrid(DcuView):
    """A gateway and the grid that it stands on."""

    grid: GridWithOrganization | None


@attrs.frozen(kw_only=True)
class MpptView:
    """A solar charger or PV inverter.

    Attributes:
        kw: Connected PV power, kWp.
        azimuth: Of its panels, degrees.
        tilt: Of its panels, degrees.
    """

    id: int
    created_at: datetime
    external_reference: str
    external_id: str
    external_system: str
    kw: Decimal | None
    azimuth: float | None
    tilt: float | None
    installed_at: datetime
    deleted_at: datetime | None
    mppt_type: str
    grid_id: int
    rls_organization_id: int | None


@attrs.frozen(kw_only=True)
class PoleView:
    """A pole of a grid.

    Attributes:
        location_accuracy: Of the position, metres.
    """

    id: int
    created_at: datetime
    external_reference: str
    nickname: str | None
    is_virtual: bool
    location_accuracy: float | None
    grid_id: int
    location_geom: GeoPoint
    rls_organization_id: int | None
    deleted_at: datetime | None


@attrs.frozen(kw_only=True)
class InstallSessionView:
    """An installation or removal of a gateway; ``meter`` is there for clients that read meters' sessions, too."""

    id: int
    created_at: datetime
    dcu_id: int | None
    meter_id: int | None
    author_id: int | None
    last_meter_commissioning_id: int | None
    last_metering_hardware_import_id: int | None
    meter: None
    dcu: DcuView | None


@attrs.frozen(kw_only=True)
class RouterView:
    """A grid's router, as the vendor of its network sees it."""

    id: int
    created_at: datetime
    external_reference: str
    external_system: str
    is_online: bool
    is_online_updated_at: datetime | None
    deleted_at: datetime | None
    grid_id: int | None
    rls_organization_id: int | None
