"""Decoder keys are sealed soon after a client writes them, and lost without their data key."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.decoder_keys import PostgresDecoderKeys
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.secret_store import PostgresSecretStore, Resealed
from nxt_adapters.supabase.session import TransactionSession
from nxt_adapters.system.secret_box import AesGcmBox
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.secrets import Sealed, SecretLost
from nxt_entrypoints.checkup import stores
from nxt_entrypoints.cli import main as cli
from nxt_entrypoints.database.baseline_seed import Baseline
from nxt_entrypoints.demo.seed import seed_relational

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


def data_key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


@pytest.fixture
async def engine(relational_url: str) -> AsyncIterator[AsyncEngine]:
    seed_relational(relational_url, Baseline(), NOW)
    opened = create_engine(relational_url, pool_size=2)
    yield opened
    await opened.dispose()


async def scalar(engine: AsyncEngine, statement: str) -> object:
    async with engine.connect() as connection:
        return (await connection.execute(text(statement))).scalar_one()


async def decoder_keys(engine: AsyncEngine, box: AesGcmBox, meter_ids: list[int]) -> dict[int, str]:
    async with engine.connect() as connection:
        found = await PostgresDecoderKeys(TransactionSession(connection), lambda: box).of_meters(meter_ids)
    return {meter_id: key.reveal() for meter_id, key in found.items()}


async def write_key(engine: AsyncEngine, meter_id: int, key: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text("update meters set decoder_key = :key where id = :id"), {"key": key, "id": meter_id}
        )


async def test_the_inbox_is_sealed_and_emptied(engine: AsyncEngine) -> None:
    """Nothing readable stays behind, neither in `meters` nor in the inbox [REL-141, REL-154]."""
    box = AesGcmBox(data_key("a"))
    store = PostgresSecretStore(engine, box)
    await write_key(engine, 1, "0123456789ABCDEF")
    assert await store.empty_inbox() == 45
    assert await store.empty_inbox() == 0
    assert await decoder_keys(engine, box, [1]) == {1: "0123456789ABCDEF"}
    assert await scalar(engine, "select count(decoder_key) from meters") == 0
    assert await scalar(engine, "select count(*) from internal.secrets") == 44
    assert await scalar(engine, "select count(*) from internal.secret_inbox") == 0
    leaks = "select count(*) from internal.secrets where position('0123456789ABCDEF'::bytea in ciphertext) > 0"
    assert await scalar(engine, leaks) == 0


async def test_a_new_value_replaces_the_old_one_and_an_empty_text_deletes_it(engine: AsyncEngine) -> None:
    """[REL-141]"""
    box = AesGcmBox(data_key("a"))
    store = PostgresSecretStore(engine, box)
    await store.empty_inbox()
    await write_key(engine, 2, "FEDCBA9876543210")
    await store.empty_inbox()
    assert await decoder_keys(engine, box, [2]) == {2: "FEDCBA9876543210"}
    assert await scalar(engine, "select count(*) from internal.secrets where owner_id = 2") == 1
    await write_key(engine, 2, "")
    await store.empty_inbox()
    assert await decoder_keys(engine, box, [2]) == {}
    assert await scalar(engine, "select count(*) from internal.secrets where owner_id = 2") == 0


async def test_older_keys_open_what_they_sealed(engine: AsyncEngine) -> None:
    """The first key seals, all open (R15)."""
    old, new = data_key("old"), data_key("new")
    await PostgresSecretStore(engine, AesGcmBox(old)).empty_inbox()
    both = AesGcmBox(f"{new},{old}")
    assert len(await decoder_keys(engine, both, [1, 2, 3])) == 3
    assert await PostgresSecretStore(engine, both).lost() == {}


async def test_r15_rotation_seals_everything_with_the_newest_key(
    engine: AsyncEngine, relational_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """[REL-154] Afterwards the old data key is not needed any more; what no key opens stays as it was."""
    old, new = data_key("old"), data_key("new")
    await PostgresSecretStore(engine, AesGcmBox(old)).empty_inbox()
    before = await decoder_keys(engine, AesGcmBox(old), [1, 2, 3])
    monkeypatch.setenv("NXT_SECRETS_KEYS", f"{new},{old}")
    assert await asyncio.to_thread(cli.run, ["secrets", "rotate", "--url", relational_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"resealed": 44, "lost": 0}
    assert await decoder_keys(engine, AesGcmBox(new), [1, 2, 3]) == before
    assert await scalar(engine, "select count(*) from internal.secrets where rotated_at is null") == 0
    assert await PostgresSecretStore(engine, AesGcmBox(f"{new},{old}")).reseal() == Resealed()
    stranger = PostgresSecretStore(engine, AesGcmBox(data_key("other")))
    assert await stranger.reseal(limit=10) == Resealed(lost=44)
    assert await decoder_keys(engine, AesGcmBox(new), [1, 2, 3]) == before


async def test_without_its_key_a_secret_is_lost_and_the_doctor_says_so(
    engine: AsyncEngine, relational_url: str
) -> None:
    """After a restore without the keys, `nxt doctor` says that decoder keys are lost (R59)."""
    key = data_key("kept-elsewhere")
    await PostgresSecretStore(engine, AesGcmBox(key)).empty_inbox()
    with pytest.raises(SecretLost):
        await decoder_keys(engine, AesGcmBox(data_key("other")), [1])
    (found,) = await stores.secrets(relational_url, data_key("x"))
    assert not found.ok
    assert "44 decoder and merchant keys are lost" in found.detail
    assert "kept-elsewhere" in found.advice
    (healthy,) = await stores.secrets(relational_url, key)
    assert healthy.ok


def test_a_ciphertext_opens_only_where_it_belongs() -> None:
    """Moved to another row, or changed by one bit, it opens nothing [REL-154]."""
    box = AesGcmBox(data_key("a"))
    sealed = box.seal("secret", context="METER_DECODER_KEY:meter:1")
    assert box.open(sealed, context="METER_DECODER_KEY:meter:1") == "secret"
    with pytest.raises(SecretLost):
        box.open(sealed, context="METER_DECODER_KEY:meter:2")
    flipped = bytes([sealed.ciphertext[0] ^ 1]) + sealed.ciphertext[1:]
    with pytest.raises(SecretLost):
        box.open(Sealed(ciphertext=flipped, key_id="a"), context="METER_DECODER_KEY:meter:1")


@pytest.mark.parametrize("keys", ["", "a", "a:", "a:zz", "a:" + base64.b64encode(bytes(16)).decode()])
def test_malformed_keys_are_refused_without_being_shown(keys: str) -> None:
    with pytest.raises(InvalidInput, match="NXT_SECRETS_KEYS must be"):
        AesGcmBox(keys)
