"""The columns of a grid that ``PUT /grids`` takes, each with its rules [API-92].

A column that may be empty is cleared by null; for the others null equals absence [API-10].
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import attrs
from msgspec import UNSET, UnsetType

from nxt_domain.grids.model import Weather
from nxt_domain.shared.changes import RowChange
from nxt_entrypoints.http.fields import Id
from nxt_entrypoints.http.rules import ID_MAX, NOT_EMPTY, max_length, maximum, minimum

_Flag = bool | UnsetType
_Time = datetime | None | UnsetType
_Text = Annotated[str, max_length(2000)] | None | UnsetType
_Whole = Annotated[int, minimum(1), maximum(ID_MAX)] | UnsetType
_Money = Annotated[Decimal, minimum(0), maximum(10**15)] | UnsetType
_Price = Annotated[Decimal, minimum(0), maximum(10**7)] | UnsetType
_Capacity = Annotated[Decimal, minimum(0), maximum(10**9)] | UnsetType
_Energy = Annotated[Decimal, minimum(0), maximum(10**6)]


@attrs.frozen(kw_only=True)
class GridFields:
    """A grid's id and new values for some of its columns; absent ones stay."""

    id: Id
    deployed_at: _Time = UNSET
    commissioned_at: _Time = UNSET
    name: Annotated[str, NOT_EMPTY, max_length(255)] | UnsetType = UNSET
    is_hps_on: _Flag = UNSET
    is_hps_on_updated_at: _Time = UNSET
    walkthrough_external_id: _Text = UNSET
    kwp: _Capacity = UNSET
    kwh: _Capacity = UNSET
    kwp_tariff: _Price = UNSET
    kwh_tariff: _Price = UNSET
    kwh_tariff_essential_service: _Price = UNSET
    kwh_tariff_full_service: _Price = UNSET
    current_weather: Weather | UnsetType | None = UNSET
    generation_external_site_id: _Text = UNSET
    generation_external_gateway_id: _Text = UNSET
    generation_gateway_last_seen_at: _Time = UNSET
    is_fs_on: _Flag = UNSET
    is_fs_on_updated_at: _Time = UNSET
    should_fs_be_on: _Flag = UNSET
    should_fs_be_on_updated_at: _Time = UNSET
    default_hps_connection_fee: _Money = UNSET
    default_fs_1_phase_connection_fee: _Money = UNSET
    default_fs_3_phase_connection_fee: _Money = UNSET
    monthly_rental: _Money = UNSET
    are_all_dcus_online: _Flag = UNSET
    are_all_dcus_under_high_load_threshold: _Flag = UNSET
    is_hidden_from_reporting: _Flag = UNSET
    is_three_phase_supported: _Flag = UNSET
    is_using_vsat: _Flag = UNSET
    is_using_mobile_network: _Flag = UNSET
    is_hps_on_threshold_kw: _Energy | UnsetType = UNSET
    kwh_per_battery_module: _Energy | UnsetType | None = UNSET
    identifier: Annotated[int, minimum(-ID_MAX), maximum(ID_MAX)] | UnsetType | None = UNSET
    lifeline_connection_kwh_threshold: _Whole = UNSET
    lifeline_connection_days_threshold: _Whole = UNSET
    meter_consumption_issue_threshold_detection_days: _Whole = UNSET
    meter_communication_issue_threshold_detection_days: _Whole = UNSET
    is_panel_cleaning_notification_enabled: _Flag = UNSET
    is_energised_notification_enabled: _Flag = UNSET
    is_fs_on_notification_enabled: _Flag = UNSET
    is_metering_hardware_online_notification_enabled: _Flag = UNSET
    is_tariff_change_notification_enabled: _Flag = UNSET
    is_upcoming_fs_control_rule_notification_enabled: _Flag = UNSET
    is_fs_control_rule_change_notification_enabled: _Flag = UNSET
    is_automatic_meter_install_enabled: _Flag = UNSET
    is_automatic_payout_generation_enabled: _Flag = UNSET
    is_automatic_energy_generation_data_sync_enabled: _Flag = UNSET
    is_automatic_meter_energy_consumption_data_sync_enabled: _Flag = UNSET
    is_dcu_connectivity_tracking_enabled: _Flag = UNSET
    is_router_connectivity_tracking_enabled: _Flag = UNSET
    is_cabin_meter_credit_depleting: _Flag = UNSET
    telegram_response_path_token: _Text = UNSET
    telegram_response_path_autopilot: _Text = UNSET
    internal_telegram_group_chat_id: _Text = UNSET
    internal_telegram_group_thread_id: _Text = UNSET
    meter_commissioning_initial_credit_kwh: _Energy | UnsetType = UNSET
    organization_id: Id | UnsetType = UNSET

    def as_change(self) -> RowChange:
        """Keep what was sent."""
        values = attrs.asdict(self, recurse=False, filter=lambda _, value: value is not UNSET)
        return RowChange(id=values.pop("id"), values=values)
