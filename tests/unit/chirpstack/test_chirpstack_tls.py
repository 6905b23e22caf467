"""TLS to ChirpStack: a trusted certificate works, another one is not spoken to."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
import pytest
from chirpstack_api import api
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry

from nxt_adapters.chirpstack import ChirpStackApi, ChirpStackNetworkServer, ChirpStackSettings
from nxt_adapters.resilience import CallPolicy, NotReached, OutboundMetrics, RetryPolicy

if TYPE_CHECKING:
    from conftest import Server


def self_signed() -> tuple[bytes, bytes]:
    """Return a certificate for 127.0.0.1 and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


@pytest.fixture
async def secured(server: Server) -> tuple[Server, bytes]:
    certificate, key = self_signed()
    await server.stop()
    await server.start(grpc.ssl_server_credentials([(key, certificate)]))
    server.script("List", api.ListGatewaysResponse(total_count=2))
    return server, certificate


def plugin(port: int, *, is_tls: bool, authority: bytes | None) -> ChirpStackNetworkServer:
    settings = ChirpStackSettings(
        api_url=f"127.0.0.1:{port}",
        api_token=lambda: "token-1",
        is_tls=is_tls,
        root_certificates=authority,
        policy=CallPolicy(timeout_s=3.0, retry=RetryPolicy(attempts=1)),
    )
    return ChirpStackNetworkServer(ChirpStackApi(settings, metrics=OutboundMetrics(CollectorRegistry())))


async def test_a_server_with_a_trusted_certificate_is_spoken_to(secured: tuple[Server, bytes]) -> None:
    """[DM-92]"""
    server, certificate = secured
    client = plugin(server.port, is_tls=True, authority=certificate)
    assert await client.check() == "ChirpStack answers and lists 2 gateways"
    assert server.tokens == ["Bearer token-1"]
    await client.close()


async def test_a_server_with_another_certificate_never_sees_the_token(secured: tuple[Server, bytes]) -> None:
    """[DM-92]"""
    server, _ = secured
    other, _ = self_signed()
    client = plugin(server.port, is_tls=True, authority=other)
    with pytest.raises(NotReached):
        await client.check()
    assert server.tokens == []
    await client.close()
