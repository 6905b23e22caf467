"""``nxt api``, ``provisioning``, ``jobs``, ``telemetry`` and ``run``: roles in this process."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from nxt_entrypoints.cli.options import RoleList
from nxt_entrypoints.cli.output import examples
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.report import effective_report
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.secret_texts import secret_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nxt_entrypoints.settings.settings import Settings

_ABOUT = {
    Role.API: "REST, Socket.IO and webhooks. Listens on NXT_PORT.",
    Role.PROVISIONING: "Registers meters and gateways at their vendors. Listens on PORT (3000).",
    Role.JOBS: "Settlement, outbox, device messages, schedules, notifications. Listens on NXT_PORT.",
    Role.TELEMETRY: "Collectors, snapshots, MQTT, forecasts. Listens on NXT_PORT.",
}

_COMPANION = {
    Role.API: Role.JOBS,
    Role.PROVISIONING: Role.JOBS,
    Role.JOBS: Role.TELEMETRY,
    Role.TELEMETRY: Role.JOBS,
}

_roles_option = click.option(
    "--roles",
    type=RoleList(),
    help="Run these roles in one process; the first listens on NXT_PORT, each other on its NXT_PORT_<ROLE>.",
)
_format_option = click.option(
    "--log-format",
    type=click.Choice(["auto", "json", "console"]),
    default="auto",
    show_default=True,
    help="auto: text at a terminal, JSON lines elsewhere.",
)
_level_option = click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]),
    default="INFO",
    show_default=True,
    help="Least level that is logged.",
)


def _command(role: Role) -> click.Command:
    @click.command(
        name=role.value,
        help=f"""Run the {role.value} role until SIGTERM.

        {_ABOUT[role]} The configuration comes from NXT_CONFIG_PATH, NXT_CONFIG_URL or NXT_CONFIG_JSON and
        the environment; `nxt config check` says what is missing.
        """,
        epilog=examples(f"nxt {role.value}", f"nxt {role.value} --roles {role.value},{_COMPANION[role]}"),
    )
    @_roles_option
    @_format_option
    @_level_option
    def command(roles: tuple[Role, ...] | None, log_format: Any, log_level: str) -> int:  # noqa: ANN401 - click's
        chosen = roles or (role,)
        if role not in chosen:
            raise click.UsageError(f"--roles has to name {role.value}, or use: nxt run --roles …")
        return serve_roles(chosen, log_format=log_format, log_level=log_level)

    return command


api = _command(Role.API)
provisioning = _command(Role.PROVISIONING)
jobs = _command(Role.JOBS)
telemetry = _command(Role.TELEMETRY)


@click.command(epilog=examples("nxt run", "nxt run --roles api,provisioning,jobs,telemetry"))
@_roles_option
@_format_option
@_level_option
def run(roles: tuple[Role, ...] | None, log_format: Any, log_level: str) -> int:  # noqa: ANN401 - click's
    """Run the roles that the configuration names ("roles" of the artifact), or those of --roles."""
    return serve_roles(roles, log_format=log_format, log_level=log_level)


def serve_roles(roles: tuple[Role, ...] | None, *, log_format: Any, log_level: str) -> int:  # noqa: ANN401 - click's
    """Check the configuration, report it, and run the roles until they are told to stop [API-189].

    Raises:
        ConfigInvalid: Before any port is opened.
    """
    settings = load_settings(os.environ, roles)
    from nxt_entrypoints.logging import set_up_logging  # noqa: PLC0415 - a configuration error needs no library

    set_up_logging("+".join(settings.roles), style=log_format, level=log_level, secrets=secret_texts(settings))
    _report(settings)
    serve: Callable[..., Coroutine[Any, Any, None]]
    serve = importlib.import_module("nxt_entrypoints.roles.run").serve
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(settings, settings.roles, ready=None))
    return 0


def _report(settings: Settings) -> None:
    import structlog  # noqa: PLC0415 - belongs to an extra

    log = structlog.get_logger("nxt.config")
    if settings.hibernated:
        log.info("hibernated")
        return
    report = effective_report(settings)
    warnings, variables = report.pop("warnings"), report.pop("variables")
    for state in ("set", "default"):  # as lists: a log line never shows what stands under a secret's name
        report[f"variables_{state}"] = [name for name, known in variables.items() if known == state]
    log.info("effective configuration", **report)
    for warning in warnings:
        log.warning(warning)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the faster loop where it is installed."""
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop
