"""``nxt ledger``: checks the books, and explains them."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

import attrs
import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, remark
from nxt_entrypoints.cli.running import relational_url
from nxt_entrypoints.cli.take_over import take_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nxt_domain.orders.explanation import Step
    from nxt_domain.wallets.statement import Statement

_UNREACHABLE = 2


@click.group()
def ledger() -> None:
    """Check the books, and see how each figure came to be."""


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
    try:
        findings = _run(relational_url(data, url))
    except _trouble() as error:
        if as_json:
            emit({"ok": False, "error": _first_line(error), "findings": []}, as_json=True, lines=tuple)
        return _unreachable(error)
    facts = {"ok": not findings, "findings": [_plain(one) for one in findings]}
    emit(facts, as_json=as_json, lines=lambda: map(str, findings) if findings else ["the books are clean"])
    return 1 if findings else 0


def _order_of(context: click.Context, argument: click.Parameter, words: Sequence[str]) -> int:
    """Read ``order 50``, or the number alone."""
    *kind, number = words
    if kind not in ([], ["order"]) or not re.fullmatch("[1-9][0-9]{0,9}", number):
        raise click.BadParameter("say the number of an order, such as: order 50", context, argument)
    return int(number)


@ledger.command(
    epilog=examples(
        "nxt ledger explain order 50",
        "nxt ledger explain order 50 --data ./demo --json",
    )
)
@click.argument("order_id", metavar="order NUMBER", nargs=-1, required=True, callback=_order_of)
@data_option
@click.option("--url", help="Address of the relational database, in place of the environment's.")
@json_option
def explain(order_id: int, data: Path | None, url: str | None, as_json: bool) -> int:
    """Tell from rows alone what became of an order, and how each figure came to be.

    Exits with 1 when there is no such order, 2 when the database cannot be reached.
    """
    from nxt_domain.orders.explanation import explain as steps_of  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.ledger_books import story  # noqa: PLC0415 - needs the extra

    try:
        told = story(relational_url(data, url), order_id)
    except _trouble() as error:
        return _unreachable(error)
    if told is None:
        remark(f"nxt: there is no order {order_id}")
        return 1
    emit(attrs.asdict(told), as_json=as_json, lines=lambda: map(_step, steps_of(told)))
    return 0


@ledger.command(
    epilog=examples(
        "nxt ledger statement 230",
        "nxt ledger statement 230 --limit 20 --after 1500",
    )
)
@click.argument("wallet_id", metavar="WALLET", type=click.IntRange(min=1))
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 500), help="Lines at most.")
@click.option("--after", type=click.IntRange(min=0), help="Go on after this line; the end of a part names it.")
@data_option
@click.option("--url", help="Address of the relational database, in place of the environment's.")
@json_option
def statement(wallet_id: int, limit: int, after: int | None, data: Path | None, url: str | None, as_json: bool) -> int:
    """Print a wallet's account, posting by posting, with running balances.

    Exits with 1 when there is no such wallet or its balance is not the sum of its postings, 2 when the
    database cannot be reached.
    """
    from nxt_domain.shared.paging import Window  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.ledger_books import statement as read  # noqa: PLC0415 - needs the extra

    try:
        account = read(relational_url(data, url), wallet_id, Window(limit=limit, after=after))
    except _trouble() as error:
        return _unreachable(error)
    if account is None:
        remark(f"nxt: there is no wallet {wallet_id}")
        return 1
    emit(attrs.asdict(account), as_json=as_json, lines=lambda: _statement_lines(account))
    return 0 if account.posted == account.balance else 1


ledger.add_command(take_over)


def _step(step: Step) -> str:
    return f"{'' if step.at is None else step.at.strftime('%Y-%m-%d %H:%M:%S'):19}  {step.text}"


def _statement_lines(account: Statement) -> Iterator[str]:
    from nxt_domain.shared.money import plain  # noqa: PLC0415 - keeps `--help` fast

    yield f"wallet {account.wallet_id} ({account.owner}), {account.currency}"
    for line in account.lines:
        after = "" if line.balance_after is None else plain(line.balance_after)
        others = ", ".join(line.counterparts)
        yield f"{line.id:>8}  {line.at:%Y-%m-%d %H:%M:%S}  {plain(line.amount):>14}  {after:>14}  {line.key}  {others}"
    if account.next is not None:
        yield f"more: nxt ledger statement {account.wallet_id} --after {account.next}"
    verdict = "as posted" if account.posted == account.balance else f"but its postings sum to {plain(account.posted)}"
    yield f"balance {plain(account.balance)}, {verdict}"


def _trouble() -> tuple[type[Exception], ...]:
    """What a database that cannot be reached raises."""
    from psycopg import OperationalError  # noqa: PLC0415 - needs the extra

    from nxt_domain.shared.errors import Unavailable  # noqa: PLC0415 - keeps `--help` fast

    return (Unavailable, OperationalError, ConnectionError)


def _unreachable(error: Exception) -> int:
    remark(f"nxt: the ledger's database cannot be reached: {_first_line(error)}")
    return _UNREACHABLE


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


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
