"""The configuration document of the stand-alone mode, as attrs classes [DM-164].

Embedded, the same keys stand in the artifact under ``capabilities.metering`` [R28]; their classes are shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import field, frozen

from nxt_entrypoints.messaging.plugin_names import PLUGIN_NAMES
from nxt_entrypoints.settings import checks
from nxt_entrypoints.settings.artifact import SCHEMA_VERSION, Delivery, Engine, Tuning
from nxt_entrypoints.settings.decode import decode
from nxt_entrypoints.settings.fields import key
from nxt_entrypoints.settings.problems import Problem

# typing.get_type_hints reads it at run time.
from collections.abc import Mapping  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Iterator


def _web_address(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        is_fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_fine = False
    return None if is_fine and not any(letter.isspace() for letter in value) else "has to be a URL (http or https)"


@frozen(kw_only=True)
class Logging:
    """Where logs go."""

    stdout: str = key("pretty", choices=("pretty", "json"), doc="lines for people, or one JSON object a line")


@frozen(kw_only=True)
class EventWebhook:
    """Where the adopter is told of events, and how patiently [DM-155, DM-157]."""

    url: str = key("", required=True, check=_web_address)
    max_attempts: int = key(6, minimum=1)
    base_delay_ms: int = key(2_000, minimum=1)
    backoff_multiplier: float = key(2.0, minimum=1)
    max_delay_ms: int = key(60_000, minimum=1)
    request_timeout_ms: int = key(10_000, minimum=1, doc="keep below 60000")
    dead_letter_ttl_seconds: int = key(604_800, minimum=1)


@frozen(kw_only=True)
class PluginEntry:
    """A plug-in that exists in this process."""

    id: str = key("", required=True, choices=tuple(PLUGIN_NAMES))
    settings: Mapping[str, Any] = field(factory=dict)
    tuning: Tuning = field(factory=Tuning)


@frozen(kw_only=True)
class Document:
    """The whole document."""

    schema_version: str = key(SCHEMA_VERSION, name="$schemaVersion", required=True, check=checks.schema_version)
    engine: Engine = field(factory=Engine)
    logging: Logging = field(factory=Logging)
    delivery: Delivery = field(factory=Delivery)
    event_webhook: EventWebhook | None = None
    plugins: tuple[PluginEntry, ...] = ()


def read_document(plain: object, *, is_production: bool) -> tuple[Document, tuple[Problem, ...]]:
    """Read a decoded document, and name the path of each offending key.

    Args:
        plain: Decoded JSON.
        is_production: Whether stand-ins and unlimited paces are refused [R9, R23].
    """
    document, problems = decode(Document, plain)
    return document, (*problems, *_repeated(document), *(_unfit(document) if is_production else ()))


def _repeated(document: Document) -> Iterator[Problem]:
    ids = [plugin.id for plugin in document.plugins]
    for index, plugin_id in enumerate(ids):
        if plugin_id and plugin_id in ids[:index]:
            yield Problem("config", f"plugins[{index}].id", f'"{plugin_id}" is listed twice')


def _unfit(document: Document) -> Iterator[Problem]:
    for index, plugin in enumerate(document.plugins):
        if plugin.id.startswith("stub-"):
            yield Problem("config", f"plugins[{index}].id", f'"{plugin.id}" is for tests, not for production')
            continue
        for name, value in (
            ("minIntervalMs", plugin.tuning.min_interval_ms),
            ("maxInFlight", plugin.tuning.max_in_flight),
        ):
            if value == 0:
                yield Problem("config", f"plugins[{index}].tuning.{name}", "has to be above 0 in production")
