"""Boot validation of stand-alone messaging [DM 16]."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nxt_entrypoints.cli.main import run
from nxt_entrypoints.messaging.settings import MessagingSettings, load_messaging_settings
from nxt_entrypoints.settings.problems import ConfigInvalid

DATABASE = {"DEVICE_MESSAGING_DATABASE_URL": "postgresql://nxt:hidden@127.0.0.1/messages"}


def load(document: Any = None, **environ: str) -> MessagingSettings:
    given = (
        {} if document is None else {"DEVICE_MESSAGING_CONFIG_JSON": json.dumps({"$schemaVersion": "1", **document})}
    )
    return load_messaging_settings({**DATABASE, **given, **environ})


def refused(document: Any = None, **environ: str) -> str:
    with pytest.raises(ConfigInvalid) as refusal:
        load(document, **environ)
    return str(refusal.value)


def test_the_defaults() -> None:
    """[DM-141] [DM-164] [DM-167] The bundled document: the engine on, no plug-ins; PORT is 3100."""
    settings = load()
    document = settings.document
    assert (settings.host, settings.port, settings.source) == ("0.0.0.0", 3100, "bundled default")
    assert (document.engine.enabled, document.plugins, document.event_webhook) == (True, (), None)
    assert document.logging.stdout == "pretty"
    delivery = document.delivery
    assert (delivery.max_retries, delivery.retry_base_delay_ms, delivery.retry_backoff_multiplier) == (11, 2000, 2)
    assert (delivery.retry_max_delay_ms, delivery.message_ttl_seconds, delivery.archive_days) == (
        3_600_000,
        604_800,
        90,
    )
    webhook = load({"eventWebhook": {"url": "https://example.com/events"}}).document.event_webhook
    assert webhook is not None
    assert (webhook.max_attempts, webhook.base_delay_ms, webhook.backoff_multiplier) == (6, 2000, 2)
    assert (webhook.max_delay_ms, webhook.request_timeout_ms, webhook.dead_letter_ttl_seconds) == (
        60_000,
        10_000,
        604_800,
    )


def test_the_first_source_that_is_named_counts(tmp_path: Path) -> None:
    """[DM-164] JSON before URL before file; the address is fetched, the file read."""
    file = tmp_path / "messaging.json"
    file.write_text('{"$schema": "ignored", "$schemaVersion": "1", "engine": {"enabled": false}}')
    by_file = {**DATABASE, "DEVICE_MESSAGING_CONFIG_PATH": str(file)}
    assert not load_messaging_settings(by_file).document.engine.enabled
    by_url = {**by_file, "DEVICE_MESSAGING_CONFIG_URL": "https://example.com/messaging.json"}
    fetched: list[str] = []

    def fetch(url: str) -> str:
        fetched.append(url)
        return '{"$schemaVersion": "1", "logging": {"stdout": "json"}}'

    assert load_messaging_settings(by_url, fetch=fetch).document.logging.stdout == "json"
    assert fetched == ["https://example.com/messaging.json"]
    by_json = {**by_url, "DEVICE_MESSAGING_CONFIG_JSON": '{"$schemaVersion": "1"}'}
    assert load_messaging_settings(by_json, fetch=fetch).document.engine.enabled
    assert len(fetched) == 1


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"$schemaVersion": "2"}, "$schemaVersion"),
        ({"engin": {}}, "engin"),
        ({"engine": {"enabled": "yes"}}, "engine.enabled"),
        ({"logging": {"stdout": "xml"}}, "logging.stdout"),
        ({"delivery": {"maxRetries": -1}}, "delivery.maxRetries"),
        ({"delivery": {"retryBaseDelayMs": 0}}, "delivery.retryBaseDelayMs"),
        ({"delivery": {"retryBackoffMultiplier": 0.5}}, "delivery.retryBackoffMultiplier"),
        ({"delivery": {"messageTtlSeconds": 1.5}}, "delivery.messageTtlSeconds"),
        ({"eventWebhook": {}}, "eventWebhook.url"),
        ({"eventWebhook": {"url": "ftp://example.com"}}, "eventWebhook.url"),
        ({"eventWebhook": {"url": "http://[::1", "maxAttempts": 0}}, "eventWebhook.maxAttempts"),
        ({"plugins": [{"id": "acme"}]}, "plugins[0].id"),
        ({"plugins": [{"id": "stub-push"}, {"id": "stub-push"}]}, "plugins[1].id"),
        (
            {"plugins": [{"id": "stub-push", "tuning": {"nsInFlightTimeoutMs": 0}}]},
            "plugins[0].tuning.nsInFlightTimeoutMs",
        ),
        ({"plugins": [{"id": "stub-push", "tuning": {"ageCap": 1}}]}, "plugins[0].tuning.ageCap"),
        ({"plugins": [{}]}, "plugins[0].id"),
    ],
)
def test_each_offending_key_is_named(document: Any, path: str) -> None:
    """[DM-164] [DM-165] [DM-166] Unknown keys and bad values stop the start, with their paths."""
    assert f"config  {path}:" in refused(document)


def test_all_that_is_wrong_is_told_at_once_and_no_secret() -> None:
    """[DM-164] [DM-165] [DM-167]"""
    document = {"engine": {"x": 1}, "plugins": [{"id": "calin-chirpstack"}, {"id": "calin-api-v2"}, {"id": "nxt-sts"}]}
    told = refused(
        document,
        DEVICE_MESSAGING_DATABASE_URL="mysql://nxt:hidden@x/y",
        PORT="zero",
        CHIRPSTACK_API_URL="x:1",
        CALIN_API_V2_URL="https://v2",
        CALIN_API_V2_COMPANY_NAME="  ",
        CALIN_V2_PASSWORD="p",
        CALIN_V2_ADMIN_USERNAME="u",
        STS_GENERATOR_API="not a url",
    )
    assert "hidden" not in told
    for line in (
        "engine.x",
        "DEVICE_MESSAGING_DATABASE_URL: malformed",
        "PORT: malformed",
        'MISSING env for plugin "calin-chirpstack": chirpstack',
        'plugin "calin-api-v2": CALIN_API_V2_COMPANY_NAME, CALIN_API_V2_CUSTOMER_ID, CALIN_API_V2_POS_PASSWORD',
        "STS_GENERATOR_API: malformed",
    ):
        assert line in told


def test_traditional_names_are_read_when_the_new_one_is_unset() -> None:
    """[DM-167] Values are trimmed."""
    settings = load(
        {"plugins": [{"id": "nxt-sts"}]},
        STS_GENERATOR_API=" https://old ",
        NXT_STS_URL="",
        DEVICE_MESSAGING_API_KEY=" k ",
    )
    assert (settings.text("NXT_STS_URL"), settings.api_key.reveal()) == ("https://old", "k")
    both = load({"plugins": [{"id": "nxt-sts"}]}, STS_GENERATOR_API="https://old", NXT_STS_URL="https://new")
    assert both.text("NXT_STS_URL") == "https://new"
    assert 'MISSING env for plugin "calin-api-v1": CALIN_API_V1_MAINTENANCE_PASSWORD' in refused(
        {"plugins": [{"id": "calin-api-v1"}]},
        CALIN_V1_API="https://v1",
        CALIN_V1_COMPANY_NAME="c",
        **{f"CALIN_V1_{user}_{part}": "x" for user in ("ADMIN", "POS") for part in ("USERNAME", "PASSWORD")},
        CALIN_V1_MAINTENANCE_USERNAME="m",
    )


def test_sources_that_fail_stop_the_start(tmp_path: Path) -> None:
    """[DM-164]"""
    assert "(DEVICE_MESSAGING_CONFIG_JSON): is not JSON" in refused(DEVICE_MESSAGING_CONFIG_JSON="{")
    missing = str(tmp_path / "none.json")
    assert "(DEVICE_MESSAGING_CONFIG_PATH): cannot be read" in refused(DEVICE_MESSAGING_CONFIG_PATH=missing)


def test_production_takes_no_stand_ins(tmp_path: Path) -> None:
    """[R9] [R23] Stubs, and paces of 0."""
    document = {"plugins": [{"id": "stub-push"}, {"id": "nxt-sts", "tuning": {"minIntervalMs": 0}}]}
    told = refused(document, NXT_ENV="production", NXT_STS_URL="https://sts")
    assert "plugins[0].id" in told
    assert "plugins[1].tuning.minIntervalMs" in told
    assert load(document, NXT_ENV="elsewhere", NXT_STS_URL="https://sts").document.engine.enabled


def test_what_is_unwise_is_said() -> None:
    """[DM-142] [DM-155] Open commands, unsigned events, nobody to tell, a time-out beyond the lease."""
    webhook = {"url": "https://example.com", "requestTimeoutMs": 60_000}
    warnings = load({"eventWebhook": webhook}).warnings
    assert [warning.split()[0] for warning in warnings] == [
        "DEVICE_MESSAGING_API_KEY",
        "DEVICE_MESSAGING_WEBHOOK_SECRET",
        "eventWebhook.requestTimeoutMs",
    ]
    fine = load(
        {"eventWebhook": {"url": "https://example.com"}},
        DEVICE_MESSAGING_API_KEY="k",
        DEVICE_MESSAGING_WEBHOOK_SECRET="s",
    )
    assert fine.warnings == ()
    assert fine.secret_texts == {"k", "s", "hidden"}


def test_the_command_exits_with_78(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """[DM-164] [DM-172] [R54] With the list of what is wrong, before anything is opened."""
    monkeypatch.delenv("DEVICE_MESSAGING_DATABASE_URL", raising=False)
    monkeypatch.setenv("DEVICE_MESSAGING_CONFIG_JSON", '{"$schemaVersion": "1", "plugins": [{"id": "nxt-sts"}]}')
    assert run(["messaging"]) == 78
    told = capsys.readouterr().err
    assert "CONFIG INVALID: 2 problems" in told
    assert "DEVICE_MESSAGING_DATABASE_URL: missing" in told
    assert 'MISSING env for plugin "nxt-sts": NXT_STS_URL' in told
