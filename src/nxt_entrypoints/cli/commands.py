"""All commands of ``nxt``, by name."""

from __future__ import annotations

import click

from nxt_entrypoints.cli.lazy import Lazy, LazyGroup

_PACKAGE = "nxt_entrypoints.cli"
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _lazy(module: str, attribute: str, text: str) -> Lazy:
    return Lazy(f"{_PACKAGE}.{module}:{attribute}", text)


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from nxt_entrypoints.settings.report import software_version  # noqa: PLC0415 - only when asked

        click.echo(f"nxt-backend {software_version()}")
        ctx.exit()


nxt = LazyGroup(
    name="nxt",
    help="""Run a solar mini-grid backend: wallets, payments, prepaid meters, telemetry.

    \b
    Try it on this machine, with embedded stores and simulated meters:
      nxt up
    Run one role against your own services:
      NXT_CONFIG_PATH=/etc/nxt.json nxt api
    """,
    context_settings=_CONTEXT,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version and exit.",
        )
    ],
    lazy={
        "up": _lazy("up", "up", "Run everything here: stores, simulators, demo operator, all roles"),
        "status": _lazy("status", "status", "Show what a running `nxt up` does, and where it answers"),
        "api": _lazy("roles", "api", "Run the API role"),
        "provisioning": _lazy("roles", "provisioning", "Run the provisioning role"),
        "jobs": _lazy("roles", "jobs", "Run the jobs role"),
        "telemetry": _lazy("roles", "telemetry", "Run the telemetry role"),
        "messaging": _lazy("messaging", "messaging", "Run device messaging alone, with its own database"),
        "run": _lazy("roles", "run", "Run the roles that the configuration names"),
        "job": _lazy("job", "job", "Look at what runs by the clock, and run it by hand"),
        "config": _lazy("config", "config", "Check and show the configuration"),
        "db": _lazy("db", "db", "Bring the databases to the newest schema, compare them with it"),
        "ledger": _lazy("ledger", "ledger", "Check the books, explain orders, print accounts"),
        "messages": _lazy("messages", "messages", "Look at commands on their way to meters, take them back, try again"),
        "merchant": _lazy("merchant", "merchant", "Show and set organizations' own accounts at the payment gateway"),
        "audit": _lazy("audit", "audit", "Check the evidence of who did what"),
        "doctor": _lazy("doctor", "doctor", "Look for trouble, and say what to do about it"),
        "codec": _lazy("codec", "codec", "Write and read the frames of meters, offline"),
        "secrets": _lazy("sealed", "sealed", "Look after stored secrets and their data keys"),
        "sts": _lazy("sts", "sts", "Write and read prepayment tokens, offline"),
        "org": _lazy("org", "org", "Found and list organizations"),
        "user": _lazy("user", "user", "Make and list members, lock them out, set passwords"),
        "apikey": _lazy("apikey", "apikey", "Hand out, list, lock and revoke API keys"),
        "openapi": _lazy("openapi", "openapi", "Write the OpenAPI documents of all roles"),
    },
)
