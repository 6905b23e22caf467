"""The network server over real sockets: gRPC in, events out, and its handles for tests."""

import asyncio
import base64
import uuid

import grpc
from aiohttp import web
from chirpstack_api import api
from sim_radio import (
    BEARER,
    EUI,
    NUMBER,
    OTHER_EUI,
    READ_CREDIT,
    TURN_OFF,
    Caller,
    kinds,
    meter,
    refused,
    token_frame,
)

from nxt_entrypoints.simulators.process import Simulators


async def test_a_downlink_leads_to_three_posts(sims, caller, receiver):
    """[DM-93] [DM-102] [DM-104] Enqueue, then txack, then up and ack with one deduplication id."""
    item = await caller.enqueue(EUI, READ_CREDIT)
    assert str(uuid.UUID(item)) == item
    assert [each.id for each in await caller.queue(EUI)] == [item]
    posts = await receiver.until_count(3)
    assert kinds(posts)[0] == "txack"
    assert sorted(kinds(posts)[1:]) == ["ack", "up"]
    assert await caller.queue(EUI) == []
    by_kind = {post["query"]["event"]: post for post in posts}
    assert {post["headers"]["X-API-KEY"] for post in posts} == {"ingress-key"}
    txack, ack, up = (by_kind[kind]["body"] for kind in ("txack", "ack", "up"))
    assert isinstance(txack["downlinkId"], int)
    assert txack["queueItemId"] == ack["queueItemId"] == item
    assert ack["acknowledged"] is True
    assert ack["deduplicationId"] == up["deduplicationId"] == str(uuid.UUID(up["deduplicationId"]))
    assert "data" not in ack
    for body in (txack, ack, up):
        assert body["deviceInfo"]["devEui"] == EUI
        assert body["deviceInfo"]["applicationId"] == "app-1"
        assert body["deviceInfo"]["deviceName"] == NUMBER
        assert body["time"].endswith("+00:00")
    frame = base64.b64decode(up["data"])
    assert frame[8] == 0x81
    assert frame[10:12].hex() == "5417"
    assert (up["fPort"], up["confirmed"]) == (1, False)
    assert {each["gatewayId"] for each in up["rxInfo"]} == {"00800000a0000001", "00800000a0000002"}
    assert all(isinstance(each["snr"], float) and isinstance(each["rssi"], int) for each in up["rxInfo"])


async def test_token_counts_once_over_the_air(sims, caller, receiver, http, make_token):
    """[R23] [R33] The meter takes a token once; GET /meters shows what was credited."""
    token = make_token("12.5")
    await caller.enqueue(EUI, token_frame(token))
    await caller.enqueue(EUI, token_frame(token))
    posts = await receiver.until_count(6)
    controls = [base64.b64decode(post["body"]["data"])[8] for post in posts if "data" in post["body"]]
    assert controls == [0x80, 0xC0]
    shown = await meter(http, sims)
    assert shown["credited_kwh_total"] == 12.5
    assert (shown["tokens_accepted"], shown["tokens_refused"]) == (1, 1)
    assert 22.4 < shown["credit_kwh"] <= 22.5
    assert shown["is_on"] is True
    assert shown["power_limit_w"] == 2000
    assert shown["clock"].endswith("+01:00")


async def test_one_downlink_at_a_time_per_device(sims, caller, receiver):
    """A device hears its downlinks one after the other; two devices are served side by side."""
    items = [await caller.enqueue(EUI, READ_CREDIT) for _ in range(3)]
    await caller.enqueue(OTHER_EUI, READ_CREDIT)
    await receiver.until_count(9 + 2)
    acked = [post["body"]["queueItemId"] for post in receiver.posts if post["query"]["event"] == "ack"]
    assert [item for item in acked if item in items] == items
    order = [post["body"].get("queueItemId") for post in receiver.posts if post["query"]["event"] != "up"]
    assert [item for item in order if item in items] == [items[0]] * 2 + [items[1]] * 2 + [items[2]] * 2


async def test_calls_are_refused_as_chirpstack_refuses_them(sims, caller):
    """[DM-92] [DM-94] Wrong token, unknown device, wrong port."""
    for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", "secret-token"),)):
        request = api.GetDeviceQueueItemsRequest(dev_eui=EUI)
        code, _ = await refused(caller.devices.GetQueue(request, metadata=metadata))
        assert code == grpc.StatusCode.UNAUTHENTICATED
    code, details = await refused(caller.enqueue("0000047009999999", READ_CREDIT))
    assert code == grpc.StatusCode.INTERNAL
    assert "device_queue_item_dev_eui_fkey" in details
    item = api.DeviceQueueItem(dev_eui=EUI, f_port=0, data=b"x")
    request = api.EnqueueDeviceQueueItemRequest(queue_item=item)
    code, _ = await refused(caller.devices.Enqueue(request, metadata=BEARER))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    code, _ = await refused(caller.queue("0000047009999999"))
    assert code == grpc.StatusCode.NOT_FOUND


