"""Where the brokers are and who we are to them."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import attrs

DEFAULT_URL = "mqtts://mqtt{n}.victronenergy.com:443"
_BROKERS = 128
_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 443}


def broker_number(portal_id: str) -> int:
    """Return the number of the broker that serves a gateway: the sum of its id's character codes mod 128 [TEL-52]."""
    return sum(map(ord, portal_id)) % _BROKERS


def _check_url(_instance: object, _attribute: object, url: str) -> None:
    parts = urlsplit(url.replace("{n}", "0"))
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("VICTRON_MQTT_URL must be mqtts://host[:port] or mqtt://host[:port]; {n} stands for a number")


@attrs.frozen(kw_only=True)
class VictronMqttSettings:
    """Settings of ``VictronPlantMonitor``.

    Attributes:
        url: ``VICTRON_MQTT_URL``; ``{n}`` becomes the broker's number. ``mqtt://`` is for simulators [R32].
        port: ``VICTRON_MQTT_PORT``, for an address without port.
        username: ``VICTRON_USERNAME``; empty: no credentials are sent.
        password: ``VICTRON_PASSWORD``.
        token: ``VICTRON_API_TOKEN``, used only without password.
        ca_file: ``VICTRON_MQTT_CA_FILE``, trusted beside the system's anchors [TEL-53].
        keep_alive_s: Seconds between keep-alives to each gateway [TEL-159].
        connect_timeout_s: Seconds until a broker must have let us in.
        reconnect_s: Shortest and longest pause between attempts [TEL-153].
        backlog: Readings held for a slow consumer; beyond, the oldest are dropped.
    """

    url: str = attrs.field(default=DEFAULT_URL, validator=_check_url)
    port: int | None = None
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    token: str = attrs.field(default="", repr=False)
    ca_file: Path | None = None
    keep_alive_s: float = attrs.field(default=55.0, validator=attrs.validators.gt(0))
    connect_timeout_s: float = attrs.field(default=15.0, validator=attrs.validators.gt(0))
    reconnect_s: tuple[float, float] = (1.0, 60.0)
    backlog: int = attrs.field(default=10_000, validator=attrs.validators.ge(1))

    @property
    def secret(self) -> str:
        """What is sent as password."""
        return self.password or (f"Token {self.token}" if self.token else "")

    def broker_of(self, portal_id: str) -> str:
        """Return the address of the broker that serves a gateway."""
        return self.url.replace("{n}", str(broker_number(portal_id)))

    def port_of(self, broker: SplitResult) -> int:
        """Return the port of a broker's address."""
        return broker.port or self.port or _DEFAULT_PORTS[broker.scheme]

    def tls(self, broker: SplitResult) -> ssl.SSLContext | bool:
        """Return how a broker is verified; False for ``mqtt://`` [TEL-53].

        Raises:
            OSError: The file of the extra anchor can't be read.
        """
        if broker.scheme == "mqtt":
            return False
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(cafile=self.ca_file)
        return context
