"""A village that pays, whatever its stores: use cases, shortcuts, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs

from nxt_adapters.flutterwave.events import read_event
from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.gateway_payments import MemoryMerchantAccounts
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_domain.meters.use_cases.top_ups import TopUpRequest
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.model import Order, PaymentChannel, PaymentMethod
from nxt_domain.orders.use_cases.gateway_events import ProcessGatewayEvents, ReceiveGatewayEvent
from nxt_domain.orders.use_cases.place_order import OrderDraft, OrderPlacement
from nxt_domain.orders.use_cases.public_orders import InitialisePublicOrder, PublicPurchase
from nxt_domain.orders.use_cases.reconcile import ReconcileGatewayOrders
from nxt_domain.orders.use_cases.settle_orders import SettleOrders
from nxt_domain.orders.use_cases.verification import PaymentVerification
from nxt_domain.shared.money import Currency
from nxt_domain.wallets.accounts import manual_account, wallet_account
from nxt_domain.wallets.model import Entry, EntryType, Posting

SYSTEM_WALLET = 968
PLATFORM_ORGANIZATION = 2
ORGANIZATION_NAME = "Sun Power Ltd"
METER, FREE_METER = "47001771477", "47001771485"
NEW_METER, UNREADY_METER = "47001771493", "47001771501"


class RecordingTopUps:
    """Stands for the meters' room: remembers the requests of transactions that asked, and may refuse."""

    def __init__(self) -> None:
        self.requests: list[TopUpRequest] = []
        self.refuse: Callable[[TopUpRequest], None] = lambda _request: None

    async def create_for_orders(self, tx: object, requests: Sequence[TopUpRequest]) -> None:
        for request in requests:
            self.refuse(request)
        self.requests += requests

    def of(self, order_id: int) -> list[TopUpRequest]:
        return [request for request in self.requests if request.order_id == order_id]


@attrs.frozen(kw_only=True)
class Row:
    """A row of ``transactions``."""

    amount: Decimal
    wallet_id: int
    status: str
    before: Decimal
    after: Decimal


