"""kill -9 of ``nxt up`` itself: nothing outlives it, and the next start goes on from there."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from tests.support.running import SHARED, Home, Product, alone, until

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]


@pytest.fixture
def home() -> Iterator[Home]:
    with alone() as made:
        yield made


async def test_everything_dies_at_once(home: Home) -> None:
    """A settled purchase that was not delivered is delivered once by the next life [PAY-125] [PAY-126] (R37, R38)."""
    data = ("--data", str(home.path / "data"))
    first = Product.start(home, *data, *SHARED.OPTIONS)
    number = first.meters()[0]
    before = await first.meter(number)
    await first.control("chirpstack", down=True)
    purchase = await first.buy(number, 500)
    await first.until_value("COMPLETED", "select order_status::text from orders where id = %s", purchase.order_id)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()

    async def gone() -> bool:
        return home.processes() == []

    await until(gone, 30, "all processes to end with it")
    assert first.listens() == []
    second = Product.start(home, *data, *SHARED.OPTIONS)
    try:
        second.let_leases_lapse()
        view = await second.until_command(purchase, "SUCCESSFUL", within_s=60)
        meter = await second.meter(number)
        assert meter["credited_kwh_total"] - before["credited_kwh_total"] == view["kwh"]
        assert meter["tokens_accepted"] - before["tokens_accepted"] == 1
        assert second.audit().returncode == 0
    finally:
        assert second.stop() == 0
    assert [home.leftovers(), home.processes(), second.listens()] == [[], [], []]


async def test_a_temporary_folder_is_cleared_by_the_next(home: Home) -> None:
    """Without ``--data`` a killed demo leaves its folder; the next start of the same user takes it away (R37)."""
    first = Product.start(home, "--no-traffic")
    folder = first.data
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert folder.is_dir()

    async def gone() -> bool:
        return home.processes() == []

    await until(gone, 30, "all processes to end with it")
    second = Product.start(home, "--no-traffic")
    assert not folder.exists()
    assert second.stop() == 0
    assert home.leftovers() == []
