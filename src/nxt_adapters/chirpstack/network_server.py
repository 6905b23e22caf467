"""Plug-in ``calin-chirpstack``: commands to CALIN meters through ChirpStack [DM 10.1, 10.3]."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import structlog

from nxt_adapters.chirpstack.calin import SUPPORTED_COMMANDS, CannotEncode, encode_command
from nxt_adapters.chirpstack.rpc import (
    UNREGISTERED,
    ChirpStackApi,
    QueueItem,
    RpcFailed,
    RpcRefused,
    RpcUnreached,
)
from nxt_adapters.chirpstack.settings import PLUGIN_ID
from nxt_adapters.resilience import CallFailed, CircuitOpen, NotReached, Overloaded
from nxt_domain.messaging.model import CommandType, DeliveryStatus, DeviceMessage, FailureContext, NewMessage
from nxt_domain.messaging.ports import RemoteStatusUnknown, SendFailed

CANNOT_ENCODE = "Could not encode request data prior to sending to device"
NOT_REGISTERED = "Device not registered in Network Server (ChirpStack)"
NOT_ENQUEUED = "Failed to enqueue message at ChirpStack"

_UNASSIGNED = "unassigned"
_LOOK_AGAIN_TIMEOUT_S = 10.0
_log = structlog.get_logger(__name__, module="messaging", plugin_id=PLUGIN_ID)


class ChirpStackIntake:
    """Implements ``Intake``: enough to enqueue, without a channel to ChirpStack."""

    plugin_id: str = PLUGIN_ID
    supported_commands: frozenset[CommandType] = SUPPORTED_COMMANDS

    def ready_queue(self, message: NewMessage) -> str:
        """Name the radio network, which is the bottleneck: one per grid [DM-23]."""
        node = _UNASSIGNED if message.network_id is None else message.network_id
        return f"queue:{PLUGIN_ID}:network:{node}"


class ChirpStackNetworkServer(ChirpStackIntake):
    """Implements ``PushPlugin`` over ChirpStack's gRPC interface. Safe for many tasks of one event loop.

    Args:
        api: The channel, shared with provisioning.
    """

    def __init__(self, api: ChirpStackApi) -> None:
        self._api = api

    async def send(self, message: DeviceMessage) -> str:
        """Queue a message's frame as a confirmed downlink and return the queue item's id [DM-93].

        When ChirpStack's answer is lost or makes no sense, the device's queue is looked into once before the attempt
        counts as failed, so that a frame which did arrive is not sent again [R20].

        Raises:
            SendFailed: No frame exists for it, or the device is unknown (both final), or the call failed [DM-94].
        """
        dev_eui = dev_eui_of(message)
        frame = _frame_or_failure(message)
        try:
            item_id = await self._api.enqueue(dev_eui, frame)
        except RpcRefused as refused:
            raise SendFailed(_refusal(refused)) from refused
        except NotReached as unreached:
            raise SendFailed(_trouble(unreached)) from unreached
        except CallFailed as failed:
            return await self._arrived_anyway(dev_eui, frame, _trouble(failed))
        if item_id:
            return item_id
        nameless = FailureContext(
            reason=NOT_ENQUEUED,
            error_code=_status(grpc.StatusCode.DATA_LOSS),
            details="the answer named no queue item",
        )
        return await self._arrived_anyway(dev_eui, frame, nameless)

    async def remote_status(self, message: DeviceMessage) -> DeliveryStatus:
        """Tell whether a message still waits in the device's queue [DM-46, DM-99].

        Raises:
            RemoteStatusUnknown: ChirpStack could not be asked.
        """
        waiting = await self._waiting(dev_eui_of(message))
        is_queued = any(item.id == message.delivery_queue_id for item in waiting)
        return message.delivery_status if is_queued else DeliveryStatus.DELIVERY_FAILED

    async def adopt(self, message: DeviceMessage) -> str | None:
        """Look in the device's queue for the newest item with a message's own frame [R20].

        Two messages may have the same frame, and then one id: one answer serves them all.

        Raises:
            RemoteStatusUnknown: ChirpStack could not be asked.
        """
        try:
            frame = frame_of(message)
        except CannotEncode:
            return None
        return _newest_with(frame, await self._waiting(dev_eui_of(message)))

    async def check(self) -> str:
        """Ask ChirpStack something harmless, for ``nxt doctor``; return one line on what was found.

        Raises:
            UpstreamFailed: It can't be reached, or refuses our token.
        """
        _, total = await self._api.gateways(limit=1, offset=0)
        return f"ChirpStack answers and lists {total} gateways"

    async def close(self) -> None:
        """Close the channel."""
        await self._api.close()

    async def _waiting(self, dev_eui: str, timeout_s: float | None = None) -> Sequence[QueueItem]:
        try:
            return await self._api.queue(dev_eui, timeout_s=timeout_s)
        except RpcRefused as refused:
            if refused.status == _status(grpc.StatusCode.NOT_FOUND):
                return ()  # an unknown device has no queue
            raise RemoteStatusUnknown(refused.message) from refused
        except CallFailed as failed:
            raise RemoteStatusUnknown(failed.message) from failed

    async def _arrived_anyway(self, dev_eui: str, frame: bytes, failure: FailureContext) -> str:
        """Return the id of the frame in the device's queue, if the failed call put it there after all."""
        try:
            item_id = _newest_with(frame, await self._waiting(dev_eui, _LOOK_AGAIN_TIMEOUT_S))
        except RemoteStatusUnknown as unknown:
            raise SendFailed(failure) from unknown
        if item_id is None:
            raise SendFailed(failure)
        _log.info("command had arrived although its call failed", dev_eui=dev_eui, error_code=failure.error_code)
        return item_id


