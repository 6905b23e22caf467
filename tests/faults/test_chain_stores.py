"""Valkey, PostgreSQL and the telemetry role go away under a running product, and come back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from tests.support.running import Product, listening, until

from nxt_entrypoints.simulators.fleet import Fleet

pytestmark = pytest.mark.e2e

_HOURS = "select * from meter_snapshot_1_h order by meter_id, created_at"


async def test_valkey_dies(product: Product) -> None:
    """Whatever Valkey holds may be lost: without it people pay and are served; with it dashboards hear again.

    Readiness tells that it is missing [API-40].
    """
    number = product.meters()[33]
    pid = product.pid_of("valkey")
    os.kill(pid, signal.SIGSTOP)  # nobody starts another one in its place yet
    try:
        purchase = await product.buy(number, 300)
        view = await product.until_command(purchase, "SUCCESSFUL")
        assert (await product.meter(number))["credited_kwh_total"] >= Decimal(view["kwh"])
        unready = await product.get(f"{product.url('api')}/readyz")
        assert (unready.status, unready.body["failing"]) == (503, ["valkey"])
    finally:
        os.kill(pid, signal.SIGKILL)

    async def replaced() -> bool:
        with contextlib.suppress(ProcessLookupError):
            return product.pid_of("valkey") != pid
        return False

    await until(replaced, 60, "another Valkey")
    await _until_ready(product)
    await _until_heard(product, product.meters()[34])
    product.run_job("refresh-hot-balances")
    done = "select count(*) from internal.job_leases where name = %s and last_succeeded_at > now() - interval '20 s'"
    await product.until_value(1, done, "refresh-hot-balances")


async def test_postgresql_is_killed(product: Product) -> None:
    """kill -9 of the whole database under load: it recovers, everybody reconnects, nothing is lost or doubled.

    [PAY-125] [PAY-130] [DM-189] (R38)
    """
    numbers = product.meters()[35:43]
    before = {number: await product.meter(number) for number in numbers}
    purchases = await asyncio.gather(*(product.order(number, 300) for number in numbers))
    pid = product.pid_of("postgres")
    for index, purchase in enumerate(purchases):
        await product.pay(purchase)
        if index == 3:
            os.kill(pid, signal.SIGKILL)
    refused = await product.initialise(numbers[0], 300)
    assert refused.status in {201, 503}  # it may be back already
    if refused.status == 503:
        assert refused.body["statusCode"] == 503
    await _until_ready(product)
    await product.until_delivered(purchases)
    for purchase in purchases:
        view = await product.check(purchase)
        meter = await product.meter(purchase.meter)
        credited = meter["credited_kwh_total"] - before[purchase.meter]["credited_kwh_total"]
        assert credited == Decimal(view["kwh"]), purchase
    assert product.value("select sum(amount) from internal.ledger_postings") == 0
    assert product.audit().returncode == 0


async def test_reports_wait_for_the_telemetry_role(product: Product) -> None:
    """Hourly reports of the time when the role was away arrive later; the meters are asked nothing [MET-85] (R36)."""
    await _until_no_report_waits(product)
    telemetry = product.pid_of("telemetry")
    heard = "select count(*) from meter_reading"
    newest = "select max(received_at) from meter_reading"
    known, last = product.value(heard, plane="series"), product.value(newest, plane="series")
    # A report of the same minute would be the same report [MET 5.9].
    a_minute_later = "select date_trunc('minute', now()) > %s at time zone 'UTC'"
    await product.until_value(True, a_minute_later, last)
    os.kill(telemetry, signal.SIGSTOP)
    try:
        await _report_again(product)

        async def waiting() -> bool:
            return product.value(_WAITING) > 0

        await until(waiting, 60, "reports that wait")
        await asyncio.sleep(1.5)
        assert product.value(_WAITING) > 0
        assert product.value(heard, plane="series") == known
    finally:
        os.kill(telemetry, signal.SIGCONT)
    await _until_no_report_waits(product)
    assert product.value(newest, plane="series") > last


async def test_reports_that_come_twice_count_once(product: Product) -> None:
    """Hourly rows don't change when every report of the past is sent again, alone or together [TEL-86] [TEL-89].

    The first live report had completed the last full hour (R36).
    """
    await _until_no_report_waits(product)
    complete = """
        select count(*) from meter_snapshot_1_h
        where created_at = date_trunc('hour', %s at time zone 'UTC') - interval '1 hour'
            and consumption_kwh is not null and consumption_quality in ('MEASURED', 'INTERPOLATED')
    """
    began = product.value("select min(created_at) from internal.outbox_tasks where kind = 'HOURLY_REPORT'")
    assert product.value(complete, began, plane="series") == len(product.meters())
    before = product.rows(_HOURS, plane="series")
    sent = product.rows("select payload from internal.outbox_tasks where kind = 'HOURLY_REPORT' order by id")
    payloads = [row["payload"] for row in sent]
    await _send(product, payloads)
    await _send(product, payloads[::-1])
    for payload in payloads[:5]:
        await _send(product, [payload, payload])
    assert product.rows(_HOURS, plane="series") == before


async def test_keys_that_are_lost(product: Product) -> None:
    """A decoder key written by a client is sealed within seconds; without the data keys the doctor says it is lost.

    (R15, R59) [REL-141]
    """
    number, key = product.meters()[0], "0123456789ABCDEF"
    try:
        await _write_key(product, number, key)
        sealed = """
            select s.ciphertext from internal.secrets s join internal.meter_secrets k on k.decoder_key_id = s.id
            join meters m on m.id = k.meter_id where m.external_reference = %s
        """
        assert key.encode() not in bytes(product.value(sealed, number))
    finally:
        await _write_key(product, number, _key_inside(product, number))
    assert product.doctor().returncode == 0
    credentials = product.data / "credentials.json"
    kept = credentials.read_text()
    try:
        other = f"other:{base64.b64encode(os.urandom(32)).decode()}"
        credentials.write_text(json.dumps({**json.loads(kept), "data_key": other}))
        without = product.doctor()
        assert without.returncode == 1
        assert "decoder and merchant keys are lost" in without.stdout
        assert "set NXT_SECRETS_KEYS with the keys demo" in without.stdout
    finally:
        credentials.write_text(kept)
    assert product.doctor().returncode == 0


async def _write_key(product: Product, number: str, key: str) -> None:
    """Write a decoder key as clients do, and wait until it is sealed."""
    product.rows("update meters set decoder_key = %s where external_reference = %s returning id", key, number)
    assert product.rows("select 1 from meters where decoder_key is not null") == []
    await product.until_value(0, "select count(*) from internal.secret_inbox", within_s=8)


def _key_inside(product: Product, number: str) -> str:
    """Return what a simulated meter's maker put into it; tokens of another key bring it no energy."""
    villages = Fleet.load(product.data / "fleet.json").villages
    return next(meter.decoder_key for village in villages for meter in village.meters if meter.number == number)