async def test_registering_a_device(sims, caller, receiver, http):
    """[DM-95] [DM-96] Create, CreateKeys, a join; a second Create says ALREADY_EXISTS."""
    eui = "0000047300000129"
    device = api.Device(dev_eui=eui, name="47300000129", application_id="app-1", device_profile_id="p")
    get = api.GetDeviceRequest(dev_eui=eui)
    assert (await refused(caller.devices.Get(get, metadata=BEARER)))[0] == grpc.StatusCode.NOT_FOUND
    create = api.CreateDeviceRequest(device=device)
    await caller.devices.Create(create, metadata=BEARER)
    assert (await refused(caller.devices.Create(create, metadata=BEARER)))[0] == grpc.StatusCode.ALREADY_EXISTS
    keys = api.CreateDeviceKeysRequest(device_keys=api.DeviceKeys(dev_eui=eui, nwk_key="0" * 32))
    await caller.devices.CreateKeys(keys, metadata=BEARER)
    found = (await caller.devices.Get(get, metadata=BEARER)).device
    assert (found.dev_eui, found.name) == (eui, "47300000129")
    posts = await receiver.until_count(1)
    assert kinds(posts) == ["join"]
    assert posts[0]["body"]["devAddr"]
    assert "data" not in posts[0]["body"]
    await caller.enqueue(eui, READ_CREDIT)  # for another address: heard, acknowledged, not answered
    posts = await receiver.until_count(3)
    assert sorted(kinds(posts)) == ["ack", "join", "txack"]
    bad = api.CreateDeviceRequest(device=api.Device(dev_eui="zz"))
    assert (await refused(caller.devices.Create(bad, metadata=BEARER)))[0] == grpc.StatusCode.INVALID_ARGUMENT


async def test_gateways_are_listed_by_page_with_their_state(sims, caller, http):
    """[DM-98] [TEL-58] total_count, pages by offset, state 1 = ONLINE; Get and Create [MET-231]."""

    async def page(offset, limit):
        return await caller.gateways.List(api.ListGatewaysRequest(limit=limit, offset=offset), metadata=BEARER)

    first, second = await page(0, 1), await page(1, 1)
    assert first.total_count == second.total_count == 2
    assert [first.result[0].gateway_id, second.result[0].gateway_id] == ["00800000a0000001", "00800000a0000002"]
    assert first.result[0].state == 1
    url = sims.urls["chirpstack"]
    async with http.put(f"{url}/gateways/00800000A0000001", json={"online": False}) as answer:
        assert await answer.json() == {"eui": "00800000a0000001", "grid_id": 7, "online": False}
    assert [each.state for each in (await page(0, 100)).result] == [2, 1]
    get = api.GetGatewayRequest(gateway_id="00800000a00000ff")
    assert (await refused(caller.gateways.Get(get, metadata=BEARER)))[0] == grpc.StatusCode.NOT_FOUND
    create = api.CreateGatewayRequest(gateway=api.Gateway(gateway_id="00800000a00000ff", name="new"))
    await caller.gateways.Create(create, metadata=BEARER)
    assert (await caller.gateways.Get(get, metadata=BEARER)).gateway.gateway_id == "00800000a00000ff"


async def test_an_item_waits_in_the_queue_while_no_gateway_works(sims, caller, receiver, http):
    """[DM-99] Accepted, listed by GetQueue with its frame, radiated when a gateway is back; Flush empties."""
    url = f"{sims.urls['chirpstack']}/meters/{NUMBER}"
    async with http.put(url, json={"gateway_online": False}) as answer:
        assert (await answer.json())["gateway_online"] is False
    dropped = await caller.enqueue(EUI, TURN_OFF)
    await caller.devices.FlushQueue(api.FlushDeviceQueueRequest(dev_eui=EUI), metadata=BEARER)
    item = await caller.enqueue(EUI, READ_CREDIT)
    await asyncio.sleep(0.2)
    (waiting,) = await caller.queue(EUI)
    assert (waiting.id, waiting.data) == (item, READ_CREDIT)
    assert receiver.posts == []
    await http.put(url, json={"gateway_online": True})
    await receiver.until_count(3)
    assert dropped not in {post["body"].get("queueItemId") for post in receiver.posts}
    assert await caller.queue(EUI) == []
    assert (await meter(http, sims))["is_on"] is True


