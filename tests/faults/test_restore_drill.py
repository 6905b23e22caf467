"""The drill of docs/recovering.md: both planes are dumped, the server is lost, an empty one takes its place."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.running import Home, Product, Purchase, alone, until

from nxt_entrypoints.embedded.data_dir import DataDir
from nxt_entrypoints.embedded.postgres import EmbeddedPostgres, binaries

pytestmark = pytest.mark.e2e

OPTIONS = ("--no-traffic", "--min-interval-ms", "20", "--speed", "20")
COUNTS = {
    "relational": ("public.orders", "public.meter_interactions", "internal.ledger_entries", "internal.ledger_postings"),
    "telemetry": ("meter_snapshot_1_h", "meter_reading"),
}


@pytest.fixture
def home() -> Iterator[Home]:
    with alone() as home:
        yield home


def run(program: str, *arguments: object) -> None:
    """Run a client program of the server's own version."""
    command = [str(binaries() / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def dump(product: Product, folder: Path) -> None:
    run("pg_dump", "--format=custom", f"--file={folder / 'relational.dump'}", product.told["relational_url"])
    run("pg_dump", "--format=custom", f"--file={folder / 'series.dump'}", product.told["series_url"])
    roles = ("--roles-only", "--no-role-passwords", f"--file={folder / 'roles.sql'}")
    run("pg_dumpall", *roles, "--dbname", product.told["relational_url"])


async def restore(data: Path, folder: Path) -> None:
    """Fill an empty server, in the same data directory: its keys and its simulated meters were not lost."""
    with DataDir(data) as opened:
        server = EmbeddedPostgres(opened)
        await server.start()
        try:
            # Roles that the new server has already are reported and left alone, as psql does by default.
            run("psql", "--quiet", f"--file={folder / 'roles.sql'}", server.relational_url)
            for name, url in (("relational", server.relational_url), ("series", server.series_url)):
                run("pg_restore", "--exit-on-error", "--dbname", url, folder / f"{name}.dump")
        finally:
            await server.stop()


def counts(product: Product) -> dict[str, int]:
    urls = {"relational": "relational", "telemetry": "series"}
    return {
        table: product.value(f"select count(*) from {table}", plane=urls[plane])
        for plane, tables in COUNTS.items()
        for table in tables
    }


async def test_a_lost_server_is_restored_and_what_waited_is_delivered_once(home: Home, tmp_path: Path) -> None:
    """[R59] Both planes come back with the same keys, the books are clean, and what waited is delivered once."""
    product = Product.start(home, "--data", str(home.path / "data"), *OPTIONS)
    try:
        delivered = await product.buy(product.meters()[0], 500)
        await product.until_command(delivered, "SUCCESSFUL")
        await product.control("chirpstack", down=True)
        waiting = [await product.buy(number, 1000) for number in product.meters()[1:4]]
        for purchase in waiting:
            await until(lambda p=purchase: _is_booked(product, p), 20, f"order {purchase.order_id} to be booked")
        before = {number: await product.meter(number) for number in product.meters()[:4]}
        dump(product, tmp_path)
        held = counts(product)
    finally:
        product.stop()
    shutil.rmtree(product.data / "postgres")
    await restore(product.data, tmp_path)

    again = Product.start(home, "--data", str(product.data), *OPTIONS)
    try:
        assert {name: count for name, count in counts(again).items() if count < held[name]} == {}
        # The minute passes for which the lost processes had claimed, and the wait for the next attempt.
        again.let_leases_lapse()
        again.let_patience_end()
        for purchase in waiting:
            await again.until_command(purchase, "SUCCESSFUL", within_s=180)
        for number in product.meters()[1:4]:
            after = await again.meter(number)
            assert after["tokens_accepted"] == before[number]["tokens_accepted"] + 1
        assert (await again.meter(delivered.meter))["tokens_accepted"] == before[delivered.meter]["tokens_accepted"]
        assert again.value("select count(*) from public.orders") == held["public.orders"]
        audit, doctor = again.audit(), home.run("doctor", "--data", str(again.data))
        assert (audit.returncode, audit.stdout) == (0, "the books are clean\n")
        assert doctor.returncode == 0, doctor.stdout
        checked = home.run("db", "check", "--data", str(again.data))
        assert checked.returncode == 0, checked.stdout
    finally:
        again.stop()


async def _is_booked(product: Product, purchase: Purchase) -> bool:
    view = await product.check(purchase)
    return view["order_status"] == "COMPLETED" and "directive_status" in view
