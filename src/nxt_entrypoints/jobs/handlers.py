"""What the relay does with each kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from nxt_domain.fieldwork.issues import TICKET_CLOSABLE
from nxt_domain.fieldwork.tracker import CLOSABLE, IssueTracker
from nxt_domain.grids.news import GRID_STATE, GridNews
from nxt_domain.messaging.events import DELIVERY_EVENT, delivery_event_from_payload
from nxt_domain.messaging.remote import DEVICE_MESSAGE, posted_command
from nxt_domain.meters.news import HOURLY_REPORT, SOCKET_EVENT, TOP_UP_COMMAND
from nxt_domain.meters.use_cases.apply_delivery_events import ApplyDeliveryEvents
from nxt_domain.meters.use_cases.post_messages import PostMessages
from nxt_domain.orders.bot_notices import BOT_NOTICE, BotStatus, TellBot
from nxt_domain.orders.payouts import PAYOUT_BOOKKEEPING, PAYOUT_DRAFT
from nxt_domain.orders.suspense import GATEWAY_REFUND
from nxt_domain.orders.use_cases.gateway_events import GATEWAY_EVENT, ProcessGatewayEvents
from nxt_domain.orders.ussd import USSD_CHARGE
from nxt_domain.shared.alerts import ALERT
from nxt_domain.shared.errors import InvalidInput, NotFound, Unavailable
from nxt_domain.shared.outbox import ClaimedTask
from nxt_domain.shared.realtime import Realtime
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.jobs.relay import Lane

_log = structlog.get_logger(__name__)


class ReportReceiver(Protocol):
    """Takes hourly reports: the telemetry role, in this process or another."""

    async def send(self, reports: Sequence[Mapping[str, object]]) -> None:
        """Return when the reports are durable."""


class Fulfilment(Protocol):
    """Gives paid orders their command."""

    async def __call__(self, order_id: int) -> None:
        """Do what is missing for one order."""

    async def watch(self, order_id: int, *, attempts: int, since: datetime) -> None:
        """Tell people of an order that has waited for long."""


class Refunds(Protocol):
    """Gives suspended money back at the gateway."""

    async def __call__(self, entry_id: int) -> None:
        """Bring the refund of a suspense entry to its end."""


class UssdCharges(Protocol):
    """Charges banks for purchases by phone."""

    async def __call__(self, order_id: int) -> None:
        """Bring the charge of an order to its end."""


class PayoutExport(Protocol):
    """Hands statements to documents and books outside."""

    async def draft(self, payout_id: int) -> None:
        """Have a document made of a statement."""

    async def book(self, payout_id: int) -> None:
        """Tell the bookkeepers of a statement."""


class Handlers:
    """Binds kinds of tasks to use cases.

    Args:
        apply_delivery_events: For ``DELIVERY_EVENT``.
        process_gateway_events: For ``GATEWAY_EVENT``.
        fulfil_top_up: For ``TOP_UP_COMMAND``.
        charge_by_ussd: For ``USSD_CHARGE``.
        refund_suspense: For ``GATEWAY_REFUND``.
        tell_bot: For ``BOT_NOTICE``.
        export_payout: For ``PAYOUT_DRAFT`` and ``PAYOUT_BOOKKEEPING``.
        realtime: For ``SOCKET_EVENT``.
        reports: For ``HOURLY_REPORT``.
        forwards_reports: Whether hourly reports are passed on at all (R6).
        tracker: For ``TICKET_CLOSABLE``; None: nobody is told.
        grid_news: For ``GRID_STATE``; None: nobody is told.
        post_messages: For ``DEVICE_MESSAGE``; None: device messages are embedded, and there are no such tasks.
    """

    def __init__(
        self,
        *,
        apply_delivery_events: ApplyDeliveryEvents,
        process_gateway_events: ProcessGatewayEvents,
        fulfil_top_up: Fulfilment,
        charge_by_ussd: UssdCharges,
        refund_suspense: Refunds,
        export_payout: PayoutExport,
        tell_bot: TellBot,
        realtime: Realtime,
        reports: ReportReceiver,
        forwards_reports: bool,
        tracker: IssueTracker | None = None,
        grid_news: GridNews | None = None,
        post_messages: PostMessages | None = None,
    ) -> None:
        self._apply_delivery_events = apply_delivery_events
        self._process_gateway_events = process_gateway_events
        self._fulfil_top_up = fulfil_top_up
        self._charge_by_ussd = charge_by_ussd
        self._refund_suspense = refund_suspense
        self._export_payout = export_payout
        self._tell_bot = tell_bot
        self._realtime = realtime
        self._reports = reports
        self._forwards_reports = forwards_reports
        self._tracker = tracker
        self._grid_news = grid_news
        self._post_messages = post_messages

    def lanes(self) -> Sequence[Lane]:
        """One lane per kind, so that a slow effect holds up no other."""
        return (
            Lane(kind=DELIVERY_EVENT, handle=self.delivery_events, batch=100, delay=timedelta(seconds=1)),
            Lane(
                kind=DEVICE_MESSAGE,
                handle=self.device_messages,
                batch=20,
                delay=timedelta(seconds=1),
                channel=Channel.OUTBOX if self._post_messages is None else Channel.MESSAGING,
            ),
            Lane(kind=GATEWAY_EVENT, handle=self.gateway_events, batch=20, channel=Channel.GATEWAY_EVENTS),
            Lane(kind=TOP_UP_COMMAND, handle=self.top_up, batch=1),
            Lane(kind=USSD_CHARGE, handle=self.ussd_charge, batch=1),
            Lane(kind=GATEWAY_REFUND, handle=self.gateway_refund, batch=1),
            Lane(kind=PAYOUT_DRAFT, handle=self.payout_draft, batch=1),
            Lane(kind=PAYOUT_BOOKKEEPING, handle=self.payout_bookkeeping, batch=1),
            Lane(kind=SOCKET_EVENT, handle=self.socket_events, batch=100, delay=timedelta(seconds=1)),
            Lane(kind=HOURLY_REPORT, handle=self.hourly_reports, batch=100, delay=timedelta(minutes=1)),
            Lane(kind=TICKET_CLOSABLE, handle=self.closable_ticket, batch=1),
            Lane(kind=BOT_NOTICE, handle=self.bot_notice, batch=1),
            Lane(kind=GRID_STATE, handle=self.grid_state, batch=1),
            Lane(kind=ALERT, handle=self.alerts, batch=20),
        )

    async def delivery_events(self, tasks: Sequence[ClaimedTask]) -> None:
        """Apply what the delivery layer reports, many at a time; strangers are logged [DM-181, DM-182]."""
        unknown = await self._apply_delivery_events([delivery_event_from_payload(task.payload) for task in tasks])
        for number in unknown.meters:
            _log.warning("a meter that is not known has spoken", module="messaging", meter=number)
        for gateway in unknown.gateways:
            _log.warning("a gateway that is not known has heard a meter", module="messaging", gateway=gateway)

    async def device_messages(self, tasks: Sequence[ClaimedTask]) -> None:
        """Bring commands to stand-alone device messaging, some at a time; they are tried for ever [R56]."""
        if self._post_messages is None:  # the mode was changed before all of them had gone
            raise Unavailable("Commands wait for stand-alone device messaging, and DEVICE_MESSAGING_URL is not set")
        await self._post_messages([posted_command(task.dedupe_key, task.payload) for task in tasks])

    async def gateway_events(self, tasks: Sequence[ClaimedTask]) -> None:
        """Verify what the payment gateway said."""
        await self._process_gateway_events([_integer(task, "event_id") for task in tasks])

    async def top_up(self, tasks: Sequence[ClaimedTask]) -> None:
        """Give one paid order its token and message; it is tried for ever, and people hear of it [PAY-116]."""
        (task,) = tasks
        order_id = _integer(task, "order_id")
        await self._fulfil_top_up.watch(order_id, attempts=task.attempts, since=task.created_at)
        await self._fulfil_top_up(order_id)

    async def ussd_charge(self, tasks: Sequence[ClaimedTask]) -> None:
        """Charge one bank, and send the code to dial."""
        (task,) = tasks
        await self._charge_by_ussd(_integer(task, "order_id"))

    async def gateway_refund(self, tasks: Sequence[ClaimedTask]) -> None:
        """Ask the gateway for one refund, or look how far it is."""
        (task,) = tasks
        await self._refund_suspense(_integer(task, "entry_id"))

    async def payout_draft(self, tasks: Sequence[ClaimedTask]) -> None:
        """Send one statement's figures to where documents are made."""
        (task,) = tasks
        await self._export_payout.draft(_integer(task, "payout_id"))

    async def payout_bookkeeping(self, tasks: Sequence[ClaimedTask]) -> None:
        """Tell the bookkeepers of one statement."""
        (task,) = tasks
        await self._export_payout.book(_integer(task, "payout_id"))

    async def socket_events(self, tasks: Sequence[ClaimedTask]) -> None:
        """Tell dashboards, in order."""
        for task in tasks:  # the order of one interaction's news is the order of its commits [API-165]
            await self._realtime.emit(
                room=_text(task, "room"), event=_text(task, "event"), payload=_object(task, "message")
            )

    async def hourly_reports(self, tasks: Sequence[ClaimedTask]) -> None:
        """Pass meters' reports on to the telemetry role, in one call."""
        if self._forwards_reports:
            await self._reports.send([task.payload for task in tasks])

    async def closable_ticket(self, tasks: Sequence[ClaimedTask]) -> None:
        """Tell the tracker that a ticket's issue is over; a ticket that is gone needs no word [AUTO-154]."""
        (task,) = tasks
        ticket = _text(task, "ticket")
        if self._tracker is None:
            return
        try:
            await self._tracker.comment(ticket, CLOSABLE)
        except NotFound:
            _log.warning("the tracker does not know a ticket", ticket=ticket)

    async def bot_notice(self, tasks: Sequence[ClaimedTask]) -> None:
        """Tell the chat bot of one top-up [PAY-119]."""
        (task,) = tasks
        await self._tell_bot(_integer(task, "interaction_id"), BotStatus(_text(task, "status")))

    async def grid_state(self, tasks: Sequence[ClaimedTask]) -> None:
        """Tell the automation platform of one grid's change; without an address it is closed unsent [REL-103]."""
        (task,) = tasks
        if self._grid_news is not None:
            await self._grid_news.tell(task.payload)

    async def alerts(self, tasks: Sequence[ClaimedTask]) -> None:
        """Write alerts where operators look: a log record of level error with a stable code [PAY-134]."""
        for task in tasks:
            facts = task.payload.get("facts")
            _log.error(
                _text(task, "text"),
                code=_text(task, "code"),
                subject=_text(task, "subject"),
                facts=facts if isinstance(facts, Mapping) else {},
            )


def _integer(task: ClaimedTask, name: str) -> int:
    value = task.payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"Task {task.id} has no {name}", code="TASK_MALFORMED")
    return value


def _text(task: ClaimedTask, name: str) -> str:
    value = task.payload.get(name)
    if not isinstance(value, str):
        raise InvalidInput(f"Task {task.id} has no {name}", code="TASK_MALFORMED")
    return value


def _object(task: ClaimedTask, name: str) -> Mapping[str, object]:
    value = task.payload.get(name)
    if not isinstance(value, Mapping):
        raise InvalidInput(f"Task {task.id} has no {name}", code="TASK_MALFORMED")
    return value
