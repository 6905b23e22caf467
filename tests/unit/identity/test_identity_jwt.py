"""The matrix of user tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from nxt_adapters.jwt.key_set import KeySet
from nxt_adapters.jwt.verifier import JwtVerifier
from nxt_adapters.memory.database import MemoryClock
from nxt_domain.identity.model import TokenClaims
from nxt_domain.shared.errors import Unauthenticated, Unavailable

SECRET = "a shared secret that is long enough for all three digests: 64 bytes or more"
NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
CLAIMS: dict[str, Any] = {
    "sub": "00000000-0000-4000-8000-000000000002",
    "aud": "authenticated",
    "exp": int(NOW.timestamp()) + 3600,
    "iat": int(NOW.timestamp()) + 5,  # the provider's clock is ahead: not our business
    "email": "m@example.org",
    "user_metadata": {"full_name": "Member"},
    "app_metadata": {"account_id": 2},
}
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def jwk(kid: str, key: Any, **more: object) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **more}


class Provider:
    """A key set that can be counted, changed and taken away."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys: list[Any] = list(keys)
        self.is_away = False
        self.asked = 0
        self.now = 1000.0

    async def fetch(self) -> Mapping[str, Any]:
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        return {"keys": self.keys}

    def key_set(self) -> KeySet:
        return KeySet(self.fetch, now=lambda: self.now)


def by_secret() -> JwtVerifier:
    return JwtVerifier(clock=MemoryClock(NOW), secret=SECRET)


def by_keys(provider: Provider, *, secret: str | None = None) -> JwtVerifier:
    return JwtVerifier(clock=MemoryClock(NOW), secret=secret, key_set=provider.key_set())


def signed(claims: Mapping[str, Any] | None = None, **options: Any) -> str:
    return jwt.encode(
        {**CLAIMS, **(claims or {})},
        options.pop("key", SECRET),
        algorithm=options.pop("algorithm", "HS256"),
        headers=options.pop("headers", None),
    )


def handmade(header: Mapping[str, Any], claims: Mapping[str, Any], key: bytes) -> str:
    """Sign with HMAC whatever the header says, as a forger would."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    head = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{head}.{part(hmac.new(key, head.encode(), hashlib.sha256).digest())}"


async def refused(verifier: JwtVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        await verifier.verify(token)
    assert refusal.value.message == "Invalid or expired token"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_tokens_of_the_shared_secret(algorithm: str) -> None:
    """[API-44] [API-45] [R42] An ``iat`` ahead of our clock is no reason to refuse."""
    assert await by_secret().verify(signed(algorithm=algorithm)) == TokenClaims(
        subject=CLAIMS["sub"],
        account_id=2,
        email="m@example.org",
        full_name="Member",
        expires_at=NOW + timedelta(hours=1),
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(NOW.timestamp())},
        {"exp": int(NOW.timestamp()) - 1},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": 1e400},
        {"nbf": int(NOW.timestamp()) + 1},
        {"nbf": "0"},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": ""},
        {"aud": {"authenticated": True}},
    ],
)
async def test_times_and_audience_have_no_leeway(claims: dict[str, Any]) -> None:
    """[API-44]"""
    await refused(by_secret(), signed(claims))


async def test_a_token_without_expiry_is_refused() -> None:
    """[API-44]"""
    claims = {name: value for name, value in CLAIMS.items() if name != "exp"}
    await refused(by_secret(), jwt.encode(claims, SECRET, algorithm="HS256"))


@pytest.mark.parametrize(
    "claims", [{"aud": ["x", "authenticated"]}, {"aud": None}, {"nbf": int(NOW.timestamp())}, {"exp": 10**15}]
)
async def test_what_the_contract_allows_passes(claims: dict[str, Any]) -> None:
    """[API-44]"""
    assert (await by_secret().verify(signed(claims))).account_id == 2


@pytest.mark.parametrize(
    ("claims", "subject", "account_id"),
    [
        ({"sub": None}, None, 2),
        ({"sub": ""}, None, 2),
        ({"sub": 5}, None, 2),
        ({"app_metadata": None}, CLAIMS["sub"], None),
        ({"app_metadata": "x"}, CLAIMS["sub"], None),
        ({"app_metadata": {}}, CLAIMS["sub"], None),
        ({"app_metadata": {"account_id": "2"}}, CLAIMS["sub"], None),
        ({"app_metadata": {"account_id": True}}, CLAIMS["sub"], None),
        ({"app_metadata": {"account_id": 0}}, CLAIMS["sub"], None),
        ({"app_metadata": {"account_id": 2**31}}, CLAIMS["sub"], None),
        ({"user_metadata": None, "email": 5}, CLAIMS["sub"], 2),
    ],
)
async def test_missing_claims_are_missing_not_errors(
    claims: dict[str, Any], subject: str | None, account_id: int | None
) -> None:
    """[API-45]"""
    read = await by_secret().verify(signed(claims))
    assert (read.subject, read.account_id) == (subject, account_id)


async def test_wrong_or_missing_signatures_are_refused() -> None:
    """[API-44]"""
    good = signed()
    head, payload, signature = good.split(".")
    nothing = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    for token in (
        signed(key="another secret that is long enough for all three digests: 64 bytes"),
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{nothing}.{payload}.",
        f"{nothing}.{payload}.{signature}",
        handmade({"alg": "None"}, CLAIMS, SECRET.encode()),
        handmade({"alg": "NONE"}, CLAIMS, b""),
        handmade({"alg": ["HS256"]}, CLAIMS, SECRET.encode()),
        handmade({"alg": "HS1"}, CLAIMS, SECRET.encode()),
        "",
        "a.b.c",
        "x" * 20_000,
        "ü.ü.ü",
    ):
        await refused(by_secret(), token)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
async def test_tokens_of_published_keys(key: Any, algorithm: str) -> None:
    """[API-44]"""
    provider = Provider(jwk("k1", key))
    token = signed(key=key, algorithm=algorithm, headers={"kid": "k1"})
    assert (await by_keys(provider).verify(token)).account_id == 2


async def test_no_algorithm_is_confused_with_another() -> None:
    """[API-44] A public key is no shared secret; a key signs only with its own kind's algorithm."""
    provider = Provider(jwk("rsa", RSA_KEY), jwk("ec", EC_KEY))
    public = RSA_KEY.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = [
        handmade({"alg": "HS256", "kid": "rsa"}, CLAIMS, key)
        for key in (pem, der, json.dumps(jwk("rsa", RSA_KEY)).encode())
    ]
    for verifier in (by_keys(provider), by_keys(provider, secret=SECRET)):
        for token in (
            *forged,
            handmade({"alg": "RS256", "kid": "rsa"}, CLAIMS, SECRET.encode()),
            signed(key=OTHER_RSA_KEY, algorithm="RS256", headers={"kid": "rsa"}),
            signed(key=RSA_KEY, algorithm="RS256", headers={"kid": "ec"}),
            signed(key=EC_KEY, algorithm="ES256", headers={"kid": "rsa"}),
            signed(key=RSA_KEY, algorithm="RS384", headers={"kid": "rsa"}),
            signed(key=RSA_KEY, algorithm="PS256", headers={"kid": "rsa"}),
            signed(key=RSA_KEY, algorithm="RS256"),
            signed(key=RSA_KEY, algorithm="RS256", headers={"kid": "unknown"}),
        ):
            await refused(verifier, token)
    await refused(by_keys(provider), signed())
    await refused(by_secret(), signed(key=RSA_KEY, algorithm="RS256", headers={"kid": "rsa"}))
    # A key in the token's own header is the forger's.
    own = signed(key=OTHER_RSA_KEY, algorithm="RS256", headers={"kid": "x", "jwk": jwk("x", OTHER_RSA_KEY)})
    await refused(by_keys(provider), own)


