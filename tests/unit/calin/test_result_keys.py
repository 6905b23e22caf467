"""The table of DM-184."""

from __future__ import annotations

import pytest

from nxt_domain.messaging.result_keys import result_key, result_value

TABLE = {
    "kwhCreditAvailable": "kwh_credit_available",
    "creditLevel": "credit_level",
    "isOn": "is_on",
    "voltage": "voltage",
    "power": "power",
    "current": "current",
    "phase": "phase",
    "version": "version",
    "powerLimit": "power_limit",
    "year": "year",
    "second": "second",
    "tokenAccepted": "token_accepted",
    "dateAccepted": "date_accepted",
    "turnOnAccepted": "turn_on_accepted",
    "turnOffAccepted": "turn_off_accepted",
    "onOffToggleAccepted": "on_off_toggle_accepted",
    "networkJoined": "network_joined",
    "freezeTime": "freeze_time",
    "consumptionSource1": "consumption_source_1",
    "purchaseRemainSource1": "purchase_remain_source_1",
    "consumptionSource2": "consumption_source_2",
    "purchaseRemainSource2": "purchase_remain_source_2",
    "intervalDemand": "interval_demand",
    "meterStatus": "meter_status",
    "relayOpen": "relay_open",
    "source2Activated": "source_2_activated",
    "currentUnbalance": "current_unbalance",
}


@pytest.mark.parametrize(("module", "stored"), TABLE.items())
def test_each_key_of_the_table(module: str, stored: str) -> None:
    """[DM-184]"""
    assert result_key(module) == stored
    assert result_key(stored) == stored


def test_nested_objects_are_renamed_and_values_are_not() -> None:
    """[DM-184]"""
    data = {"meterStatus": {"relayOpen": True}, "version": "fwV2", "phase": {"A": 1, "B": None}, "isOn": [{"aB": 1}]}
    assert result_value(data) == {
        "meter_status": {"relay_open": True},
        "version": "fwV2",
        "phase": {"A": 1, "B": None},
        "is_on": [{"a_b": 1}],
    }
