"""ChirpStack's gRPC API, as far as anybody here calls it: devices, their queues, and gateways."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from chirpstack_api import api  # type: ignore[import-untyped]  # ships stubs without a py.typed marker
from google.protobuf.empty_pb2 import Empty

from nxt_entrypoints.simulators.chirpstack.devices import Device, Gateway, QueueItem
from nxt_entrypoints.simulators.chirpstack.network import Network
from nxt_entrypoints.simulators.control import ControlPlane
from nxt_entrypoints.simulators.http_server import LOOPBACK

Context = grpc.aio.ServicerContext[Any, Any]
Method = Callable[[Any, Context], Awaitable[Any]]

_FOREIGN_KEY = (
    'insert or update on table "device_queue_item" violates foreign key constraint "device_queue_item_dev_eui_fkey"'
)
_PAGE = 100


class GrpcSide:
    """The gRPC listener; every call needs the bearer token and suffers the control plane's faults.

    Args:
        network: the devices and the radio.
        control: faults and log.
        token: the API token that calls must carry.
    """

    def __init__(self, network: Network, control: ControlPlane, token: str) -> None:
        self._network = network
        self._world = network.world
        self._control = control
        self._token = token
        self._server: grpc.aio.Server | None = None
        self.port = 0

    @property
    def target(self) -> str:
        """The listener's ``host:port``."""
        return f"{LOOPBACK}:{self.port}"

    async def start(self, port: int) -> None:
        """Listen on the port; 0 takes a free one."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        for service, methods in self._services().items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        self.port = server.add_insecure_port(f"{LOOPBACK}:{port}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Close the listener; calls under way get half a second."""
        if self._server is not None:
            await self._server.stop(0.5)
            self._server = None

    def _services(self) -> "dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]]":
        return {
            "api.DeviceService": {
                "Enqueue": self._unary(self._enqueue, "Enqueue", api.EnqueueDeviceQueueItemRequest),
                "GetQueue": self._unary(self._get_queue, "GetQueue", api.GetDeviceQueueItemsRequest),
                "FlushQueue": self._unary(self._flush_queue, "FlushQueue", api.FlushDeviceQueueRequest),
                "Create": self._unary(self._create, "Create", api.CreateDeviceRequest),
                "CreateKeys": self._unary(self._create_keys, "CreateKeys", api.CreateDeviceKeysRequest),
                "Get": self._unary(self._get, "Get", api.GetDeviceRequest),
            },
            "api.GatewayService": {
                "List": self._unary(self._list_gateways, "List", api.ListGatewaysRequest),
                "Get": self._unary(self._get_gateway, "GetGateway", api.GetGatewayRequest),
                "Create": self._unary(self._create_gateway, "CreateGateway", api.CreateGatewayRequest),
            },
        }

    def _unary(self, method: Method, name: str, request_type: Any) -> "grpc.RpcMethodHandler[Any, Any]":  # noqa: ANN401 - a generated message class
        async def call(request: Any, context: Context) -> Any:  # noqa: ANN401 - a generated message
            await self._admit(context)
            self._control.log.add("grpc", method=name, **_facts(request))
            answer = await method(request, context)
            if self._control.hits(self._control.faults.garbage_rate):
                answer.Clear()
            return answer

        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=request_type.FromString,
            response_serializer=lambda answer: answer.SerializeToString(),
        )

    async def _admit(self, context: Context) -> None:
        faults = self._control.faults
        if faults.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "simulated outage")
        await self._control.slow_down()
        metadata: Mapping[str, Any] = dict(context.invocation_metadata() or ())
        given = str(metadata.get("authorization", ""))
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "invalid token")
        if self._control.hits(faults.error_rate):
            await context.abort(grpc.StatusCode.INTERNAL, "simulated failure")

    # -- devices --------------------------------------------------------------------------------

    async def _enqueue(self, request: Any, context: Context) -> Any:  # noqa: ANN401 - a generated message
        wanted = request.queue_item
        device = self._world.registered(wanted.dev_eui.lower())
        if device is None:
            await context.abort(grpc.StatusCode.INTERNAL, _FOREIGN_KEY)
            raise AssertionError
        if not 1 <= wanted.f_port <= 223:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "f_port must be between 1 - 223")
        if request.flush_queue:
            device.queue.clear()
        item = QueueItem(data=bytes(wanted.data), f_port=wanted.f_port, confirmed=wanted.confirmed)
        return api.EnqueueDeviceQueueItemResponse(id=self._network.enqueue(device, item))

    async def _get_queue(self, request: Any, context: Context) -> Any:  # noqa: ANN401 - a generated message
        device = await self._device(request.dev_eui, context)
        items = [] if request.count_only else [_queue_item(device, item) for item in device.queue]
        return api.GetDeviceQueueItemsResponse(total_count=len(device.queue), result=items)

    async def _flush_queue(self, request: Any, context: Context) -> Empty:  # noqa: ANN401 - a generated message
        (await self._device(request.dev_eui, context)).queue.clear()
        return Empty()

    async def _create(self, request: Any, context: Context) -> Empty:  # noqa: ANN401 - a generated message
        wanted = request.device
        eui = wanted.dev_eui.lower()
        if self._world.registered(eui) is not None:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "Object already exists")
        device = self._world.register(eui, wanted.application_id, wanted.device_profile_id)
        if device is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Invalid DevEUI")
        return Empty()

    async def _create_keys(self, request: Any, context: Context) -> Empty:  # noqa: ANN401 - a generated message
        keys = request.device_keys
        device = await self._device(keys.dev_eui, context)
        if not self._world.set_key(device, keys.nwk_key):
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "Object already exists")
        self._network.join(device)
        return Empty()

    async def _get(self, request: Any, context: Context) -> Any:  # noqa: ANN401 - a generated message
        device = await self._device(request.dev_eui, context)
        facts = device.facts
        return api.GetDeviceResponse(
            device=api.Device(
                dev_eui=facts.dev_eui,
                name=facts.name,
                application_id=facts.application_id,
                device_profile_id=facts.profile_id,
            )
        )

    async def _device(self, dev_eui: str, context: Context) -> Device:
        device = self._world.registered(dev_eui.lower())
        if device is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Object does not exist (id: {dev_eui})")
            raise AssertionError
        return device

    # -- gateways -------------------------------------------------------------------------------

    async def _list_gateways(self, request: Any, _context: Context) -> Any:  # noqa: ANN401 - a generated message
        found = [each for each in self._world.gateways.values() if request.search.lower() in each.eui]
        page = found[request.offset : request.offset + min(request.limit, _PAGE)]
        return api.ListGatewaysResponse(total_count=len(found), result=[self._listed(each) for each in page])

    def _listed(self, gateway: Gateway) -> Any:  # noqa: ANN401 - a generated message
        return api.GatewayListItem(
            tenant_id=self._world.tenant_id,
            gateway_id=gateway.eui,
            name=f"Village {gateway.grid_id} {gateway.eui}",
            state=api.GatewayState.ONLINE if gateway.is_online else api.GatewayState.OFFLINE,
        )

    async def _get_gateway(self, request: Any, context: Context) -> Any:  # noqa: ANN401 - a generated message
        gateway = self._world.gateways.get(request.gateway_id.lower())
        if gateway is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "Object does not exist")
            raise AssertionError
        listed = self._listed(gateway)
        return api.GetGatewayResponse(
            gateway=api.Gateway(gateway_id=gateway.eui, name=listed.name, tenant_id=listed.tenant_id)
        )

    async def _create_gateway(self, request: Any, context: Context) -> Empty:  # noqa: ANN401 - a generated message
        eui = request.gateway.gateway_id.lower()
        if len(eui) != 16 or set(eui) - set("0123456789abcdef"):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Invalid gateway ID")
        if eui in self._world.gateways:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "Object already exists")
        self._world.add_gateway(eui)
        return Empty()


def _queue_item(device: Device, item: QueueItem) -> Any:  # noqa: ANN401 - a generated message
    return api.DeviceQueueItem(
        id=item.item_id,
        dev_eui=device.facts.dev_eui,
        confirmed=item.confirmed,
        f_port=item.f_port,
        data=item.data,
    )


def _facts(request: Any) -> dict[str, object]:  # noqa: ANN401 - a generated message
    """Return what the log keeps of a call: the device and the frame, no key."""
    item = getattr(request, "queue_item", None)
    if item is not None:
        return {"device": item.dev_eui, "frame": bytes(item.data).hex()}
    for member in ("device", "device_keys"):
        inner = getattr(request, member, None)
        if inner is not None:
            return {"device": inner.dev_eui}
    return {"device": getattr(request, "dev_eui", "")}