_WAITING = (
    "select count(*) from internal.outbox_tasks where kind = 'HOURLY_REPORT' and done_at is null and dropped_at is null"
)


async def _until_no_report_waits(product: Product) -> None:
    await product.until_value(0, _WAITING)


async def _report_again(product: Product) -> None:
    """Meters report when they start; so do they again when their simulator does."""
    pid = product.pid_of("simulators")
    os.kill(pid, signal.SIGKILL)
    await product.until_replaced("simulators", pid)


async def _send(product: Product, payloads: Sequence[Mapping[str, Any]]) -> None:
    url = f"{product.url('telemetry')}/meter-snapshot-1-h/hourly-reports"
    key = product.told["credentials"]["internal_api_key"]
    answer = await product.call("POST", url, payloads, X_API_KEY=key)
    assert (answer.status, answer.body) == (201, {"accepted": len(payloads), "ignored": []})


async def _until_ready(product: Product) -> None:
    async def ready() -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            product.value("select 1")
            answers = [await product.get(f"{product.url(r)}/readyz") for r in ("api", "jobs", "telemetry")]
            return {answer.status for answer in answers} == {200}
        return False

    await until(ready, 60, "all roles to be ready")


async def _until_heard(product: Product, number: str) -> None:
    async with listening(product, product.grid_of(number)) as heard:
        purchase = await product.buy(number, 300)
        await product.until_command(purchase, "SUCCESSFUL")

        async def told() -> bool:
            return any(event["data"]["meter_external_reference"] == number for event in heard)

        await until(told, 60, "dashboards to hear again")