async def test_keys_that_are_not_for_signatures_are_left_out() -> None:
    """[API-44]"""
    oct_key = {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(SECRET.encode()).decode()}
    p384 = jwk("p384", ec.generate_private_key(ec.SECP384R1()))
    provider = Provider(jwk("enc", RSA_KEY, use="enc"), jwk("ps", RSA_KEY, alg="PS256"), oct_key, p384)
    provider.keys += [None, "x", {"kty": "RSA", "kid": "broken", "n": "!"}, {"kty": "RSA"}]
    verifier = by_keys(provider)
    for kid in ("enc", "ps", "broken"):
        await refused(verifier, signed(key=RSA_KEY, algorithm="RS256", headers={"kid": kid}))
    await refused(verifier, signed(headers={"kid": "shared"}))


async def test_the_key_set_is_asked_for_seldom() -> None:
    """[API-44] Ten minutes fresh; for an unknown id again, at most once per 30 s."""
    provider = Provider(jwk("k1", RSA_KEY))
    keys = provider.key_set()
    assert await keys.find("k1") is not None
    assert await keys.find("k1") is not None
    assert provider.asked == 1
    for _ in range(10):
        assert await keys.find("k2") is None
    assert provider.asked == 1
    provider.now += 30
    provider.keys.append(jwk("k2", EC_KEY))
    assert await keys.find("k2") is not None
    assert provider.asked == 2
    provider.now += 599
    assert await keys.find("k1") is not None
    assert provider.asked == 2
    provider.now += 1
    provider.keys = [jwk("k2", EC_KEY)]
    assert await keys.find("k1") is None
    assert provider.asked == 3


async def test_an_outage_of_the_provider_signs_nobody_out() -> None:
    """[REL-178] [API-16] [API-44] Keys in hand stay in use; without any, the answer is 503, not 401."""
    provider = Provider(jwk("k1", RSA_KEY))
    verifier = by_keys(provider)
    token = signed(key=RSA_KEY, algorithm="RS256", headers={"kid": "k1"})
    provider.is_away = True
    with pytest.raises(Unavailable):
        await verifier.verify(token)
    provider.is_away = False
    provider.now += 1
    assert (await verifier.verify(token)).account_id == 2
    provider.is_away = True
    provider.now += 10_000
    assert (await verifier.verify(token)).account_id == 2


def test_without_secret_and_keys_nothing_can_be_verified() -> None:
    """[API-44]"""
    with pytest.raises(ValueError, match="secret or a key set"):
        JwtVerifier(clock=MemoryClock(NOW))


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
async def test_any_text_is_refused_in_one_way(text: str) -> None:
    """[API-38] [API-44]"""
    await refused(by_secret(), text)


@given(
    st.dictionaries(
        st.sampled_from(["exp", "nbf", "aud", "sub", "app_metadata", "user_metadata", "email"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.integers())
        | st.dictionaries(st.sampled_from(["account_id", "full_name"]), st.none() | st.integers() | st.text()),
    )
)
async def test_any_signed_claims_are_read_or_refused(claims: dict[str, Any]) -> None:
    """[API-45] Never an error of another kind."""
    token = handmade({"alg": "HS256"}, {**CLAIMS, **claims}, SECRET.encode())
    try:
        read = await by_secret().verify(token)
    except Unauthenticated:
        return
    assert read.account_id is None or 0 < read.account_id < 2**31
    assert read.expires_at > NOW
