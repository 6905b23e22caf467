"""MQTT brokers for tests, and a client that plays the gateways."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gmqtt  # type: ignore[import-untyped]  # ships no types
from amqtt.broker import Broker  # type: ignore[import-untyped]  # ships no types
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gmqtt.mqtt.constants import MQTTv311  # type: ignore[import-untyped]  # ships no types
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

for name in ("amqtt", "transitions"):
    logging.getLogger(name).setLevel(logging.ERROR)


class LoopbackBroker:
    """An amqtt broker on a free port of the loopback address, which can go away and come back.

    Args:
        certificate: Certificate and key in one PEM file; None: plain TCP.
        passwords: A file of users and hashed passwords; None: anybody may connect.
    """

    def __init__(self, *, certificate: Path | None = None, passwords: Path | None = None) -> None:
        self._certificate = certificate
        self._passwords = passwords
        self._broker: Any = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    @property
    def url(self) -> str:
        """``mqtt://…`` or ``mqtts://…``."""
        return f"{'mqtts' if self._certificate else 'mqtt'}://127.0.0.1:{self.port}"

    @property
    def sessions(self) -> int:
        """Clients that are connected now."""
        return sum(session.transitions.is_connected() for session, _ in self._broker._sessions.values())

    async def start(self) -> None:
        listener: dict[str, Any] = {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}
        if self._certificate:
            listener |= {"ssl": True, "certfile": str(self._certificate), "keyfile": str(self._certificate)}
        plugins: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        if self._passwords:
            plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(self._passwords)}}
        self._broker = Broker({"listeners": {"default": listener}, "timeout_disconnect_delay": 1, "plugins": plugins})
        await self._broker.start()

    async def stop(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.shutdown()

    async def __aenter__(self) -> LoopbackBroker:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class Gateways:
    """A client that publishes what gateways publish, and keeps what they are asked."""

    def __init__(self, client: gmqtt.Client) -> None:
        self._client = client
        self.keep_alives: list[tuple[str, bytes]] = []

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish anything."""
        self._client.publish(topic, payload, qos=0)

    def power(self, portal_id: str, phase: str, payload: bytes) -> None:
        """Publish the power of a phase."""
        self.publish(f"N/{portal_id}/system/0/Ac/ConsumptionOnOutput/{phase}/Power", payload)

    def take(self, _client: object, topic: str, payload: bytes, _qos: int, _properties: object) -> int:
        self.keep_alives.append((topic, bytes(payload)))
        return 0


@asynccontextmanager
async def gateways(url: str, *, tls: ssl.SSLContext | bool = False) -> AsyncIterator[Gateways]:
    """Connect the gateways to a broker."""
    parts = urlsplit(url)
    client = gmqtt.Client(None, clean_session=True)
    plants = Gateways(client)
    client.on_message = plants.take
    subscribed = asyncio.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    if parts.username:
        client.set_auth_credentials(parts.username, parts.password)
    await client.connect(parts.hostname, parts.port or 1883, ssl=tls, version=MQTTv311)
    client.subscribe("R/+/keepalive", qos=1)
    await asyncio.wait_for(subscribed.wait(), 5)
    try:
        yield plants
    finally:
        await client.disconnect()


def self_signed(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that no system trusts; return the file with it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test broker")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "broker.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


def password_file(folder: Path, user: str, password: str) -> Path:
    """Write the one user whom a broker lets in."""
    path = folder / "passwords"
    path.write_text(f"{user}:{PasswordHash((Argon2Hasher(),)).hash(password)}\n")
    return path
