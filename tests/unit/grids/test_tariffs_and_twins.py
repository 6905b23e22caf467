"""The price at a meter, what it makes of money and energy, and what is known of a grid's power."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.grids.model import CommunicationProtocol, Gateway, GridTwin, is_energised
from nxt_domain.grids.tariffs import MeterType, TariffFacts, credit_value, energy_sold, tariff_of_meter


def facts(**changes: Any) -> TariffFacts:
    values: dict[str, Any] = {
        "meter_type": MeterType.HPS,
        "own_tariff": None,
        "essential_tariff": Decimal(250),
        "full_tariff": Decimal(300),
        "is_dual_meter_grid": False,
    }
    return TariffFacts(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"own_tariff": Decimal("99.5")}, "99.5", id="its own"),
        pytest.param({"own_tariff": Decimal(0)}, "250", id="zero is none"),
        pytest.param({"meter_type": MeterType.FS}, "250", id="single-meter grid"),
        pytest.param({"is_dual_meter_grid": True}, "250", id="dual, HPS"),
        pytest.param({"is_dual_meter_grid": True, "meter_type": MeterType.FS}, "300", id="dual, FS"),
        pytest.param(
            {"is_dual_meter_grid": True, "meter_type": MeterType.FS, "full_tariff": Decimal(0)}, None, id="dual, none"
        ),
        pytest.param({"essential_tariff": None}, None, id="no customer"),
        pytest.param({"essential_tariff": Decimal(0)}, None, id="no price"),
    ],
)
def test_met_91_the_tariff_of_a_meter(changes: dict[str, Any], expected: str | None) -> None:
    """[PAY-107] The same rule."""
    assert tariff_of_meter(facts(**changes)) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("amount", "tariff", "kwh"),
    [("1000", "230", "4.4"), ("1000", "250", "4"), ("1000", "300", "3.4"), ("0.01", "300", "0.1")],
)
def test_met_92_energy_for_money(amount: str, tariff: str, kwh: str) -> None:
    assert energy_sold(Decimal(amount), Decimal(tariff)) == Decimal(kwh)


@given(st.decimals("0.01", 10**7, places=2), st.decimals("0.01", 10**4, places=4))
def test_pay_108_rounded_in_the_customers_favour_by_less_than_a_tenth(amount: Decimal, tariff: Decimal) -> None:
    exact = Fraction(amount) / Fraction(tariff)
    sold = Fraction(energy_sold(amount, tariff))
    assert exact <= sold < exact + Fraction(1, 10)
    assert (sold * 10).denominator == 1


def test_met_91_money_for_energy() -> None:
    """12.345 kWh at 250 → 3086.25."""
    assert credit_value(Decimal("12.345"), Decimal(250)) == Decimal("3086.25")


@pytest.mark.parametrize(
    ("is_managed", "is_on", "expected"), [(True, True, True), (True, False, False), (False, False, True)]
)
def test_met_67_power_is_known_missing_only_where_we_run_it(is_managed: bool, is_on: bool, expected: bool) -> None:
    """[REL-42]"""
    assert is_energised(is_generation_managed=is_managed, is_hps_on=is_on) is expected


def test_met_67_any_radio_gateway_online() -> None:
    def gateway(number: int, protocol: CommunicationProtocol, *, is_online: bool) -> Gateway:
        return Gateway(id=number, external_reference=str(number), communication_protocol=protocol, is_online=is_online)

    radio, v1 = CommunicationProtocol.CALIN_LORAWAN, CommunicationProtocol.CALIN_V1
    off, on, other = (
        gateway(1, radio, is_online=False),
        gateway(2, radio, is_online=True),
        gateway(3, v1, is_online=True),
    )
    assert GridTwin(grid_id=1, is_energised=True, gateways=[off, on]).is_any_lorawan_gateway_online
    assert not GridTwin(grid_id=1, is_energised=True, gateways=[off, other]).is_any_lorawan_gateway_online
    assert GridTwin(grid_id=1, is_energised=True, gateways=[off, on]).gateway(2) == on
    assert GridTwin(grid_id=1, is_energised=True, gateways=[off]).gateway(None) is None
