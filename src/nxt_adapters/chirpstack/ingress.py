"""ChirpStack's HTTP integration in, the module's events out [DM 10.4 to 10.6]."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from nxt_adapters.chirpstack.settings import PLUGIN_ID
from nxt_adapters.chirpstack.translation import Ignored, Translation, translate
from nxt_domain.messaging.model import DeviceEvent, EventHalf
from nxt_domain.shared.errors import Unauthenticated

_log = structlog.get_logger(__name__, module="messaging", plugin_id=PLUGIN_ID)

Ingested: TypeAlias = "DeviceEvent | EventHalf | None"


class IngressMetrics:
    """Counters of what came in and led nowhere [DM-169].

    Args:
        registry: Where they are exposed.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.unhandled = Counter(
            "device_messaging_ingress_unhandled_total",
            "Ingress events ignored by the plug-in",
            ("pluginId",),
            registry=registry,
        )
        self.undecodable = Counter(
            "device_messaging_undecodable_frames_total",
            "Uplinks that are no meter's answer",
            ("reason",),
            registry=registry,
        )
        self.foreign_address = Counter(
            "device_messaging_foreign_addresses_total",
            "Frames whose meter address differs from the DevEUI that sent them",
            registry=registry,
        )

    @staticmethod
    @cache
    def of(registry: CollectorRegistry) -> IngressMetrics:
        """Return the one set of a registry: roles that share a process count together [API-201]."""
        return IngressMetrics(registry)


class ChirpStackIngress:
    """Checks who posts, translates what is posted, counts what is of no use.

    Args:
        ingress_key: Gives ``CHIRPSTACK_INGRESS_KEY``, or None or an empty text while the ingress is open.
        metrics: Where to count.
    """

    def __init__(self, ingress_key: Callable[[], str | None], *, metrics: IngressMetrics | None = None) -> None:
        self._ingress_key = ingress_key
        self._metrics = metrics or IngressMetrics.of(REGISTRY)
        if not ingress_key():
            _log.warning("the ChirpStack ingress is open: CHIRPSTACK_INGRESS_KEY is not set")

    def authenticate(self, presented: str | None) -> None:
        """Check header ``X-API-KEY`` in constant time; while no key is set, everybody may post [DM-107].

        Raises:
            Unauthenticated: ``Invalid signature``.
        """
        expected = self._ingress_key()
        if expected and not hmac.compare_digest(_as_bytes(presented or ""), _as_bytes(expected)):
            raise Unauthenticated("Invalid signature")

    def ingest(self, event: str | None, body: object, *, by_shape: bool = False) -> Ingested:
        """Translate one post.

        Args:
            event: Query parameter ``event``.
            body: The decoded JSON, whatever it is.
            by_shape: Whether the body may decide when ``event`` is missing: the path of 18.5 [DM-186].

        Returns:
            An event for the engine; or half of one, to be stored or joined by ``EventHalf.joined_with`` [DM-104]; or
            None when there is nothing in it.
        """
        translation = translate(event, body, by_shape=by_shape)
        self._note(translation)
        return None if isinstance(translation.result, Ignored) else translation.result

    def _note(self, translation: Translation) -> None:
        result = translation.result
        if translation.foreign_address is not None:
            self._metrics.foreign_address.inc()
            _log.warning(
                "a frame's address is not that of its device",
                address=translation.foreign_address,
                meter=translation.meter,
            )
        if not isinstance(result, Ignored):
            return
        if result.undecodable is not None:
            self._metrics.undecodable.labels(result.undecodable.reason).inc()
            _log.warning(
                "undecodable frame",
                meter=translation.meter,
                reason=result.undecodable.reason,
                frame=result.frame_hex,
            )
        else:
            self._metrics.unhandled.labels(PLUGIN_ID).inc()
            _log.debug("ingress event ignored", reason=result.reason)


def _as_bytes(header: str) -> bytes:
    """Return a header's bytes, also of one that is no valid UTF-8 and was decoded with surrogates."""
    return header.encode("utf-8", "surrogatepass")
