"""An operator with villages full of meters, and the product's own objects over it, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import attrs
from _harness import progress
from dependency_injector import providers

from nxt_adapters.chirpstack import PLUGIN_ID
from nxt_adapters.memory.plugins import StubPush
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.tuning import Tuning
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.gateway_ports import MerchantAccount, UnknownPayment
from nxt_domain.orders.model import PaymentMethod
from nxt_domain.shared.ids import UlidFactory
from nxt_entrypoints.container import Container
from nxt_entrypoints.database.baseline_seed import Baseline, seed
from nxt_entrypoints.database.migrate import connected
from nxt_entrypoints.demo.environment import DemoAddresses, new_secrets, role_environment
from nxt_entrypoints.demo.operator import SeededMeter, SeededOperator, seed_operator
from nxt_entrypoints.demo.villages import ChargerPlan, House, VillagePlan, meter_number
from nxt_entrypoints.embedded.stack import EmbeddedStack
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

BASELINE = Baseline()
TARIFF = Decimal(250)
_NOWHERE = "http://127.0.0.1:9"
_METERS_PER_VILLAGE = 500


def build(url: str, meters: int) -> SeededOperator:
    """Seed an operator with so many installed meters, at most 500 a village."""
    progress(f"seeding {meters} meters")
    seed(url, BASELINE)
    villages = [
        _plan(first, min(_METERS_PER_VILLAGE, meters - first)) for first in range(0, meters, _METERS_PER_VILLAGE)
    ]
    with connected(url) as connection, connection.begin():
        operator = seed_operator(
            connection,
            villages,
            platform_organization_id=BASELINE.platform_organization_id,
            now=datetime.now(UTC),
        )
    with connected(url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum analyze")
    return operator


def _plan(first: int, houses: int) -> VillagePlan:
    ordinal = first // _METERS_PER_VILLAGE + 1
    return VillagePlan(
        name=f"Bench {ordinal}",
        tariff=TARIFF,
        latitude=7.4,
        longitude=4.8,
        portal_id=f"c0619ab2{ordinal:04x}",
        site_id=str(500_000 + ordinal),
        gateways=(f"a84041ffff{ordinal:06x}",),
        houses=tuple(_house(first + index) for index in range(houses)),
        chargers=(ChargerPlan(reference=f"9{ordinal:03d}", instance=279, kw=Decimal("10.92"), azimuth=153, tilt=10),),
    )


def _house(serial: int) -> House:
    return House(
        name=f"House {serial}",
        phone=f"2348{serial:09d}",
        meter_number=meter_number(serial),
        scale=1.0,
        pole=serial % 12,
        women_impacted=0,
        is_commercial=False,
    )


class PaidGateway:
    """A payment gateway where every known reference has been paid in full; it answers at once."""

    def __init__(self) -> None:
        self._amounts: dict[str, tuple[str, Decimal]] = {}

    def pay(self, reference: str, amount: Decimal) -> int:
        """Let a payer pay; return the transaction's id."""
        transaction_id = len(self._amounts) + 1
        self._amounts[reference] = (str(transaction_id), amount)
        return transaction_id

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """See ``PaymentGateway``."""
        if reference not in self._amounts:
            raise UnknownPayment("nobody paid that")
        transaction_id, amount = self._amounts[reference]
        return GatewayTransaction(
            id=transaction_id,
            reference=reference,
            state=PaymentState.PAID,
            status="successful",
            amount=amount,
            currency="NGN",
            payment_type="card",
            method=PaymentMethod.CREDIT_CARD,
        )

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """See ``PaymentGateway``."""
        raise UnknownPayment("payers here pay once")


class OneAccount:
    """``MerchantAccounts`` with the platform's account alone.

    Args:
        gateway: Its gateway.
    """

    def __init__(self, gateway: PaidGateway) -> None:
        self._account = MerchantAccount(
            merchant="platform",
            organization_id=None,
            public_key="PUBLIC",
            gateway=gateway,  # type: ignore[arg-type]  # it is only asked what was paid
        )

    async def for_organization(self, organization_id: int | None) -> MerchantAccount:
        """See ``MerchantAccounts``."""
        return self._account

    async def for_merchant(self, merchant: str) -> MerchantAccount:
        """See ``MerchantAccounts``."""
        return self._account


class QuickNetwork(StubPush):
    """The LoRaWAN plug-in's place, taken by a network server that accepts everything at once."""

    plugin_id = PLUGIN_ID


@attrs.frozen(kw_only=True)
class Village:
    """The product in this process, over real stores; only radio and payment gateway are stand-ins.

    Attributes:
        agent_wallet_id: The wallet of one of its agents.
        relational_url: Of its database, as the owner.
        environment: What the container was configured from, for further processes.
    """

    container: Container
    gateway: PaidGateway
    network: QuickNetwork
    meters: Sequence[SeededMeter]
    agent_wallet_id: int
    relational_url: str
    environment: Mapping[str, str]


@asynccontextmanager
async def open_village(stack: EmbeddedStack, meters: int, relational_url: str | None = None) -> AsyncIterator[Village]:
    """Seed a stack's databases and wire the container over them.

    Args:
        stack: Stores with both planes migrated.
        meters: How many there are.
        relational_url: Another migrated database than the stack's own.
    """
    url = relational_url or stack.relational_url
    operator = await asyncio.to_thread(build, url, meters)
    environment, gateway = {**_environment(stack), "NXT_DB_URL": url}, PaidGateway()
    container = wire(environment, gateway)
    network = container.plugins().push[PLUGIN_ID]
    if not isinstance(network, QuickNetwork):
        raise TypeError("the container was wired with another network")
    while await container.secret_store().empty_inbox():
        pass  # seal the meters' keys, as the jobs role has long done with those of real ones
    try:
        yield Village(
            container=container,
            gateway=gateway,
            network=network,
            meters=[meter for village in operator.villages for meter in village.meters],
            agent_wallet_id=operator.villages[0].agent_wallet_id,
            relational_url=url,
            environment=environment,
        )
    finally:
        await container.engine().dispose()
        await container.valkey().aclose()


def wire(environment: Mapping[str, str], gateway: PaidGateway | None = None) -> Container:
    """Wire the product's container with stand-ins for gateway and radio: no admission, no delays [R9]."""
    container = Container(settings=load_settings(environment, [Role.JOBS]))
    network = QuickNetwork(UlidFactory(container.clock()))
    tuning = Tuning(min_interval_ms=0, max_in_flight=0)
    container.merchant_accounts.override(providers.Object(OneAccount(gateway or PaidGateway())))
    container.plugins.override(providers.Object(PluginSet.of(push=[network], tunings={PLUGIN_ID: tuning})))
    container.wake_ups.override(providers.Object(MemoryWakeUps()))
    return container


def _environment(stack: EmbeddedStack) -> Mapping[str, str]:
    nowhere = {field.name: _NOWHERE for field in attrs.fields(DemoAddresses)}
    stores = {
        "relational_url": stack.relational_url,
        "series_url": stack.series_url,
        "valkey_url": stack.valkey_url,
        "mqtt_url": stack.mqtt_url,
        "chirpstack_grpc": _NOWHERE.removeprefix("http://"),
    }
    return {**role_environment(DemoAddresses(**{**nowhere, **stores}), new_secrets()), "NXT_PORT": "1"}
