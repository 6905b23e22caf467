"""A deployment whose artifact names Paystack: its account, its webhooks, its check-up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from settings_samples import BASE, FLUTTERWAVE, SPLIT, capabilities

from nxt_adapters.flutterwave.accounts import FlutterwaveAccounts
from nxt_adapters.paystack.accounts import PaystackAccounts
from nxt_adapters.paystack.events import sign
from nxt_domain.orders.gateway_ports import UnknownPayment
from nxt_domain.shared.errors import InvalidInput, NotFound, Unavailable
from nxt_entrypoints.api.webhook_secrets import WebhookProof
from nxt_entrypoints.checkup.vendors import live
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.problems import ConfigInvalid
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings
from nxt_entrypoints.simulators.paystack.simulator import Paystack, PaystackConfig
from nxt_entrypoints.simulators.paystack.webhook import Merchant
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.wiring import payments

KEY = "sk_test_platform"
BODY = b'{"event":"charge.success","data":{"id":302961,"reference":"Sun=5FPower=2B47","status":"success"}}'
KEYS = {
    "PAYSTACK_API": "http://127.0.0.1:9",
    "PAYSTACK_PUBLIC_KEY": "pk_test_platform",
    "PAYSTACK_SECRET_KEY": KEY,
    "NXT_SECRETS_KEYS": FLUTTERWAVE["NXT_SECRETS_KEYS"],
}


def settings_of(keys: Mapping[str, str], *providers: str, **more: str) -> Settings:
    named = [{"provider": provider} for provider in providers]
    artifact = capabilities(payments={"enabled": True, "providers": named})
    return load_settings({**BASE, **SPLIT, **keys, **more, **artifact}, [Role.API])


def proof(signature: str | None, body: bytes = BODY) -> WebhookProof:
    return WebhookProof(secret_hash=None, signature=signature, body=body)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    simulator = Paystack(PaystackConfig(merchants=(Merchant(secret_key=KEY),)), StateStore())
    await simulator.start()
    yield simulator.http.url
    await simulator.stop()


async def test_the_first_provider_is_the_gateway() -> None:
    """[API-195] Each needs its own variables, and no others."""
    assert isinstance(payments.merchant_accounts(settings_of(KEYS, "paystack"), None), PaystackAccounts)
    assert isinstance(payments.merchant_accounts(settings_of(FLUTTERWAVE, "flutterwave"), None), FlutterwaveAccounts)
    both = settings_of({**KEYS, **FLUTTERWAVE}, "flutterwave", "paystack")
    assert isinstance(payments.merchant_accounts(both, None), FlutterwaveAccounts)
    with pytest.raises(ConfigInvalid, match=r'PAYSTACK_SECRET_KEY: missing .*"paystack"'):
        settings_of({name: value for name, value in KEYS.items() if name != "PAYSTACK_SECRET_KEY"}, "paystack")


async def test_the_platforms_account_takes_everything(url: str) -> None:
    """[PAY-84] [PAY-86] Organizations have no account here; what was begun with one of theirs waits."""
    accounts = payments.merchant_accounts(settings_of({**KEYS, "PAYSTACK_API": url}, "paystack"), None)
    account = await accounts.for_organization(7)
    assert (account.merchant, account.organization_id, account.public_key) == ("platform", None, "pk_test_platform")
    with pytest.raises(UnknownPayment):
        await account.gateway.verify_by_reference("a_b")
    with pytest.raises(UnknownPayment):
        await (await accounts.for_merchant("platform")).gateway.verify_by_id("1")
    with pytest.raises(Unavailable):
        await accounts.for_merchant("org:7")
    await accounts.close()


async def test_webhooks_are_known_by_their_signature() -> None:
    """[PAY-68] With the secret key, over the bytes; an organization has no address of its own."""
    settings = settings_of(KEYS, "paystack", NXT_ENV="staging")
    guard = payments.webhook_guard(settings, payments.merchant_accounts(settings, None))
    await guard.check("platform", proof(sign(BODY, KEY)))
    for forged in (proof(None), proof("00"), proof(sign(BODY, "sk_test_other")), proof(sign(BODY, KEY), BODY + b" ")):
        with pytest.raises(InvalidInput, match="Invalid webhook signature"):
            await guard.check("platform", forged)
    with pytest.raises(InvalidInput):
        await guard.check("platform", WebhookProof(secret_hash=KEY, signature=None, body=BODY))
    with pytest.raises(NotFound):
        await guard.check("org:7", proof(sign(BODY, KEY)))


def test_events_are_read_as_the_gateway_writes_them() -> None:
    """[PAY-69] [PAY-71]"""
    theirs: Any = {"event": "charge.success", "data": {"id": 5, "reference": "a=5Fb"}}
    assert payments.event_reader(settings_of(KEYS, "paystack"))(theirs).reference == "a_b"
    ours: Any = {"event": "charge.completed", "data": {"id": 5, "tx_ref": "a_b"}}
    assert payments.event_reader(settings_of(FLUTTERWAVE, "flutterwave"))(ours).reference == "a_b"


async def test_the_check_up_asks_with_the_key(url: str) -> None:
    """[PAY-130] A wrong key is found before the first buyer finds it."""
    for key, is_fine in ((KEY, True), ("sk_test_wrong", False)):
        settings = settings_of({**KEYS, "PAYSTACK_API": url, "PAYSTACK_SECRET_KEY": key}, "paystack")
        first, *others = live(settings, "")
        for other in others:
            other.close()
        (found,) = await first
        assert (found.what, found.ok) == ("Paystack", is_fine)
        assert "PAYSTACK_SECRET_KEY" in found.advice
