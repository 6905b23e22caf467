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
from nxt_entrypoints.embedded.data_dir import kept_secret
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.supervisor.runfile import NotRunning, find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nxt_entrypoints.cli.checkup import Finding

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
    """Check connections, versions, clocks, schemas and partitions, and name what is unwise.

    Looks at a running `nxt up` (--data, or the only one that runs), else at the services that the
    environment names. Exits with 1 if something is wrong, 78 if the configuration is.
    """
    addresses, warnings = _subject(data)
    from nxt_entrypoints.cli.checkup import check_up  # noqa: PLC0415 - needs the extra

    findings = asyncio.run(check_up(addresses))
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


def _subject(data: Path | None) -> tuple[Mapping[str, str], Sequence[str]]:
    try:
        content = find(data).content
    except NotRunning:
        if data is not None:
            raise
        settings = load_settings(os.environ)
        keys = ",".join(settings.names("NXT_SECRETS_KEYS")) if settings.has("NXT_SECRETS_KEYS") else ""
        return {**{name: getattr(settings, name) for name in _STORES}, "data_keys": keys}, settings.warnings
    addresses = {name: str(content[name]) for name in _STORES}
    return {**addresses, "data_keys": kept_secret(Path(str(content["data"])), "data_key")}, ()


def _line(finding: Finding) -> str:
    advice = f"\n       → {finding.advice}" if finding.advice and not finding.ok else ""
    return f"{mark(ok=finding.ok)} {finding.what:<22} {finding.detail}{advice}"
