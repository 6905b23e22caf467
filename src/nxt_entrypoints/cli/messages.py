"""``nxt messages``: device messages, live and archived."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import attrs
import click

from nxt_entrypoints.cli.options import Age, data_option
from nxt_entrypoints.cli.output import emit, examples, json_option

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from nxt_domain.messaging.journal import MessagePage, MessageRecord
    from nxt_domain.orders.message_story import MessageStory
    from nxt_domain.orders.use_cases.look_after_messages import Cancellation
    from nxt_entrypoints.cli.operator_plane import Operating

T = TypeVar("T")

_STATES = (
    "QUEUED",
    "SENT_TO_NS",
    "DELIVERED_TO_NS",
    "SENT_TO_DEVICE",
    "TO_RETRY",
    "DELIVERY_SUCCESSFUL",
    "DELIVERY_FAILED",
    "CANCELLED",
    "UNREADABLE",
)
_DEFAULT_SINCE_S = 7 * 86_400.0


@click.group()
def messages() -> None:
    """Look at commands on their way to meters, take them back, try them again.

    Works on a running `nxt up` (--data, or the only one), or on the database that NXT_DB_* name. No
    command prints a token.
    """


@messages.command(
    "ls",
    epilog=examples(
        "nxt messages ls --state TO_RETRY",
        "nxt messages ls --meter 47003333771 --since 30d",
        "nxt messages ls --network 42 --limit 20 --after 01JQ8R7T0V3W5X7Y9Z1B3D5F7H",
    ),
)
@click.option("--state", type=click.Choice(_STATES), help="Where it is, or how it ended.")
@click.option("--plugin", help="Who delivers it, such as calin-chirpstack.")
@click.option("--network", "--grid", "network_id", type=click.IntRange(min=0), help="Id of its grid.")
@click.option("--meter", metavar="NUMBER", help="Its meter.")
@click.option(
    "--since", type=Age(), default=_DEFAULT_SINCE_S, help="Age at most, such as 90m, 24h or 30d. Default: 7d."
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="Messages at most.")
@click.option("--after", metavar="ID", help="Go on after this message; the end of a part names it.")
@data_option
@json_option
def list_all(
    state: str | None,
    plugin: str | None,
    network_id: int | None,
    meter: str | None,
    since: float,
    limit: int,
    after: str | None,
    data: Path | None,
    as_json: bool,
) -> int:
    """List messages, youngest first: waiting, on their way and ended."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - keeps `--help` fast

    from nxt_domain.messaging.journal import MessageFilter, MessageState, MessageWindow  # noqa: PLC0415 - as above

    wanted = MessageFilter(
        state=None if state is None else MessageState(state),
        plugin_id=plugin,
        network_id=network_id,
        meter=meter,
        since=datetime.now(UTC) - timedelta(seconds=since),
    )
    window = MessageWindow(limit=limit, after=after)
    page = _operate(data, lambda operating: operating.read_messages.page(wanted, window))
    emit(attrs.asdict(page), as_json=as_json, lines=lambda: _table(page))
    return 0


@messages.command(epilog=examples("nxt messages show 01JQ8R7T0V3W5X7Y9Z1B3D5F7H", "nxt messages show 1842 --json"))
@click.argument("message_id", metavar="ID")
@data_option
@json_option
def show(message_id: str, data: Path | None, as_json: bool) -> int:
    """Show all that is kept of a message and its siblings, and what they serve.

    ID is that of the message, or of the interaction that asked for it.
    """
    told = _story(data, message_id)
    emit(attrs.asdict(told), as_json=as_json, lines=lambda: _sheet(told))
    return 0


@messages.command(epilog=examples("nxt messages explain 1842"))
@click.argument("message_id", metavar="ID")
@data_option
@json_option
def explain(message_id: str, data: Path | None, as_json: bool) -> int:
    """Tell from rows alone what became of a command: every stage, attempt, reason and time (UTC).

    ID is that of a message, or of the interaction that asked for it.
    """
    from nxt_domain.orders.message_story import explain_messages, tell  # noqa: PLC0415 - keeps `--help` fast

    told = _story(data, message_id)
    steps = explain_messages(told)
    facts = {"about": list(tell(told)), "steps": [attrs.asdict(step) for step in steps]}
    lines = [*tell(told), *(f"{_moment(step.at):19}  {step.text}" for step in steps)]
    emit(facts, as_json=as_json, lines=lambda: lines)
    return 0