async def test_handles_change_a_meter_and_refuse_nonsense(sims, http):
    """[R33] PUT /meters: relay, power limit, radio quality; clear errors, 404 for strangers."""
    url = sims.urls["chirpstack"]
    body = {"is_on": False, "snr": -3.5, "rssi": -119, "power_limit_w": 750}
    async with http.put(f"{url}/meters/{NUMBER}", json=body) as answer:
        shown = await answer.json()
    assert {key: shown[key] for key in body} == body
    for wrong in ({"is_onn": True}, {"is_on": "yes"}, {"snr": 99}, {"uplink_loss": 2}, {"power_limit_w": -1}):
        async with http.put(f"{url}/meters/{NUMBER}", json=wrong) as answer:
            assert answer.status == 400
            assert next(iter(wrong)) in (await answer.json())["error"]
    assert (await meter(http, sims))["is_on"] is False
    async with http.get(f"{url}/meters") as answer:
        assert [each["number"] for each in await answer.json()] == [NUMBER, "47001891341"]
    for path in ("/meters/47009999999", "/nowhere"):
        async with http.get(url + path) as answer:
            assert answer.status == 404
            assert "error" in await answer.json()


async def test_reports_come_at_start_and_then_regularly(make_config, receiver):
    """[R36] [DM-91] Every meter reports at once and again after the interval, as an uplink without ack."""
    async with Simulators(make_config(report_every_s=0.3)):
        posts = await receiver.until_count(4)
    assert set(kinds(posts)) == {"up"}
    assert {post["body"]["deviceInfo"]["devEui"] for post in posts[:2]} == {EUI, OTHER_EUI}
    frames = [base64.b64decode(post["body"]["data"]) for post in posts]
    assert {(frame[8], frame[10:12].hex(), len(frame)) for frame in frames} == {(0x81, "44f4", 47)}


async def test_the_first_report_waits_for_its_listener(make_config, receiver, free_port):
    """[R36] Simulators that are up first lose no report: it is posted once somebody listens."""
    url = f"http://127.0.0.1:{free_port}/chirpstack/calin"
    async with Simulators(make_config(report_every_s=600, event_url=url)):
        await asyncio.sleep(0.3)
        runner = web.AppRunner(receiver.app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", free_port).start()
        posts = await receiver.until_count(2)
    assert kinds(posts) == ["up", "up"]
    await runner.cleanup()


async def test_control_and_log_over_http(sims, caller, receiver, http):
    """[R33] GET and PUT /control, GET /log?after=N; wrong bodies are 400 with a clear text; no secret shows."""
    url = sims.urls["chirpstack"]
    async with http.put(f"{url}/control", json={"latency_ms": [1, 2], "seed": 4}) as answer:
        assert (await answer.json())["latency_ms"] == [1.0, 2.0]
    async with http.get(f"{url}/control") as answer:
        assert (await answer.json())["seed"] == 4
    for body, says in ((b'{"lossrate": 1}', "lossrate"), (b"[1]", "object"), (b"{", "object")):
        async with http.put(f"{url}/control", data=body) as answer:
            assert answer.status == 400
            assert says in (await answer.json())["error"]
    await caller.enqueue(EUI, READ_CREDIT)
    await receiver.until_count(3)
    async with http.get(f"{url}/log") as answer:
        entries = await answer.json()
    assert entries[0]["kind"] == "grpc"
    assert (entries[0]["method"], entries[0]["device"]) == ("Enqueue", EUI)
    assert entries[0]["frame"] == READ_CREDIT.hex()
    assert "secret-token" not in str(entries)
    async with http.get(f"{url}/log", params={"after": entries[0]["n"]}) as answer:
        assert all(entry["n"] > entries[0]["n"] for entry in await answer.json())
    async with http.get(f"{url}/log", params={"after": "x"}) as answer:
        assert answer.status == 400
    async with http.get(f"{url}/healthz") as answer:
        assert answer.status == 200


async def test_meters_remember_over_a_restart(make_config, receiver, http, make_token, tmp_path):
    """[R37] [R23] Credit, counters, relay, registrations and used tokens live in the data directory."""
    config = make_config(data_dir=str(tmp_path))
    token = make_token("12.5")
    async with Simulators(config) as first:
        async with grpc.aio.insecure_channel(first.urls["chirpstack_grpc"]) as channel:
            caller = Caller(channel)
            await caller.enqueue(EUI, token_frame(token))
            await caller.enqueue(EUI, TURN_OFF)
            new = api.CreateDeviceRequest(device=api.Device(dev_eui="0000047300000129"))
            await caller.devices.Create(new, metadata=BEARER)
            await receiver.until_count(6)
        before = await meter(http, first)
    assert before["tokens_accepted"] == 1
    async with Simulators(config) as second:
        after = await meter(http, second)
        kept = ("credit_kwh", "counter_kwh", "credited_kwh_total", "tokens_accepted", "is_on")
        assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
        assert after["is_on"] is False
        async with grpc.aio.insecure_channel(second.urls["chirpstack_grpc"]) as channel:
            caller = Caller(channel)
            assert await caller.queue("0000047300000129") == []
            await caller.enqueue(EUI, token_frame(token))
            await receiver.until_count(9)
        assert (await meter(http, second))["credited_kwh_total"] == 12.5
