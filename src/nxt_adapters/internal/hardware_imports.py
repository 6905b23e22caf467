"""Orders to the provisioning role: gateways to be registered at their vendors, or removed there [API-184, MET-206]."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from nxt_adapters.resilience import CallFailed, CallPolicy, HttpCaller, RetryPolicy
from nxt_domain.grids.gateways import ImportOperation, ImportOrder, provisioning_unavailable
from nxt_domain.shared.json import Json

_log = structlog.get_logger(__name__)

DEFAULT_POLICY = CallPolicy(
    timeout_s=2.5,
    connect_timeout_s=1.0,
    queue_timeout_s=1.0,
    retry=RetryPolicy(attempts=3, wait_initial_s=0.3, wait_max_s=1.0, jitter_s=0.2),
)
"""All attempts together end before a dashboard gives up after 10 s [API-36]."""


class ProvisioningRole:
    """``HardwareImports`` over HTTP. A repeat is harmless: a session has one unfinished import at most.

    Args:
        base_url: ``TALOS_API``; None: there is no provisioning role, and all orders fail.
        internal_key: ``INTERNAL_API_KEY``; None: the roles trust each other.
        policy: Limits of calls.
    """

    def __init__(self, *, base_url: str | None, internal_key: str | None, policy: CallPolicy = DEFAULT_POLICY) -> None:
        self._url = None if base_url is None else f"{base_url.rstrip('/')}/metering-hardware-imports"
        self._key = {} if internal_key is None else {"X-API-KEY": internal_key}
        self._caller = HttpCaller("provisioning-role", policy)

    async def order(self, order: ImportOrder) -> int | None:
        """See ``HardwareImports.order``."""
        if self._url is None:
            _log.warning("no provisioning role is configured")
            raise provisioning_unavailable()
        headers = self._key | ({"X-Request-Id": order.request_id} if order.request_id else {})
        try:
            reply = await self._caller.request(
                "hardware_imports", "POST", self._url, headers=headers, json=[_body(order)], repeatable=True
            )
            if reply.status == 201:
                return _first_id(reply.json())
        except CallFailed as failed:
            _log.warning("the provisioning role took no order", session_id=order.session_id, reason=failed.message)
            raise provisioning_unavailable() from failed
        _log.warning("the provisioning role refused an order", session_id=order.session_id, status=reply.status)
        raise provisioning_unavailable()

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()


def _body(order: ImportOrder) -> Mapping[str, object]:
    body: dict[str, object] = {
        "metering_hardware_install_session_id": order.session_id,
        "metering_hardware_import_operation": order.operation.value,
    }
    return body if order.operation is ImportOperation.ADD else {"dcu_id": order.dcu_id, **body}


def _first_id(answer: Json) -> int | None:
    match answer:
        case []:
            return None
        case [{"id": int(import_id)}, *_]:
            return import_id
    _log.warning("the provisioning role answered something else than imports")
    raise provisioning_unavailable()
