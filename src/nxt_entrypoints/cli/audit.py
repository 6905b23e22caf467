"""``nxt audit``: the evidence of who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, remark
from nxt_entrypoints.cli.running import relational_url

if TYPE_CHECKING:
    from pathlib import Path

_UNREACHABLE = 2


@click.group()
def audit() -> None:
    """Check the evidence of who did what."""


@audit.command(
    epilog=examples(
        "nxt audit verify",
        "nxt audit verify --data ./demo --json",
    )
)
@data_option
@click.option("--url", help="Address of the relational database, in place of the environment's.")
@json_option
def verify(data: Path | None, url: str | None, as_json: bool) -> int:
    """Walk along the audit log's chain of hashes: was a row changed, removed or put between others?

    Reads only. Exits with 0 when the chain is whole, 1 with a finding, 2 when the database cannot be
    reached.
    """
    from nxt_domain.shared.errors import Unavailable  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.audit_verify import run  # noqa: PLC0415 - needs the extra

    address = relational_url(data, url)
    try:
        findings = run(address)
    except Unavailable as error:
        if as_json:
            emit({"ok": False, "error": str(error), "findings": []}, as_json=True, lines=tuple)
        remark(f"nxt: the audit log's database cannot be reached: {error}")
        return _UNREACHABLE
    facts = {"ok": not findings, "findings": [attrs.asdict(finding) for finding in findings]}
    emit(facts, as_json=as_json, lines=lambda: map(str, findings) if findings else ["the audit log is whole"])
    return 1 if findings else 0
