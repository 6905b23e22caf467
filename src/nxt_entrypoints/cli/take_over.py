"""``nxt ledger take-over``: the books of a predecessor that kept no ledger."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs
import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, remark
from nxt_entrypoints.cli.running import relational_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nxt_domain.orders.old_books import Extent, Remark, Standing
    from nxt_domain.orders.use_cases.take_over import TakenOver

_NOT_DONE = 2
_SHOWN = 100
_STEPS = 1000
_STAGES = ("WALLETS", "ORDERS", "LOOSE_ROWS", "BALANCES", "DONE")


@click.command(
    "take-over",
    epilog=examples(
        "nxt ledger take-over --from postgresql://reader@old-host/predecessor --dry-run --report rehearsal.jsonl",
        "nxt ledger take-over --from postgresql://reader@old-host/predecessor --report taken-over.jsonl",
    ),
)
@click.option("--from", "source", metavar="URL", required=True, help="The predecessor's database; it is only read.")
@click.option("--schema", default="public", show_default=True, help="In which its tables stand there.")
@click.option("--dry-run", is_flag=True, help="Read everything and tell what would be odd; write nothing.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File for every line of the report, one JSON object a line.",
)
@data_option
@click.option("--url", help="Address of the relational database, in place of the environment's.")
@json_option
def take_over(
    source: str, schema: str, dry_run: bool, report: Path | None, data: Path | None, url: str | None, as_json: bool
) -> int:
    """Take over wallets, orders and transactions of a predecessor that kept no ledger.

    Everything else has to be there already (accounts, grids, customers, meters, connections), and no role may
    run. A run that was cut off is continued by the next one; when all is done, a further run changes nothing and
    tells the report again. Exits with 0 when everything fits together, 1 when the report has lines, 2 when nothing
    or not everything was taken over.
    """
    from nxt_domain.shared.errors import DomainError  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints import ledger_take_over  # noqa: PLC0415 - needs the extra

    places = ledger_take_over.Places(
        source_url=source, schema=schema, relational_url="" if dry_run else relational_url(data, url)
    )
    run = ledger_take_over.rehearse if dry_run else ledger_take_over.take_over
    try:
        with _Listener(report) as heard:
            outcome = run(places, heard.progress, heard.hear)
    except DomainError as problem:
        remark(f"nxt: not taken over: {problem.message}")
        return _NOT_DONE
    emit(_facts(outcome, heard, dry_run=dry_run), as_json=as_json, lines=lambda: _lines(outcome, heard, dry_run))
    return 1 if heard.total else 0


class _Listener:
    """Draws the bar, counts the report's lines, keeps the first ones, and writes all of them to a file.

    Args:
        report: The file; None: none.
    """

    def __init__(self, report: Path | None) -> None:
        self._path = report
        self._file: IO[str] | None = None
        self._bar: Any = None
        self._done = 0
        self.counts: Counter[str] = Counter()
        self.sums: dict[str, Decimal] = defaultdict(Decimal)
        self.first: list[Remark] = []

    @property
    def total(self) -> int:
        """How many lines the report has."""
        return sum(self.counts.values())

    def __enter__(self) -> _Listener:
        self._file = self._path.open("w", encoding="utf-8") if self._path else None
        self._bar = click.progressbar(length=_STEPS * (len(_STAGES) - 1), label="taking over", file=sys.stderr)
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(*error)
        if self._file is not None:
            self._file.close()

    def progress(self, standing: Standing, extent: Extent) -> None:
        """Move the bar to where the take-over stands."""
        last = {"WALLETS": extent.last_wallet_id, "ORDERS": extent.last_order_id, "BALANCES": extent.last_wallet_id}
        share = standing.after * _STEPS // max(last.get(standing.stage, extent.last_row_id), 1)
        reached = _STAGES.index(standing.stage) * _STEPS + min(share, _STEPS)
        self._bar.update(reached - self._done)
        self._done = reached

    def hear(self, remarks: Sequence[Remark]) -> None:
        """Take lines of the report."""
        for one in remarks:
            self.counts[one.kind] += 1
            self.sums[one.kind] += one.amount or 0
            if len(self.first) < _SHOWN:
                self.first.append(one)
            if self._file is not None:
                self._file.write(json.dumps(attrs.asdict(one), default=str, ensure_ascii=False) + "\n")


def _facts(outcome: TakenOver, heard: _Listener, *, dry_run: bool) -> dict[str, object]:
    standing = outcome.standing
    return {
        "dry_run": dry_run,
        "was_done": outcome.was_done,
        "wallets": standing.wallets,
        "orders": standing.orders,
        "transactions": standing.rows,
        "entries": standing.entries,
        "summary": {kind: {"lines": lines, "amount": heard.sums[kind]} for kind, lines in sorted(heard.counts.items())},
        "lines": [attrs.asdict(one) for one in heard.first],
        "left_off": heard.total - len(heard.first),
    }


def _lines(outcome: TakenOver, heard: _Listener, dry_run: bool) -> Iterator[str]:
    from nxt_domain.shared.money import plain  # noqa: PLC0415 - keeps `--help` fast

    standing = outcome.standing
    word = "would be taken over" if dry_run else "was taken over before" if outcome.was_done else "taken over"
    yield f"{word}: {standing.wallets} wallets, {standing.orders} orders, {standing.rows} transactions"
    if not dry_run:
        yield f"the ledger got {standing.entries} entries"
    if not heard.total:
        yield "everything fits together"
        return
    yield f"{'what':16} {'lines':>8} {'amount':>18}"
    for kind, lines in sorted(heard.counts.items()):
        yield f"{kind:16} {lines:>8} {plain(heard.sums[kind]):>18}"
    yield f"{'what':16} {'wallet':>8} {'order':>8} {'amount':>18}  why"
    for one in heard.first:
        amount = "" if one.amount is None else plain(one.amount)
        yield f"{one.kind:16} {one.wallet_id or '':>8} {one.order_id or '':>8} {amount:>18}  {one.detail}"
    if heard.total > len(heard.first):
        yield f"and {heard.total - len(heard.first)} more: --report FILE holds them all"
