"""``nxt config``: check, show, and the schema."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from nxt_entrypoints.cli.options import RoleList
from nxt_entrypoints.cli.output import emit, examples, json_option, remark
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.problems import EX_CONFIG, ConfigInvalid
from nxt_entrypoints.settings.registry import VARIABLES
from nxt_entrypoints.settings.report import effective_report, report_lines
from nxt_entrypoints.settings.roles import in_order
from nxt_entrypoints.settings.schema import artifact_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nxt_entrypoints.settings.roles import Role

_roles_option = click.option("--roles", type=RoleList(), help='Roles of the process. Default: "roles" of the artifact.')


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command(
    epilog=examples("NXT_CONFIG_PATH=/etc/nxt.json nxt config check", "nxt config check --roles api,jobs --json")
)
@_roles_option
@json_option
def check(roles: tuple[Role, ...] | None, as_json: bool) -> int:
    """Say everything that is wrong with the configuration, or that it holds.

    The same check runs when a role starts. Exits with 0 or 78. Values of variables are never shown.
    """
    try:
        settings = load_settings(os.environ, roles)
    except ConfigInvalid as invalid:
        if not as_json:
            raise
        found = [{"kind": one.kind, "where": one.where, "what": one.what} for one in invalid.problems]
        emit({"ok": False, "source": invalid.source, "problems": found}, as_json=True, lines=tuple)
        return EX_CONFIG
    facts = {
        "ok": True,
        "source": settings.source,
        "roles": list(settings.roles),
        "problems": [],
        "warnings": list(settings.warnings),
    }
    emit(facts, as_json=as_json, lines=lambda: [f"configuration holds (source: {settings.source})"])
    if not as_json:
        for warning in settings.warnings:
            remark(f"warning: {warning}")
    return 0


@config.command(epilog=examples("nxt config show --roles api"))
@_roles_option
@json_option
def show(roles: tuple[Role, ...] | None, as_json: bool) -> int:
    """Show the effective configuration, without any secret."""
    report = effective_report(load_settings(os.environ, roles))
    emit(report, as_json=as_json, lines=lambda: report_lines(report))
    return 0


config.add_command(show, "report")


@config.command(epilog=examples("nxt config schema > nxt.schema.json", "nxt config schema --env"))
@click.option("--env", "of_environment", is_flag=True, help="The environment variables instead.")
@json_option
def schema(of_environment: bool, as_json: bool) -> int:
    """Print the JSON Schema of the artifact, or with --env the table of all variables."""
    if not of_environment:
        click.echo(json.dumps(artifact_schema(), indent=2, ensure_ascii=False))
        return 0
    emit(environment_table(), as_json=as_json, lines=_table_lines)
    return 0


def environment_table() -> list[dict[str, Any]]:
    """The registry as data."""
    return [
        {
            "name": item.name,
            "roles": [role.value for role in in_order(item.roles)],
            "need": item.need.value,
            "expected": item.kind.expected,
            "default": item.default,
            "aliases": list(item.aliases),
            "secret": item.secret,
            "meaning": item.meaning,
        }
        for item in VARIABLES.values()
    ]


def _table_lines() -> Iterator[str]:
    width = max(map(len, VARIABLES))
    for item in VARIABLES.values():
        letters = "".join(role.value[0].upper() for role in in_order(item.roles))
        notes = [item.kind.expected]
        if item.default is not None:
            notes.append(f"default {item.default!r}")
        if item.aliases:
            notes.append(f"also {', '.join(item.aliases)}")
        yield f"{item.name:<{width}}  {letters:<4}  {item.need.value:<23}  {item.meaning} ({'; '.join(notes)})"
