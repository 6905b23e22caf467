"""An organization's own merchant account, from its sealed keys to the settled order, against the simulated gateway."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import settle_all

from nxt_adapters.flutterwave.accounts import FlutterwaveAccounts
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.merchant_keys import PostgresMerchantKeys
from nxt_adapters.system.secret_box import AesGcmBox
from nxt_domain.orders.merchants import MerchantKeys
from nxt_domain.orders.model import Order
from nxt_domain.orders.states import OrderStatus
from nxt_entrypoints.simulators.flutterwave.simulator import Flutterwave, FlutterwaveConfig
from nxt_entrypoints.simulators.flutterwave.webhook import Merchant
from nxt_entrypoints.simulators.state import StateStore

QUICK = CallPolicy(timeout_s=2.0, retry=RetryPolicy(attempts=1))
PLATFORM = MerchantKeys(public_key="PUBLIC-platform", secret_key="FLWSECK_TEST-platform", webhook_secret="hash")


class Village(PostgresWorld):
    """The village, at a gateway with two merchant accounts."""

    def __init__(self, url: str, gateway: Flutterwave) -> None:
        super().__init__(url, create_engine(url, pool_size=4))
        self.gateway = gateway
        box = AesGcmBox(f"k1:{base64.b64encode(bytes(32)).decode()}")
        self.keys = PostgresMerchantKeys(self.engine, box)
        self.merchant = f"org:{self.organization_id}"
        self.accounts = FlutterwaveAccounts(  # type: ignore[assignment]  # the real ones, where others have fakes
            base_url=f"{gateway.http.url}/v3",
            platform=PLATFORM,
            credentials=self.keys,
            credentials_ttl_s=0,
            policy=QUICK,
        )

    async def own_account(self, secret_key: str = "FLWSECK_TEST-own", *, is_enabled: bool = True) -> None:
        keys = MerchantKeys(public_key="PUBLIC-own", secret_key=secret_key, webhook_secret="own-hash")
        await self.keys.write(self.organization_id, keys, is_enabled=is_enabled)

    async def pay_at(self, order: Order, merchant: str) -> int:
        """Let the payer pay at one of the accounts; return the gateway's transaction."""
        body = {"tx_ref": order.external_reference, "amount": str(order.amount), "currency": "NGN"}
        async with (
            aiohttp.ClientSession() as payer,
            payer.post(f"{self.gateway.http.url}/pay", json={**body, "merchant": merchant}) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return int((await answer.json())["id"])

    async def told(self, merchant: str, order: Order, tx_id: int) -> None:
        """Receive a webhook at an account's address, and work it off."""
        data = {"id": tx_id, "tx_ref": order.external_reference, "status": "successful"}
        await self.receive(merchant, {"event": "charge.completed", "data": data})
        await self.process(await self.waiting_events())


@pytest.fixture
async def village(relational_url: str) -> AsyncIterator[Village]:
    own = Merchant(name="own", secret_key="FLWSECK_TEST-own")
    gateway = Flutterwave(
        FlutterwaveConfig(merchants=(Merchant(secret_key=PLATFORM.secret_key), own), webhook_retries=0), StateStore()
    )
    await gateway.start()
    made = Village(relational_url, gateway)
    yield made
    await made.accounts.close()  # type: ignore[attr-defined]  # see above
    await made.close()
    await gateway.stop()


async def test_money_goes_to_the_own_account_and_is_booked_there(village: Village) -> None:
    """[PAY-81] [PAY-86] [PAY-34] [PAY-83] Routing, verification with its keys, and the account of the ledger."""
    await village.own_account()
    order = await village.buy("1000")
    assert order.routing_organization_id == village.organization_id
    await village.told(village.merchant, order, await village.pay_at(order, "own"))
    await settle_all(village)
    assert (await village.order(order.id)).status is OrderStatus.COMPLETED
    code = "select balance from internal.ledger_accounts where code = %s"
    village.one("select internal.refresh_hot_balances()")
    assert village.one(code, f"external:gateway:{village.merchant}") == Decimal(-1000)


async def test_switching_an_account_strands_no_order(village: Village) -> None:
    """[PAY-198] 18 [PAY-86] Verified with the account it was made with, in both directions."""
    await village.own_account(is_enabled=False)
    before = await village.buy("500", reference="before")
    await village.own_account()
    after = await village.buy("700", reference="after")
    assert (before.routing_organization_id, after.routing_organization_id) == (None, village.organization_id)
    await village.keys.set_enabled(village.organization_id, is_enabled=False)
    await village.told("platform", before, await village.pay_at(before, "platform"))
    await village.told(village.merchant, after, await village.pay_at(after, "own"))
    await settle_all(village)
    for order in (before, after):
        assert (await village.order(order.id)).status is OrderStatus.COMPLETED


async def test_an_event_at_the_wrong_address_touches_nothing(village: Village) -> None:
    """[PAY-87] Stored, ignored and alerted."""
    await village.own_account()
    order = await village.buy("1000")
    tx_id = await village.pay_at(order, "own")
    await village.told("platform", order, tx_id)
    assert (await village.order(order.id)).status is OrderStatus.INITIALISED
    assert await village.alerts() != []
    await village.told(village.merchant, order, tx_id)
    assert (await village.order(order.id)).status is OrderStatus.PENDING


async def test_rotated_keys_count_without_a_restart(village: Village) -> None:
    """[PAY-84] [PAY-85] The first call is refused, the keys are read anew, and the second one is answered."""
    await village.own_account("FLWSECK_TEST-old")
    order = await village.buy("1000")
    account = await village.accounts.for_merchant(village.merchant)
    await village.own_account("FLWSECK_TEST-own")
    tx_id = await village.pay_at(order, "own")
    assert (await account.gateway.verify_by_reference(order.external_reference or "")).id == str(tx_id)
