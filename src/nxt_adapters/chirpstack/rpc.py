"""ChirpStack's gRPC interface, typed: the calls that we make, and the two ways in which they fail.

The generated modules carry no types; nothing of them leaves this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import grpc
from chirpstack_api import api  # type: ignore[import-untyped]  # ships stubs without a py.typed marker

from nxt_adapters.chirpstack.settings import (
    GATEWAY_LIST_RETRY,
    GATEWAY_LIST_TIMEOUT_S,
    ChirpStackSettings,
)
from nxt_adapters.resilience import Faulty, Guard, NotReached, OutboundMetrics, RetryPolicy
from nxt_domain.shared.errors import UpstreamFailed

F_PORT = 1
UNREGISTERED = "device_queue_item_dev_eui_fkey"
"""What the network server's database says when it is given a downlink for a device that it does not know [DM-94]."""

_SYSTEM = "chirpstack"
_ONCE = RetryPolicy(attempts=1)
_MAX_DETAILS = 300
_UNREACHED = "failed to connect"
_TROUBLE = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DATA_LOSS,
    }
)
_CHANNEL_OPTIONS = (
    # A server that comes back is found within seconds, not after the default's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A dead connection is noticed while calls wait on it.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A command must not be repeated behind the engine's back.
    ("grpc.enable_retries", 0),
)

_Stub = Callable[[grpc.aio.Channel], Callable[..., Any]]


class RpcRefused(UpstreamFailed):
    """ChirpStack is well, and said no.

    Args:
        status: gRPC status number.
        details: What it said.
    """

    default_code = "CHIRPSTACK_REFUSED"

    def __init__(self, operation: str, status: int, details: str) -> None:
        super().__init__(f"ChirpStack refused {operation}: {details or status}")
        self.status = status
        self.details = details


class RpcUnreached(NotReached):
    """No connection to ChirpStack: it has not seen the call."""

    def __init__(self, operation: str, status: int, details: str) -> None:
        super().__init__(f"ChirpStack could not be reached for {operation}")
        self.status = status
        self.details = details


class RpcFailed(Faulty):
    """ChirpStack is in trouble, or silent: it may or may not have acted."""

    default_code = "CHIRPSTACK_FAILED"

    def __init__(self, operation: str, status: int, details: str) -> None:
        super().__init__(f"ChirpStack failed in {operation}: {details or status}")
        self.status = status
        self.details = details

    @property
    def is_transient(self) -> bool:
        """Whether the same call may go better in a moment."""
        return True


@attrs.frozen(kw_only=True)
class QueueItem:
    """A downlink that waits at the network server."""

    id: str
    frame: bytes


@attrs.frozen(kw_only=True)
class GatewayPresence:
    """Whether a gateway is connected.

    Attributes:
        external_reference: Its EUI, as in ``dcus.external_reference``.
        is_online: Its state is ONLINE [DM-98].
    """

    external_reference: str
    is_online: bool


