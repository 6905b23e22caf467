"""How tests call the simulated network server, and read what it posts."""

import grpc
import pytest
from chirpstack_api import api

NUMBER, EUI = "47003333771", "0000047003333771"
OTHER_EUI = "0000047001891341"
BEARER = (("authorization", "Bearer secret-token"),)
READ_CREDIT = bytes.fromhex("687137330370046801025417 9016".replace(" ", ""))
TURN_OFF = bytes.fromhex("6871373303700468 04076FF33333333368C316".replace(" ", ""))


def token_frame(token):
    body = bytes.fromhex("20a1") + bytes.fromhex(token)[::-1]
    frame = bytes.fromhex("6871373303700468") + bytes([0, len(body)])
    frame += bytes((byte + 0x33) % 256 for byte in body)
    return frame + bytes([sum(frame) % 256, 0x16])


class Caller:
    """Calls the gRPC API with the right token."""

    def __init__(self, channel):
        self.devices = api.DeviceServiceStub(channel)
        self.gateways = api.GatewayServiceStub(channel)

    async def enqueue(self, eui, frame, **more):
        item = api.DeviceQueueItem(dev_eui=eui, f_port=1, confirmed=True, data=frame, **more)
        request = api.EnqueueDeviceQueueItemRequest(queue_item=item)
        return (await self.devices.Enqueue(request, metadata=BEARER)).id

    async def queue(self, eui):
        request = api.GetDeviceQueueItemsRequest(dev_eui=eui)
        return list((await self.devices.GetQueue(request, metadata=BEARER)).result)


async def control(http, sims, **faults):
    async with http.put(sims.urls["chirpstack"] + "/control", json=faults) as answer:
        assert answer.status == 200, await answer.text()


async def meter(http, sims, number=NUMBER):
    async with http.get(f"{sims.urls['chirpstack']}/meters/{number}") as answer:
        assert answer.status == 200
        return await answer.json()


def kinds(posts):
    return [post["query"]["event"] for post in posts]


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details()
