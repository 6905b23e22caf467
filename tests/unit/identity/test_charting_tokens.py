"""Tokens for the charting tool."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.people_world import ADA

from nxt_adapters.jwt.signer import Rs256Signer
from nxt_adapters.memory.database import MemoryClock
from nxt_domain.identity.use_cases.charting_tokens import IssueChartingTokens
from nxt_domain.shared.errors import Unavailable

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
CALLED_AT = datetime.fromtimestamp(1_700_000_000, UTC)


def issue(pem: str) -> IssueChartingTokens:
    return IssueChartingTokens(signer=Rs256Signer(pem), clock=MemoryClock(CALLED_AT), access_life=timedelta(hours=1))


async def test_the_worked_example() -> None:
    """[API-60] One hour, thirty days; user name and account id as text; RS256."""
    tokens = await issue(PEM)(attrs.evolve(ADA, account_id=5, email="ada@sunny.example"))
    read = [
        jwt.decode(token, KEY.public_key(), algorithms=["RS256"], options={"verify_exp": False})
        for token in (tokens.access_token, tokens.refresh_token)
    ]
    assert read == [
        {"username": "ada@sunny.example", "sub": "5", "iat": 1_700_000_000, "exp": expires}
        for expires in (1_700_003_600, 1_702_592_000)
    ]
    assert tokens.access_token not in repr(tokens)


async def test_without_a_usable_key_nothing_is_signed() -> None:
    """[API-21] 503 with the variable's name, and no part of the key."""
    with pytest.raises(Unavailable, match="PRIVATE_KEY") as refused:
        await issue("no key")(ADA)
    assert "no key" not in refused.value.message
