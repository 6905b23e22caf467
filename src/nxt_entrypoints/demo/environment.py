"""The configuration of the demo's roles: one artifact and one environment, with secrets made at run time."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import msgspec

from nxt_entrypoints.embedded.data_dir import kept_port, kept_secret
from nxt_entrypoints.simulators.supabase.sessions import project_key


@attrs.frozen(kw_only=True)
class DemoSecrets:
    """Keys and passwords of one demo; made once per data directory and kept there, readable by its owner alone."""

    password: str
    jwt_secret: str
    internal_api_key: str
    chirpstack_token: str
    chirpstack_ingress_key: str
    flutterwave_secret_key: str
    flutterwave_public_key: str
    flutterwave_webhook_secret: str
    sms_api_key: str
    data_key: str
    api_key: str
    service_api_key: str


def new_secrets() -> DemoSecrets:
    """Draw all secrets from the system's random source."""
    return DemoSecrets(
        password=secrets.token_urlsafe(12),
        jwt_secret=secrets.token_urlsafe(48),
        internal_api_key=secrets.token_urlsafe(32),
        chirpstack_token=secrets.token_urlsafe(32),
        chirpstack_ingress_key=secrets.token_urlsafe(32),
        flutterwave_secret_key=f"FLWSECK_TEST-{secrets.token_hex(16)}-X",
        flutterwave_public_key=f"FLWPUBK_TEST-{secrets.token_hex(16)}-X",
        flutterwave_webhook_secret=secrets.token_urlsafe(24),
        sms_api_key=secrets.token_urlsafe(24),
        data_key=f"demo:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        api_key=f"nxt_{secrets.token_urlsafe(32)}",
        service_api_key=f"nxt_{secrets.token_urlsafe(32)}",
    )


@attrs.frozen(kw_only=True)
class DemoAddresses:
    """Where everything listens."""

    relational_url: str
    series_url: str
    valkey_url: str
    mqtt_url: str
    supabase: str
    flutterwave: str
    chirpstack_grpc: str
    sms: str
    vrm: str
    api: str
    provisioning: str
    jobs: str
    telemetry: str


def artifact(tuning: Mapping[str, int] | None = None) -> Mapping[str, object]:
    """Describe the demo's deployment: what it can do and with which adapters.

    Args:
        tuning: Overrides of the LoRaWAN plug-in's pace, e.g. ``{"minIntervalMs": 50}`` (R9).
    """
    adapter: dict[str, object] = {"provider": "calin-lorawan"}
    if tuning:
        adapter["tuning"] = dict(tuning)
    return {
        "$schemaVersion": "1",
        "public": {"platformName": "NXT demo"},
        "capabilities": {
            "production": {"enabled": True, "energyMonitoring": {"provider": "victron"}},
            "metering": {
                "enabled": True,
                "deviceAdapters": [adapter],
                "tokenGenerator": {"provider": "native"},
            },
            "payments": {"enabled": True, "providers": [{"provider": "flutterwave"}]},
            "fieldOperations": {"enabled": True},
            "notifications": {"enabled": True, "channels": [{"provider": "sms-africastalking"}]},
        },
        "security": {"trustedProxies": ["127.0.0.0/8"]},
        "jobs": {"enabled": True},
    }


def role_environment(
    addresses: DemoAddresses, demo_secrets: DemoSecrets, *, tuning: Mapping[str, int] | None = None
) -> Mapping[str, str]:
    """Write the variables that every role of the demo gets, beside its own port."""
    return {
        "TZ": "UTC",
        "NXT_ENV": "development",
        "NXT_HOST": "127.0.0.1",
        "NXT_CONFIG_JSON": msgspec.json.encode(artifact(tuning)).decode(),
        "NXT_DB_URL": addresses.relational_url,
        "NXT_TIMESCALE_DB_URL": addresses.series_url,
        "HERMES_URL": addresses.valkey_url,
        "HERMES_TLS": "false",
        "SUPABASE_API_URL": addresses.supabase,
        "SUPABASE_ANON_KEY": project_key(demo_secrets.jwt_secret, "anon"),
        "SUPABASE_SERVICE_ROLE_KEY": project_key(demo_secrets.jwt_secret, "service_role"),
        "SUPABASE_JWT_SECRET": demo_secrets.jwt_secret,
        "INTERNAL_API_KEY": demo_secrets.internal_api_key,
        "NXT_SECRETS_KEYS": demo_secrets.data_key,
        "TIAMAT_API": addresses.api,
        "TIAMAT_API_KEY": demo_secrets.service_api_key,
        "TALOS_API": addresses.provisioning,
        "LOCH_API": addresses.jobs,
        "YETI_API": addresses.telemetry,
        "FLW_API": f"{addresses.flutterwave}/v3",
        "FLW_PUBLIC_KEY": demo_secrets.flutterwave_public_key,
        "FLW_SECRET_KEY": demo_secrets.flutterwave_secret_key,
        "FLW_WEBHOOK_SECRET": demo_secrets.flutterwave_webhook_secret,
        "CHIRPSTACK_API_URL": addresses.chirpstack_grpc,
        "CHIRPSTACK_API_TOKEN": demo_secrets.chirpstack_token,
        "CHIRPSTACK_APPLICATION_ID": "00000000-0000-4000-8000-000000000001",
        "CHIRPSTACK_PROFILE_ID": "00000000-0000-4000-8000-000000000002",
        "CHIRPSTACK_APP_KEY": "00112233445566778899aabbccddeeff",
        "CHIRPSTACK_INGRESS_KEY": demo_secrets.chirpstack_ingress_key,
        "AFRICASTALKING_API_URL": addresses.sms,
        "AFRICASTALKING_API_KEY": demo_secrets.sms_api_key,
        "AFRICASTALKING_USERNAME": "demo",
        "AFRICASTALKING_SENDER_ID": "NXT",
        "VICTRON_API_URL": addresses.vrm,
        "VICTRON_USERNAME": "demo",
        "VICTRON_PASSWORD": "demo",
        "VICTRON_MQTT_URL": addresses.mqtt_url,
    }


def running_environment(told: Mapping[str, Any]) -> Mapping[str, str]:
    """Write the variables of a demo's roles, from what ``nxt up`` told and keeps in its data directory.

    Args:
        told: As ``nxt up --json`` prints it (R7).

    Raises:
        EmbeddedError: The directory is damaged.
    """
    folder = Path(told["data"])
    kept = {field.name: kept_secret(folder, field.name) for field in attrs.fields(DemoSecrets)}
    addresses = DemoAddresses(
        relational_url=told["relational_url"],
        series_url=told["series_url"],
        valkey_url=told["valkey_url"],
        mqtt_url=told["mqtt_url"],
        flutterwave=told["simulators"]["flutterwave"],
        sms=told["simulators"]["sms"],
        vrm=f"{told['simulators']['victron']}/v2",
        chirpstack_grpc=f"127.0.0.1:{kept_port(folder, 'chirpstack-grpc')}",
        **told["urls"],
    )
    return {**role_environment(addresses, DemoSecrets(**kept)), "NXT_PORT": str(urlsplit(addresses.api).port)}
