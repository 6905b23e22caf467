"""``MerchantKeyStore``: one suite over memory and PostgreSQL."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import psycopg
import pytest

from nxt_adapters.memory.merchant_keys import MemoryMerchantKeys
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.merchant_keys import PostgresMerchantKeys
from nxt_adapters.system.secret_box import AesGcmBox
from nxt_domain.orders.merchants import MerchantKeys, MerchantKeyStore
from nxt_domain.shared.errors import InvalidInput, NotFound
from nxt_domain.shared.secrets import SecretLost

FIRST = MerchantKeys(public_key="PUBLIC-1", secret_key="secret-1", webhook_secret="hash-1")
SECOND = MerchantKeys(public_key="PUBLIC-2", secret_key="secret-2", webhook_secret="hash-2")


def box(name: str = "k1", byte: bytes = b"\x01") -> AesGcmBox:
    return AesGcmBox(f"{name}:{base64.b64encode(byte * 32).decode()}")


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[MerchantKeyStore]:
    if request.param == "memory":
        yield MemoryMerchantKeys({7: "Sunny", 8: "Other"})
        return
    url = request.getfixturevalue("relational_url")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("insert into organizations (id, name) values (7, 'Sunny'), (8, 'Other')")
    engine = create_engine(url, pool_size=2)
    yield PostgresMerchantKeys(engine, box())
    await engine.dispose()


async def test_keys_are_kept_and_rotated(store: MerchantKeyStore) -> None:
    """[PAY-84] [PAY-85] [REL-153] What was written last counts; nothing of it is shown."""
    assert await store.read(7) is None
    await store.write(7, FIRST, is_enabled=False)
    await store.write(8, SECOND, is_enabled=True)
    kept = await store.read(7)
    assert kept is not None
    assert (kept.keys, kept.is_enabled) == (FIRST, False)
    await store.write(7, SECOND, is_enabled=True)
    rotated = await store.read(7)
    assert rotated is not None
    assert (rotated.keys, rotated.is_enabled) == (SECOND, True)
    listed = await store.list()
    assert [(one.organization_id, one.organization_name, one.public_key, one.is_enabled) for one in listed] == [
        (7, "Sunny", "PUBLIC-2", True),
        (8, "Other", "PUBLIC-2", True),
    ]
    assert "secret-2" not in repr(listed) + repr(rotated)


async def test_an_account_is_switched(store: MerchantKeyStore) -> None:
    """[PAY-86] Switched off, its keys stay for payments under way."""
    assert await store.set_enabled(7, is_enabled=True) is False
    await store.write(7, FIRST, is_enabled=True)
    assert await store.set_enabled(7, is_enabled=False) is True
    off = await store.read(7)
    assert off is not None
    assert (off.is_enabled, off.keys) == (False, FIRST)


async def test_what_is_refused(store: MerchantKeyStore) -> None:
    with pytest.raises(NotFound):
        await store.write(999, FIRST, is_enabled=True)
    with pytest.raises(InvalidInput):
        await store.write(7, MerchantKeys(public_key="P", secret_key="s"), is_enabled=True)
    assert await store.read(7) is None


async def test_secrets_are_sealed_and_old_ones_forgotten(relational_url: str) -> None:
    """[PAY-82] [REL-142] [REL-154] No plain text in any table, one row per secret after a rotation."""
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute("insert into organizations (id, name) values (7, 'Sunny')")
        engine = create_engine(relational_url, pool_size=1)
        store = PostgresMerchantKeys(engine, box())
        for keys in (FIRST, SECOND):
            await store.write(7, keys, is_enabled=True)
        sealed = owner.execute("select purpose, ciphertext from internal.secrets order by purpose").fetchall()
        assert [purpose for purpose, _ in sealed] == ["FLUTTERWAVE_SECRET_KEY", "FLUTTERWAVE_WEBHOOK_SECRET"]
        assert all(b"secret" not in text and b"hash" not in text for _, text in sealed)
        # A ciphertext that was moved to another organization opens nothing.
        owner.execute("insert into organizations (id, name) values (8, 'Other')")
        owner.execute(
            "insert into internal.organization_payment_credentials (organization_id, flutterwave_enabled,"
            " flutterwave_public_key, flutterwave_secret_key_id, flutterwave_webhook_secret_id)"
            " select 8, true, flutterwave_public_key, flutterwave_secret_key_id, flutterwave_webhook_secret_id"
            " from internal.organization_payment_credentials where organization_id = 7"
        )
        with pytest.raises(SecretLost):
            await store.read(8)
        with pytest.raises(SecretLost):
            await PostgresMerchantKeys(engine, box("k2", b"\x02")).read(7)
        await engine.dispose()
