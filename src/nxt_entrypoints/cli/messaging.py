"""``nxt messaging``: device messaging as a process of its own."""

from __future__ import annotations

import asyncio
import os

import click

from nxt_entrypoints.cli.output import examples
from nxt_entrypoints.cli.roles import loop_factory
from nxt_entrypoints.messaging.settings import load_messaging_settings


@click.command(
    epilog=examples(
        "DEVICE_MESSAGING_DATABASE_URL=postgresql://… nxt messaging",
        "DEVICE_MESSAGING_CONFIG_PATH=/etc/messaging.json nxt messaging",
    )
)
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]),
    default="INFO",
    show_default=True,
    help="Least level that is logged.",
)
def messaging(log_level: str) -> int:
    """Run stand-alone device messaging until SIGTERM. Listens on PORT (3100).

    It has its own database (DEVICE_MESSAGING_DATABASE_URL, brought up to date by `nxt db upgrade --plane
    messaging`) and its own configuration document: DEVICE_MESSAGING_CONFIG_JSON, _URL or _PATH. Without it, device
    messaging is part of the jobs role.
    """
    settings = load_messaging_settings(os.environ)
    from prometheus_client import REGISTRY  # noqa: PLC0415 - a configuration error needs no library

    from nxt_entrypoints.logging import set_up_logging  # noqa: PLC0415 - as above
    from nxt_entrypoints.messaging.process import serve  # noqa: PLC0415 - as above

    set_up_logging(
        "messaging",
        style="json" if settings.document.logging.stdout == "json" else "console",
        level=log_level,
        secrets=settings.secret_texts,
    )
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(settings, REGISTRY))
    return 0
