"""``nxt ledger``: checks the books."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from typing import TYPE_CHECKING, Any

import attrs
import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, remark
from nxt_entrypoints.cli.running import relational_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_UNREACHABLE = 2


@click.group()
def ledger() -> None:
    """Check the books."""


@ledger.command(
    epilog=examples(
        "nxt ledger audit",
        "nxt ledger audit --data ./demo --json",
    )
)
@data_option
@click.option("--url", help="Address of the relational database, in place of the environment's.")
@json_option
def audit(data: Path | None, url: str | None, as_json: bool) -> int:
    """Verify the ledger: entries balance, balances match postings, nothing is settled twice.

    Reads only. Exits with 0 when the books are clean, 1 with a finding, 2 when the database cannot be
    reached.
    """
    from psycopg import OperationalError  # noqa: PLC0415 - needs the extra

    from nxt_domain.shared.errors import Unavailable  # noqa: PLC0415 - keeps `--help` fast

    address = relational_url(data, url)
    try:
        findings = _run(address)
    except (Unavailable, OperationalError, ConnectionError) as error:
        reason = str(error).strip().partition("\n")[0]
        if as_json:
            emit({"ok": False, "error": reason, "findings": []}, as_json=True, lines=tuple)
        remark(f"nxt: the ledger's database cannot be reached: {reason}")
        return _UNREACHABLE
    facts = {"ok": not findings, "findings": [_plain(one) for one in findings]}
    emit(facts, as_json=as_json, lines=lambda: map(str, findings) if findings else ["the books are clean"])
    return 1 if findings else 0


def _run(url: str) -> Sequence[object]:
    run = importlib.import_module("nxt_entrypoints.ledger_audit").run
    answer = run(url)
    if inspect.isawaitable(answer):
        answer = asyncio.run(_awaited(answer))
    found: Sequence[object] = tuple(answer)
    return found


async def _awaited(answer: Any) -> Any:  # noqa: ANN401 - whatever the audit returns
    return await answer


def _plain(finding: Any) -> object:  # noqa: ANN401 - whatever the audit returns
    return attrs.asdict(finding) if attrs.has(type(finding)) else str(finding)