class PaymentsWorld:
    """Everything around the use cases; ``open_memory`` and ``open_postgres`` fill in the stores.

    The essential tariff is 300; the second meter has none (own 0 is missing, its grid sells at 0).
    """

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.wake_ups = MemoryWakeUps()
        self.accounts = MemoryMerchantAccounts()
        self.top_ups = RecordingTopUps()
        self.system = SYSTEM_WALLET
        self.organization_wallet = self.agent_wallet = self.customer_wallet = 0
        self.meter_wallet = self.free_meter_wallet = self.connection_wallet = 0
        self.organization_id = self.grid_id = self.connection_id = self.agent_account_id = 0

    def begin(self) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the store."""

    # -- use cases ------------------------------------------------------------------------------

    @property
    def placement(self) -> OrderPlacement:
        return OrderPlacement(clock=self.clock, platform_organization_id=PLATFORM_ORGANIZATION)

    @property
    def initialise(self) -> InitialisePublicOrder:
        return InitialisePublicOrder(
            begin=self.begin,
            placement=self.placement,
            accounts=self.accounts,
            clock=self.clock,
            system_wallet_id=self.system,
            is_production=True,
        )

    @property
    def verification(self) -> PaymentVerification:
        return PaymentVerification(begin=self.begin, accounts=self.accounts, clock=self.clock, wake_ups=self.wake_ups)

    @property
    def receive(self) -> ReceiveGatewayEvent:
        return ReceiveGatewayEvent(begin=self.begin, read_event=read_event, wake_ups=self.wake_ups)

    @property
    def process(self) -> ProcessGatewayEvents:
        return ProcessGatewayEvents(begin=self.begin, verification=self.verification, clock=self.clock)

    @property
    def reconcile(self) -> ReconcileGatewayOrders:
        return ReconcileGatewayOrders(begin=self.begin, verification=self.verification, clock=self.clock)

    def settle(self, batch_size: int = 200) -> SettleOrders[Any]:
        return SettleOrders(
            begin=self.begin,
            top_ups=self.top_ups,
            clock=self.clock,
            wake_ups=self.wake_ups,
            batch_size=batch_size,
        )

    # -- shortcuts ------------------------------------------------------------------------------

    async def buy(
        self,
        amount: str = "1000",
        reference: str | None = None,
        *,
        meter: str = METER,
        currency: Currency = Currency.NGN,
    ) -> Order:
        """Begin a purchase on the public page."""
        bought = await self.initialise(
            PublicPurchase(
                meter_external_reference=meter,
                amount=Decimal(amount),
                currency=currency,
                payment_channel=PaymentChannel.NIFFLER,
                external_reference=reference,
            )
        )
        return await self.order(bought.order_id)

    async def send(self, sender: int, receiver: int, amount: str) -> Order:
        """Place an order that a wallet pays."""
        async with self.begin() as tx:
            order: Order = await self.placement.from_wallet(
                tx,
                OrderDraft(
                    sender_wallet_id=sender,
                    receiver_wallet_id=receiver,
                    amount=Decimal(amount),
                    currency=Currency.NGN,
                    channel=PaymentChannel.AYRTON,
                ),
                require=lambda sender: None,
            )
            await tx.commit()
        return order

    async def fund(self, wallet_id: int, amount: str, key: str = "funding") -> None:
        """Give a wallet money from outside."""
        postings = [Posting(wallet_account(wallet_id), Decimal(amount)), Posting(manual_account(), -Decimal(amount))]
        entry = Entry(key=f"{key}:{wallet_id}", entry_type=EntryType.ADJUSTMENT, postings=postings, memo="test")
        async with self.begin() as tx:
            await tx.ledger.post([entry])
            await tx.commit()

    def pay(self, order: Order, *, tx_id: str = "8321945", amount: str | None = None, **changes: Any) -> None:
        """Let the payer pay (or fail to) at the gateway, without a webhook."""
        facts: dict[str, Any] = {
            "id": tx_id,
            "reference": order.external_reference,
            "state": PaymentState.PAID,
            "status": "successful",
            "amount": order.amount if amount is None else Decimal(amount),
            "currency": "NGN",
            "payment_type": "card",
            "method": PaymentMethod.CREDIT_CARD,
        }
        self.accounts.platform.put(GatewayTransaction(**(facts | changes)))

    def refuse(self, order: Order, *, tx_id: str = "8321945") -> None:
        """Let the bank refuse."""
        self.pay(order, tx_id=tx_id, state=PaymentState.REFUSED, status="failed")

    async def webhook(self, order: Order, *, tx_id: str = "8321945", status: str = "successful") -> bool:
        """Deliver a webhook and work off what it left."""
        body = {
            "event": "charge.completed",
            "data": {"id": int(tx_id), "tx_ref": order.external_reference, "status": status, "amount": 1},
        }
        is_new = await self.receive("platform", body)
        await self.process(await self.waiting_events())
        return is_new

    async def order(self, order_id: int) -> Order:
        async with self.begin() as tx:
            found: Order | None = await tx.orders.find(order_id=order_id)
        assert found is not None
        return found

    async def balance(self, wallet_id: int) -> Decimal:
        code = wallet_account(wallet_id)
        async with self.begin() as tx:
            balances = await tx.ledger.balances([code])
        return Decimal(balances[code])

    async def suspense(self) -> Decimal:
        code = "suspense:gateway:platform"
        async with self.begin() as tx:
            return Decimal((await tx.ledger.balances([code]))[code])

    async def phone_session(self, phone: str, account_id: int | None = None) -> int:
        """Let somebody call in, and return the session's id."""
        raise NotImplementedError

    # -- what the stores show -------------------------------------------------------------------

    async def rows(self, order_id: int) -> list[Row]:
        raise NotImplementedError

    async def messages(self) -> list[str]:
        raise NotImplementedError

    async def alerts(self) -> list[str]:
        raise NotImplementedError

    async def waiting_events(self) -> list[int]:
        raise NotImplementedError

    async def paid_fees(self) -> Decimal:
        raise NotImplementedError
