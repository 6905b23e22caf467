"""Meters as dashboards and pay pages read them: names and order of the fields are a contract with clients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import attrs


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class MeterView:
    """A meter's own columns, without its decoder key and the columns that nobody uses any more.

    Energy in kWh, power in kW, power limits in W, voltage in V; balances and tariffs in the grid's currency.
    """

    id: int
    created_at: datetime
    external_reference: str
    deleted_at: datetime | None
    balance: Decimal | None
    balance_updated_at: datetime | None
    kwh_credit_available: Decimal | None
    kwh_credit_available_updated_at: datetime | None
    last_non_zero_consumption_at: datetime | None
    is_on: bool | None
    should_be_on: bool | None
    is_on_updated_at: datetime | None
    should_be_on_updated_at: datetime | None
    is_manual_mode_on: bool
    is_manual_mode_on_updated_at: datetime | None
    voltage: float | None
    voltage_updated_at: datetime | None
    power: float | None
    power_updated_at: datetime | None
    latitude: float | None
    longitude: float | None
    coord_accuracy: float
    power_limit: int | None
    power_limit_updated_at: datetime | None
    power_limit_should_be: int | None
    power_down_count: int | None
    power_down_count_updated_at: datetime | None
    power_limit_should_be_updated_at: datetime | None
    is_starred: bool
    external_system: str
    meter_type: str
    nickname: str | None
    last_seen_at: datetime | None
    issue_check_last_run_at: datetime | None
    pole_id: int | None
    meter_phase: str
    last_metering_hardware_install_session_id: int | None
    kwh_tariff: Decimal | None
    version: str | None
    is_simulated: bool
    power_limit_hps_mode: int
    current_special_status: str | None
    communication_protocol: str
    is_cabin_meter: bool
    last_encountered_issue_id: int | None
    connection_id: int | None
    dcu_id: int | None
    last_sts_token_issued_at: datetime | None
    rls_grid_id: int | None
    rls_organization_id: int | None
    is_test_mode_on: bool
    pulse_counter_kwh: Decimal | None
    device_id: int | None
    pulse_counter_kwh_updated_at: datetime | None
    connection_metrics: Mapping[str, object] | None


@attrs.frozen(kw_only=True)
class FoundWallet:
    """What a purchase fills, in major units of its currency."""

    id: int
    balance: Decimal
    balance_updated_at: datetime | None


@attrs.frozen(kw_only=True)
class FoundGateway:
    """What reaches the meter."""

    id: int
    external_reference: str
    is_online: bool


@attrs.frozen(kw_only=True)
class FoundOrganization:
    """Who runs the grid."""

    id: int
    name: str


@attrs.frozen(kw_only=True)
class FoundGrid:
    """Where the meter hangs; tariffs per kWh sold, in the grid's currency."""

    id: int
    name: str | None
    timezone: str | None
    kwh_tariff_essential_service: Decimal | None
    kwh_tariff_full_service: Decimal | None
    uses_dual_meter_setup: bool | None
    organization: FoundOrganization


@attrs.frozen(kw_only=True)
class FoundAccount:
    """Whose meter it is, by name alone."""

    id: int
    full_name: str | None


@attrs.frozen(kw_only=True)
class FoundCustomer:
    """Whom the meter serves."""

    id: int
    account: FoundAccount
    grid: FoundGrid


@attrs.frozen(kw_only=True)
class FoundConnection:
    """What the meter serves."""

    id: int
    customer: FoundCustomer


@attrs.frozen(kw_only=True)
class FoundImport:
    """How far the vendor's registration is."""

    metering_hardware_import_status: str


@attrs.frozen(kw_only=True)
class FoundCommissioning:
    """How far the commissioning is."""

    meter_commissioning_status: str


@attrs.frozen(kw_only=True)
class FoundInstallSession:
    """How the meter came into use."""

    id: int
    last_metering_hardware_import: FoundImport | None
    last_meter_commissioning: FoundCommissioning


@attrs.frozen(kw_only=True)
class FoundMeter:
    """What anybody may know of a meter whose number they know: exactly these fields [API-102].

    Attributes:
        balance: Of its credit, in major units of the grid's currency.
        kwh_credit_available: Its credit, kWh.
        kwh_tariff: Its own price per kWh; None: the grid's counts.
        wallet: None: a meter that can't be topped up.
        dcu: None: no gateway.
    """

    id: int
    created_at: datetime
    external_reference: str
    nickname: str | None
    meter_type: str
    meter_phase: str
    external_system: str
    communication_protocol: str
    balance: Decimal | None
    balance_updated_at: datetime | None
    kwh_credit_available: Decimal | None
    kwh_credit_available_updated_at: datetime | None
    kwh_tariff: Decimal | None
    is_on: bool | None
    last_seen_at: datetime | None
    wallet: FoundWallet | None
    dcu: FoundGateway | None
    connection: FoundConnection
    last_metering_hardware_install_session: FoundInstallSession
