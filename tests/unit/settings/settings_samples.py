"""Environments and artifacts that hold, to be broken by tests."""

import base64
import json

BASE = {
    "NXT_ENV": "development",
    "NXT_PORT": "8080",
    "NXT_DB_HOST": "db.internal",
    "NXT_DB_PORT": "5432",
    "NXT_DB_USERNAME": "nxt",
    "NXT_DB_PASSWORD": "db-s3cret",
    "NXT_DB_NAME": "nxt",
    "NXT_TIMESCALE_DB_HOST": "series.internal",
    "NXT_TIMESCALE_DB_PORT": "5433",
    "NXT_TIMESCALE_DB_USERNAME": "nxt",
    "NXT_TIMESCALE_DB_PASSWORD": "series-s3cret",
    "NXT_TIMESCALE_DB_NAME": "series",
    "SUPABASE_API_URL": "https://project.example",
    "SUPABASE_ANON_KEY": "anon-s3cret",
    "SUPABASE_SERVICE_ROLE_KEY": "service-s3cret",
    "SUPABASE_JWT_SECRET": "jwt-s3cret",
    "HERMES_HOST": "valkey.internal",
    "HERMES_PORT": "6379",
    "HERMES_USERNAME": "default",
    "HERMES_PASSWORD": "valkey-s3cret",
}
SPLIT = {
    "INTERNAL_API_KEY": "internal-s3cret",
    "TALOS_API": "http://provisioning:3000",
    "YETI_API": "http://telemetry:3002",
    "LOCH_API": "http://jobs:3001",
    "TIAMAT_API": "http://api:8080",
    "TIAMAT_API_KEY": "tiamat-s3cret",
}
FLUTTERWAVE = {
    "FLW_API": "https://pay.example/v3",
    "FLW_PUBLIC_KEY": "public",
    "FLW_SECRET_KEY": "flw-s3cret",
    "NXT_SECRETS_KEYS": "k1:" + base64.b64encode(bytes(32)).decode(),
}
CHIRPSTACK = {
    "CHIRPSTACK_API_URL": "ns.internal:8080",
    "CHIRPSTACK_API_TOKEN": "chirp-s3cret",
    "CHIRPSTACK_APPLICATION_ID": "app",
    "CHIRPSTACK_PROFILE_ID": "profile",
    "CHIRPSTACK_APP_KEY": "appkey-s3cret",
    "NXT_SECRETS_KEYS": FLUTTERWAVE["NXT_SECRETS_KEYS"],
}


def artifact(**content) -> dict[str, str]:
    """The variable that holds an artifact."""
    return {"NXT_CONFIG_JSON": json.dumps({"$schemaVersion": "1", **content})}


def capabilities(**content) -> dict[str, str]:
    """The variable that holds an artifact of these capabilities."""
    return artifact(capabilities=content)
