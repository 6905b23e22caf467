"""The applications of all roles over fakes of their use cases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry

from nxt_adapters.chirpstack.ingress import ChirpStackIngress, IngressMetrics
from nxt_adapters.memory.database import MemoryClock
from nxt_domain.grids.pbg_connections import Cell
from nxt_domain.grids.use_cases.metering_hardware import PbgList
from nxt_domain.orders.credit_transfers import CreditTransfer, TransferStatus
from nxt_domain.orders.payouts import Payout
from nxt_domain.orders.ports import PublicView
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.suspense import Resolution, ResolutionState, SuspenseAction
from nxt_domain.orders.use_cases.move_money import BegunPayment
from nxt_domain.orders.use_cases.public_orders import InitialisedPurchase, PublicPurchase
from nxt_domain.orders.use_cases.reverse_order import Reversed
from nxt_domain.orders.use_cases.show_lost_revenue import LostRevenue
from nxt_domain.orders.use_cases.show_payout import ShownPayout
from nxt_domain.shared.money import Currency
from nxt_domain.telemetry.model import HourlyReport, RecordedReports
from nxt_domain.wallets.payouts import PayoutStatus
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.api.stand_alone_messaging import StandAloneMessaging
from nxt_entrypoints.api.webhook_secrets import WebhookGuard
from nxt_entrypoints.http.app import HttpSettings
from nxt_entrypoints.jobs.http import build_jobs
from nxt_entrypoints.provisioning.app import build_provisioning
from nxt_entrypoints.telemetry_api.app import build_telemetry
from tests.support.identity_world import (
    INGRESS_KEY,
    IdentityWorld,
)

LOTS = HttpSettings(public_requests_per_minute=1_000_000)
HASH = "secret-hash"


class Verb:
    """A use case that answers, or refuses, as told; remembers how it was called."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    async def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls.append((*args, *options.values()))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(*args, **options) if callable(self.answer) else self.answer


class Area:
    """A group of use cases that nobody told what to answer: each is made when it is first asked for."""

    def __init__(self) -> None:
        self._verbs: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._verbs.setdefault(name, _VerbWithMethods())


class _VerbWithMethods(Area, Verb):
    def __init__(self) -> None:
        Area.__init__(self)
        Verb.__init__(self)


class Secrets:
    def __init__(self) -> None:
        self.secrets: dict[str, str | None] = {"platform": HASH, "org:7": "hash-of-7"}

    async def webhook_secret(self, merchant: str) -> str | None:
        return self.secrets.get(merchant)


class Reports:
    def __init__(self) -> None:
        self.reports: list[HourlyReport] = []
        self.bodies: list[object] = []
        self.outcome: RecordedReports | Exception = RecordedReports(accepted=1)

    async def record(self, reports: list[HourlyReport]) -> RecordedReports:
        self.reports += reports
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def record_bodies(self, bodies: list[object]) -> RecordedReports:
        self.bodies = bodies
        return await self.record([])


PAYOUT = Payout(
    id=9,
    created_at=datetime(2026, 2, 1, 6, tzinfo=UTC),
    grid_id=70,
    started_at=datetime(2025, 12, 31, 23, tzinfo=UTC),
    ended_at=datetime(2026, 1, 31, 23, tzinfo=UTC),
    status=PayoutStatus.WAITING_FOR_APPROVAL,
    proposed_amount=Decimal("2781536.895"),
    approved_amount=None,
    external_reference=None,
    draft_link=None,
    details={"payout": Decimal("2781536.895")},
    approved_by_account_id=None,
)


class Services:
    """The use cases of all roles."""

    def __init__(self) -> None:
        self.money = Area()
        self.registers = Area()
        self.people = Area()
        self.sites = Area()
        self.sites.download_pbg_connections.answer = _empty_list
        self.money.place_order.answer = 51
        self.money.initialise_order.answer = BegunPayment(order_id=52, public_key="FLWPUBK_TEST-1")
        self.money.reverse_order.answer = Reversed(order_id=51, entry_id=9)
        self.money.transfer_credit.answer = CreditTransfer(
            id=7,
            created_at=datetime(2026, 2, 1, 6, tzinfo=UTC),
            status=TransferStatus.PENDING,
            amount=Decimal(600),
            currency=Currency.NGN,
            sender_meter_id=1,
            receiver_meter_id=2,
            author_id=3,
            organization_id=9,
        )
        self.money.show_lost_revenue.answer = LostRevenue()
        self.money.draft_payout.answer = PAYOUT
        self.money.change_payout.answer = PAYOUT
        self.money.show_payout.answer = ShownPayout(payout=PAYOUT, grid=None, approved_by=None)
        self.money.resolve_suspense.answer = Resolution(
            entry_id=9,
            action=SuspenseAction.CREDIT,
            state=ResolutionState.CREDITED,
            reason="mistyped",
            author_account_id=1,
            order_id=53,
        )
        self.initialise_public_order = Verb(_initialised)
        self.check_public_order = Verb(
            PublicView(status=OrderStatus.PENDING, amount=Decimal("5.50"), external_reference="r")
        )
        self.cancel_public_order = Verb(OrderStatus.CANCELLED)
        self.verify_order = Verb(50)
        self.secrets = Secrets()
        self.webhook_guard = WebhookGuard(self.secrets, is_production=True)
        self.receive_gateway_event = Verb(True)
        self.chirpstack_ingress = ChirpStackIngress(lambda: INGRESS_KEY, metrics=IngressMetrics(CollectorRegistry()))
        self.apply_device_event = Verb()
        receive: Any = Verb()
        self.stand_alone_messaging = StandAloneMessaging(secret=None, receive=receive, forward=None)
        self.record_hourly_reports = Reports()
        self.clock = MemoryClock()


def _empty_list(*_: object) -> PbgList:
    async def rows() -> AsyncIterator[Sequence[Cell]]:
        for row in ():
            yield row

    return PbgList(filename="empty.csv", rows=rows())


def _initialised(purchase: PublicPurchase) -> InitialisedPurchase:
    return InitialisedPurchase(
        order_id=50,
        external_reference=purchase.external_reference or "made",
        organization_name="Sunny Grids",
        grid_name="Umuoke",
        meter_external_reference=purchase.meter_external_reference,
        customer_full_name=None,
        public_key="FLWPUBK_TEST-1",
    )


def application(role: str, services: Any, world: IdentityWorld) -> Any:
    match role:
        case "api":
            return build_api(services, gate=world.gate, settings=LOTS)
        case "telemetry":
            return build_telemetry(services, gate=world.gate, settings=LOTS)
        case "jobs":
            return build_jobs(gate=world.gate, settings=LOTS)
        case _:
            return build_provisioning(gate=world.gate, settings=LOTS)


async def refusal(response: Any) -> tuple[int, Any]:
    body = await response.json()
    assert body["statusCode"] == response.status
    return response.status, body["message"]
