"""``nxt doctor``: looks for trouble and says what to do about it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, mark
from nxt_entrypoints.cli.running import chosen
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import ALL_ROLES
from nxt_entrypoints.supervisor.runfile import find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nxt_entrypoints.checkup import Subject
    from nxt_entrypoints.checkup.findings import Finding

_STORES = ("relational_url", "series_url", "valkey_url")


@click.command(
    epilog=examples(
        "nxt doctor",
        "nxt doctor --data ./demo --json",
    )
)
@data_option
@json_option
def doctor(data: Path | None, as_json: bool) -> int:
    """Check stores, clocks, migrations, secrets, queues and every vendor; say what is wrong and what to do.

    Looks at a running `nxt up` (--data), or at the services that the environment names; where it names
    none, at the only `nxt up` that runs. Exits with 1 if something is wrong, 78 if the configuration is.
    """
    from nxt_entrypoints.checkup import check_up  # noqa: PLC0415 - needs the extra

    subject, warnings = _subject(data)
    findings = asyncio.run(check_up(subject))
    emit(
        {
            "ok": all(one.ok for one in findings),
            "checks": [attrs.asdict(one) for one in findings],
            "warnings": list(warnings),
        },
        as_json=as_json,
        lines=lambda: [*map(_line, findings), *(f"warn {text}" for text in warnings)],
    )
    return 0 if all(one.ok for one in findings) else 1


def _subject(data: Path | None) -> tuple[Subject, Sequence[str]]:
    from nxt_entrypoints.checkup import Subject  # noqa: PLC0415 - needs the extra
    from nxt_entrypoints.demo.environment import running_environment  # noqa: PLC0415 - as above

    where = chosen(data)
    if where is not None:
        settings = load_settings(running_environment(find(where).content), ALL_ROLES)
    else:
        # A hibernated role has no settings; what is looked at is what it would have when awake.
        settings = load_settings({name: value for name, value in os.environ.items() if name != "IS_HIBERNATED"})
    keys = ",".join(settings.names("NXT_SECRETS_KEYS")) if settings.has("NXT_SECRETS_KEYS") else ""
    addresses = {name: getattr(settings, name) for name in _STORES}
    return Subject(**addresses, data_keys=keys, settings=settings), settings.warnings


def _line(finding: Finding) -> str:
    advice = f"\n       → {finding.advice}" if finding.advice and not finding.ok else ""
    return f"{mark(ok=finding.ok)} {finding.what:<24} {finding.detail}{advice}"
