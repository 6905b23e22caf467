"""Grids as dashboards read them: names and order of the fields are a contract with clients [API-91]."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from nxt_domain.shared.errors import NotFound


@attrs.frozen(kw_only=True)
class OrganizationView:
    """A tenant, without its secrets."""

    id: int
    created_at: datetime
    name: str
    formal_name: str | None
    email: str | None
    phone: str | None
    address: str | None
    epicollect_contract_survey_slug: str | None
    epicollect_contract_last_sync_at: datetime | None
    developer_group_telegram_chat_id: str | None


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class GridView:
    """A grid's own columns. Fees, rentals and tariffs are major units of the grid's currency; tariffs per kWh sold."""

    id: int
    created_at: datetime
    deleted_at: datetime | None
    deployed_at: datetime | None
    commissioned_at: datetime | None
    name: str | None
    is_hps_on: bool | None
    is_hps_on_updated_at: datetime | None
    walkthrough_external_id: str | None
    timezone: str | None
    kwp: Decimal | None
    kwh: Decimal | None
    kwp_tariff: Decimal | None
    kwh_tariff: Decimal | None
    kwh_tariff_essential_service: Decimal | None
    kwh_tariff_full_service: Decimal | None
    current_weather: str | None
    generation_external_system: str | None
    metering_external_system: str | None
    generation_external_site_id: str | None
    generation_external_gateway_id: str | None
    generation_gateway_last_seen_at: datetime | None
    is_fs_on: bool | None
    is_fs_on_updated_at: datetime | None
    should_fs_be_on: bool | None
    should_fs_be_on_updated_at: datetime | None
    default_hps_connection_fee: Decimal | None
    default_fs_1_phase_connection_fee: Decimal | None
    default_fs_3_phase_connection_fee: Decimal | None
    monthly_rental: Decimal | None
    are_all_dcus_online: bool | None
    are_all_dcus_under_high_load_threshold: bool | None
    is_hidden_from_reporting: bool | None
    is_three_phase_supported: bool | None
    is_using_vsat: bool | None
    is_using_mobile_network: bool | None
    is_hps_on_threshold_kw: float | None
    kwh_per_battery_module: Decimal | None
    identifier: int | None
    lifeline_connection_kwh_threshold: int | None
    lifeline_connection_days_threshold: int | None
    meter_consumption_issue_threshold_detection_days: int | None
    meter_communication_issue_threshold_detection_days: int | None
    uses_dual_meter_setup: bool | None
    is_panel_cleaning_notification_enabled: bool | None
    is_energised_notification_enabled: bool | None
    is_fs_on_notification_enabled: bool | None
    is_metering_hardware_online_notification_enabled: bool | None
    is_tariff_change_notification_enabled: bool | None
    is_upcoming_fs_control_rule_notification_enabled: bool | None
    is_fs_control_rule_change_notification_enabled: bool | None
    is_automatic_meter_install_enabled: bool | None
    is_automatic_payout_generation_enabled: bool | None
    is_automatic_energy_generation_data_sync_enabled: bool | None
    is_automatic_meter_energy_consumption_data_sync_enabled: bool | None
    is_dcu_connectivity_tracking_enabled: bool | None
    is_router_connectivity_tracking_enabled: bool | None
    is_cabin_meter_credit_depleting: bool | None
    telegram_response_path_token: str | None
    telegram_notification_channel_invite_link: str | None
    telegram_response_path_autopilot: str | None
    internal_telegram_group_chat_id: str | None
    internal_telegram_group_thread_id: str | None
    meter_commissioning_initial_credit_kwh: Decimal | None
    organization_id: int


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class GridWithOrganization(GridView):
    """A grid and the tenant that owns it."""

    organization: OrganizationView


def grid_unknown(grid_id: int) -> NotFound:
    """Make the refusal of a grid that does not exist for a caller: unknown, deleted or foreign [R39]."""
    return NotFound(f"Could not find grid with id {grid_id}", code="GRID_UNKNOWN")