class ChirpStackApi:
    """One channel to ChirpStack, opened at the first call, behind one guard.

    Args:
        settings: Address, token, limits.
        metrics: Where outcomes are counted.
    """

    def __init__(self, settings: ChirpStackSettings, *, metrics: OutboundMetrics | None = None) -> None:
        self._settings = settings
        self._guard = Guard(_SYSTEM, settings.policy, metrics=metrics)
        self._channel: grpc.aio.Channel | None = None

    @property
    def is_circuit_open(self) -> bool:
        """Whether calls are refused just now."""
        return self._guard.is_open

    async def enqueue(self, dev_eui: str, frame: bytes) -> str:
        """Queue one confirmed downlink; never repeated by itself.

        Returns:
            The item's id; empty when the answer named none.
        """
        item = api.DeviceQueueItem(dev_eui=dev_eui, f_port=F_PORT, confirmed=True, data=frame)
        request = api.EnqueueDeviceQueueItemRequest(queue_item=item)
        answer = await self._call("enqueue", _device("Enqueue"), request, retry=_ONCE)
        return str(answer.id)

    async def queue(self, dev_eui: str, *, timeout_s: float | None = None) -> Sequence[QueueItem]:
        """Return the downlinks that wait for a device, oldest first."""
        request = api.GetDeviceQueueItemsRequest(dev_eui=dev_eui)
        answer = await self._call("get_queue", _device("GetQueue"), request, repeatable=True, timeout_s=timeout_s)
        return [QueueItem(id=item.id, frame=bytes(item.data)) for item in answer.result]

    async def create_device(self, dev_eui: str, name: str, application_id: str, profile_id: str) -> None:
        """Register a device; repeated on trouble, since a second creation is refused as known."""
        device = api.Device(dev_eui=dev_eui, name=name, application_id=application_id, device_profile_id=profile_id)
        request = api.CreateDeviceRequest(device=device)
        await self._call(
            "create_device", _device("Create"), request, repeatable=True, retry=self._settings.registration_retry
        )

    async def has_device(self, dev_eui: str) -> bool:
        """Whether the network server knows a device."""
        request = api.GetDeviceRequest(dev_eui=dev_eui)
        try:
            answer = await self._call("get_device", _device("Get"), request, repeatable=True)
        except RpcRefused:
            return False
        return str(answer.device.dev_eui).lower() == dev_eui

    async def has_keys(self, dev_eui: str) -> bool:
        """Whether a device has its keys.

        Raises:
            RpcRefused: The network server would not say.
        """
        request = api.GetDeviceKeysRequest(dev_eui=dev_eui)
        try:
            answer = await self._call("get_keys", _device("GetKeys"), request, repeatable=True)
        except RpcRefused as refused:
            if refused.status == grpc.StatusCode.NOT_FOUND.value[0]:
                return False
            raise
        return bool(answer.device_keys.nwk_key)

    async def create_keys(self, dev_eui: str, app_key: str) -> None:
        """Store a device's application key (LoRaWAN 1.0.x: ``nwk_key``)."""
        keys = api.DeviceKeys(dev_eui=dev_eui, nwk_key=app_key)
        request = api.CreateDeviceKeysRequest(device_keys=keys)
        await self._call(
            "create_keys", _device("CreateKeys"), request, repeatable=True, retry=self._settings.registration_retry
        )

    async def gateways(self, limit: int, offset: int) -> tuple[Sequence[GatewayPresence], int]:
        """Return one page of gateways, and how many there are in all [DM-98]."""
        request = api.ListGatewaysRequest(limit=limit, offset=offset)
        answer = await self._call(
            "list_gateways",
            _gateway("List"),
            request,
            repeatable=True,
            timeout_s=GATEWAY_LIST_TIMEOUT_S,
            retry=GATEWAY_LIST_RETRY,
        )
        page = [
            GatewayPresence(external_reference=item.gateway_id, is_online=item.state == api.GatewayState.ONLINE)
            for item in answer.result
        ]
        return page, int(answer.total_count)

    async def close(self) -> None:
        """Close the channel; a later call opens a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(grace=None)

    async def _call(
        self,
        operation: str,
        stub: _Stub,
        request: Any,  # noqa: ANN401 - a generated message
        *,
        repeatable: bool = False,
        timeout_s: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> Any:  # noqa: ANN401 - a generated message
        """Make one unary call.

        Raises:
            RpcRefused: ChirpStack said no.
            CallFailed: It failed, is silent or unreachable, or our limits forbid the call.
        """
        limit_s = timeout_s or self._settings.policy.timeout_s

        async def attempt() -> Any:  # noqa: ANN401 - a generated message
            metadata = (("authorization", f"Bearer {self._settings.api_token()}"),)
            try:
                answer = await stub(self._open_channel())(request, timeout=limit_s, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                raise _named(operation, error) from error
            if answer is None:  # gRPC's way to say that the bytes are no such message
                status = int(grpc.StatusCode.DATA_LOSS.value[0])
                raise RpcFailed(operation, status, "the answer could not be read")
            return answer

        # gRPC's own deadline comes first; the guard's only catches a call that ignores it.
        return await self._guard.call(operation, attempt, repeatable=repeatable, timeout_s=limit_s + 1, retry=retry)

    def _open_channel(self) -> grpc.aio.Channel:
        if self._channel is None:
            target, options = self._settings.api_url, _CHANNEL_OPTIONS
            if self._settings.is_tls:
                credentials = grpc.ssl_channel_credentials(self._settings.root_certificates)
                self._channel = grpc.aio.secure_channel(target, credentials, options=options)
            else:
                self._channel = grpc.aio.insecure_channel(target, options=options)
        return self._channel


def _device(method: str) -> _Stub:
    return lambda channel: getattr(api.DeviceServiceStub(channel), method)


def _gateway(method: str) -> _Stub:
    return lambda channel: getattr(api.GatewayServiceStub(channel), method)


def _named(operation: str, error: grpc.aio.AioRpcError) -> UpstreamFailed:
    """Tell a refusal by a healthy server from trouble; the unknown device is a refusal, whatever its status."""
    code, details = error.code(), (error.details() or "")[:_MAX_DETAILS]
    status = int(code.value[0])
    if UNREGISTERED in (error.details() or "") or code not in _TROUBLE:
        return RpcRefused(operation, status, details)
    if code is grpc.StatusCode.UNAVAILABLE and details.startswith(_UNREACHED):
        return RpcUnreached(operation, status, details)
    return RpcFailed(operation, status, details)
