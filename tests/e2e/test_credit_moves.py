"""Credit goes from one village meter to another, over the simulated radio network."""

from __future__ import annotations

import pytest
from tests.support.running import Product

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]


async def test_credit_moves_between_two_meters_of_a_village(product: Product) -> None:
    """[PAY-140] [PAY-141] Six commands by radio; both meters hold what they should, and the books are clean."""
    sender, receiver = product.meters(grid_id=1)[-2:]
    ids = [
        product.value("select id from meters where external_reference = %s", number) for number in (sender, receiver)
    ]
    before = await product.meter(receiver)
    answer = await product.post(
        "/meter-credit-transfers",
        {"sender_meter_id": ids[0], "receiver_meter_id": ids[1], "amount": 100, "currency": "NGN"},
        authorization=f"Bearer {product.told['credentials']['access_token']}",
    )
    assert (answer.status, answer.body["meter_credit_transfer_status"]) == (201, "PENDING"), answer
    status = "select meter_credit_transfer_status::text from meter_credit_transfers where id = %s"
    await product.until_value("SUCCESSFUL", status, answer.body["id"], within_s=150)

    run = product.rows("select * from internal.credit_transfer_runs where transfer_id = %s", answer.body["id"])[0]
    given, got = await product.meter(sender), await product.meter(receiver)
    assert given["is_on"]
    assert float(given["credited_kwh_total"]) == pytest.approx(float(run["give_back_kwh"]))
    received = float(got["credited_kwh_total"]) - float(before["credited_kwh_total"])
    assert received == pytest.approx(float(run["energy_kwh"]))
    assert product.rows("select 1 as n from meters where is_manual_mode_on and id = any(%s)", ids) == []
    assert product.audit().returncode == 0
