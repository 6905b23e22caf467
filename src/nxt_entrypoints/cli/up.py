"""``nxt up``: the whole system on one machine."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nxt_entrypoints.cli.options import Interval, UpOptions
from nxt_entrypoints.cli.output import examples, json_option

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@click.command(
    epilog=examples(
        "nxt up",
        "nxt up --data ./demo --port 8080",
        "nxt up --json --no-traffic | tee up.json",
    )
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory to keep everything in; go on there next time. Default: a temporary one, removed at the end.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API role. Default: a free one.")
@click.option(
    "--supabase-port",
    type=click.IntRange(1, 65535),
    envvar="NXT_SUPABASE_PORT",
    show_envvar=True,
    help="Port of the sign-in service, where dashboards expect Supabase. Default: a free one.",
)
@click.option(
    "--traffic",
    type=click.FloatRange(0, 600),
    default=6.0,
    show_default=True,
    metavar="PER_MINUTE",
    help="Purchases a minute and village; 0 for none. Above 6 a village's radio queue grows.",
)
@click.option(
    "--report-every",
    type=Interval(),
    default="5m",
    show_default=True,
    help="Time between reports of each simulated meter (a number alone is minutes).",
)
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]),
    default="INFO",
    show_default=True,
    help="Least level of the roles' logs.",
)
@click.option("--no-traffic", is_flag=True, help="No purchases; the same as --traffic 0.")
@click.option(
    "--min-interval-ms",
    type=click.IntRange(0, 600_000),
    help="Time between downlinks of a village, for tests under load. Default: the plug-in's 2000.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1000),
    default=1.0,
    show_default=True,
    help="How much faster than life simulated radio and couriers are.",
)
@json_option
def up(
    data: Path | None,
    port: int | None,
    supabase_port: int | None,
    traffic: float,
    report_every: float,
    log_level: str,
    no_traffic: bool,
    min_interval_ms: int | None,
    speed: float,
    as_json: bool,
) -> int:
    """Run everything on this machine, without containers.

    Starts PostgreSQL, Valkey and an MQTT broker from wheels, brings the schema up to date, seeds a demo
    operator, starts simulated vendors and meters, and runs the four roles until Ctrl-C. With --json it
    prints addresses and credentials once everything is ready.
    """
    options = UpOptions(
        data=data,
        port=port,
        supabase_port=supabase_port,
        as_json=as_json,
        traffic_per_minute=0.0 if no_traffic else traffic,
        report_every_s=report_every,
        log_level=log_level,
        min_interval_ms=min_interval_ms,
        speed=speed,
    )
    run: Callable[[UpOptions], Awaitable[int]] = importlib.import_module("nxt_entrypoints.demo.up").run

    async def main() -> int:
        return await run(options)

    return asyncio.run(main())