@messages.command(epilog=examples("nxt messages cancel 1842 1843"))
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@data_option
@json_option
def cancel(message_ids: tuple[str, ...], data: Path | None, as_json: bool) -> int:
    """Take commands back that were not handed over yet; the interactions behind them end as CANCELLED.

    ID is that of a message, or of the interaction that asked for it.

    Prints CANCELLED, NOT_CANCELLABLE (on its way: what can't be taken back may reach the meter) or
    NOT_FOUND for each ID, and exits with 0 if all of them are CANCELLED, else 1.
    """
    from nxt_domain.messaging.model import CancelResult  # noqa: PLC0415 - keeps `--help` fast

    done = _operate(data, lambda operating: operating.cancel_messages(operating.actor, message_ids))
    emit([attrs.asdict(each) for each in done], as_json=as_json, lines=lambda: map(_cancelled, done))
    return 0 if all(each.result is CancelResult.CANCELLED for each in done) else 1


@messages.command(epilog=examples("nxt messages retry 1842"))
@click.argument("message_id", metavar="ID")
@data_option
@json_option
def retry(message_id: str, data: Path | None, as_json: bool) -> int:
    """Send a failed command again, with the token that it has.

    ID is that of a message, or of the interaction that asked for it. Refused, with the
    reason, if it is still under way, reached its meter, was withdrawn or reversed, if a later command
    stands against it, or if it has no token. Exits with 0 if it is queued again, else 1.
    """
    from nxt_domain.orders.use_cases.look_after_messages import RetryOutcome  # noqa: PLC0415 - keeps `--help` fast

    done = _operate(data, lambda operating: operating.retry_message(operating.actor, message_id))
    why = f": {done.why}" if done.why else ""
    emit(
        attrs.asdict(done),
        as_json=as_json,
        lines=lambda: [f"{done.outcome}  interaction {done.interaction_id}{why}"],
    )
    return 0 if done.outcome is RetryOutcome.REQUEUED else 1


def _operate(data: Path | None, work: Callable[[Operating], Awaitable[T]]) -> T:
    """Do something, where the queue is that of the relational database [DM-2]."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    if data is None and os.environ.get("DEVICE_MESSAGING_URL"):
        raise click.UsageError(
            "Device messaging runs on its own here (DEVICE_MESSAGING_URL), with its own database. Ask that service:"
            " GET /message/{interaction id}, POST /messages/cancel."
        )
    return operate(data, work)


def _story(data: Path | None, message_id: str) -> MessageStory:
    return _operate(data, lambda operating: operating.read_messages.story(message_id))


def _table(page: MessagePage) -> Iterator[str]:
    if not page.items:
        yield "no messages; --since 30d looks further back"
        return
    yield f"{'ID':26}  {'QUEUED AT':19}  {'STATE':19}  {'TRIES':>5}  {'COMMAND':25}  {'METER':12}  ASKED BY  QUEUE"
    for item in page.items:
        yield (
            f"{item.id:26}  {_moment(item.enqueued_at):19}  {item.state:19}  {_attempts(item):>5}  "
            f"{_command_of(item):25}  {item.meter or '?':12}  {item.correlation_id or '-':>8}  {item.ready_queue}"
        )
    if page.next is not None:
        yield f"more: --after {page.next}"


def _sheet(told: MessageStory) -> Iterator[str]:
    from nxt_domain.orders.message_story import tell  # noqa: PLC0415 - keeps `--help` fast

    yield from tell(told)
    for message in told.messages:
        yield ""
        for name, value in attrs.asdict(message, recurse=False).items():
            if value is None or value in ("", ()) or name in ("failures", "passages"):
                continue
            shown = ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
            yield f"{name:24}{shown}"
        for passage in message.passages:
            yield f"{'':24}{_moment(passage.at)}  {passage.status}"
        for failure in message.failures:
            yield f"{'failed':24}{_moment(failure.timestamp)}  {failure.status}: {failure.reason}"


def _cancelled(done: Cancellation) -> str:
    return f"{done.result:15}  {done.id}" + (f": {done.why}" if done.why else "")


def _attempts(item: MessageRecord) -> int:
    return sum(passage.status == "SENT_TO_NS" for passage in item.passages)


def _command_of(item: MessageRecord) -> str:
    return item.command_type + (f" {item.phase}" if item.phase else "")


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S")