def frame_of(message: DeviceMessage) -> bytes:
    """Encode a message.

    Raises:
        CannotEncode: It has no frame.
    """
    request = message.request_data
    return encode_command(
        message.device.external_reference,
        message.command_type,
        phase=message.phase,
        token=request.token if request else None,
        payload=request.payload if request else None,
    )


def dev_eui_of(message: DeviceMessage) -> str:
    """Return the meter's DevEUI [DM-93]."""
    return dev_eui(message.device.external_reference)


def dev_eui(reference: str) -> str:
    """Pad a meter number to the 16 digits of a DevEUI: ``47003333771`` → ``0000047003333771`` [MET-43]."""
    return reference.lower().rjust(16, "0")


def _frame_or_failure(message: DeviceMessage) -> bytes:
    try:
        return frame_of(message)
    except CannotEncode as impossible:
        raise SendFailed(
            FailureContext(reason=CANNOT_ENCODE, details=impossible.message, skip_retry=True)
        ) from impossible


def _newest_with(frame: bytes, waiting: Sequence[QueueItem]) -> str | None:
    return next((item.id for item in reversed(waiting) if item.frame == frame and item.id), None)


def _refusal(refused: RpcRefused) -> FailureContext:
    is_unknown = UNREGISTERED in refused.details
    return FailureContext(
        reason=NOT_REGISTERED if is_unknown else NOT_ENQUEUED,
        error_code=refused.status,
        details=refused.details or None,
        skip_retry=is_unknown,
    )


def _trouble(failed: CallFailed) -> FailureContext:
    """Describe a failed call by its gRPC status, also where our own limits took its place [DM-94]."""
    if isinstance(failed, RpcFailed | RpcUnreached):
        return FailureContext(reason=NOT_ENQUEUED, error_code=failed.status, details=failed.details or None)
    status = grpc.StatusCode.DEADLINE_EXCEEDED
    if isinstance(failed, CircuitOpen):
        status = grpc.StatusCode.UNAVAILABLE
    elif isinstance(failed, Overloaded):
        status = grpc.StatusCode.RESOURCE_EXHAUSTED
    return FailureContext(reason=NOT_ENQUEUED, error_code=_status(status), details=failed.message)


def _status(code: grpc.StatusCode) -> int:
    return int(code.value[0])
