"""Socket.IO as dashboards see it: their own library over several processes of the API role on one Valkey."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from redis.asyncio import Redis
from tests.support import databases
from tests.support.api_processes import Stores, api_processes, put_grid, put_key, put_members, token_of
from tests.support.databases import Unobtainable
from tests.support.identity_world import ADMIN, LENDER, MEMBER
from tests.support.socketio_client import PATIENCE_S, Dashboards, DashboardSocket, Refused, dashboards
from tests.support.valkey import ValkeyServer
from tests.unit.meters.meters_samples import a_meter, an_interaction

from nxt_adapters.socketio import SocketIoRealtime
from nxt_domain.meters.model import InteractionStatus
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.shared.realtime import Realtime

pytestmark = pytest.mark.e2e

AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
OWN, FOREIGN, UNKNOWN = 70, 90, 999
NEWS = "meter-interaction"
GENERATIONS = [3, 4]
TRANSPORTS = [("websocket",), ("polling",), ("polling", "websocket")]


@attrs.frozen(kw_only=True)
class Cluster:
    """Addresses of API processes that share their stores, by what they ask of sockets."""

    stores: Stores
    first: str
    second: str
    optional: str
    required: str
    key: str


@pytest.fixture(scope="module")
def cluster(valkey_server: ValkeyServer) -> Iterator[Cluster]:
    try:
        server = databases.embedded_server()
    except Unobtainable as reason:
        pytest.skip(str(reason))
    with databases.fresh_database(server, "relational") as url:
        put_members(url, [ADMIN, MEMBER, LENDER])
        put_grid(url, OWN, MEMBER.organization_id or 0)
        put_grid(url, FOREIGN, LENDER.organization_id or 0)
        stores = Stores(relational_url=url, valkey_url=valkey_server.url)
        modes = ("off", "off", "optional", "required")
        with api_processes(stores, [{"socketAuth": mode} for mode in modes]) as (first, second, optional, required):
            yield Cluster(
                stores=stores,
                first=first,
                second=second,
                optional=optional,
                required=required,
                key=put_key(url, MEMBER),
            )


@pytest.fixture
async def browsers() -> AsyncIterator[Dashboards]:
    try:
        async with dashboards() as opened:
            yield opened
    except Unobtainable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def realtime(cluster: Cluster) -> AsyncIterator[Realtime]:
    async with Redis.from_url(cluster.stores.valkey_url) as client:
        yield SocketIoRealtime(client)


_marks = itertools.count(1)


async def heard_by(realtime: Realtime, rooms: Sequence[int], socket: DashboardSocket) -> set[int]:
    """Send news to rooms; tell in which of them a socket hears."""
    own_room = 1_000_000 + next(_marks)
    await socket.join(own_room)
    await _surely_heard(realtime, own_room, socket)
    mark = next(_marks)
    for room in rooms:
        await realtime.emit(room=str(room), event=NEWS, payload={"mark": mark, "room": room})
    await _surely_heard(realtime, own_room, socket)
    return {news["room"] for news in socket.heard if news.get("mark") == mark}


async def _surely_heard(realtime: Realtime, room: int, socket: DashboardSocket) -> None:
    """Return when news reach a socket; until its server has subscribed to the broker they don't."""
    last = {"last": next(_marks)}
    async with asyncio.timeout(PATIENCE_S):
        while last not in socket.heard:
            await realtime.emit(room=str(room), event=NEWS, payload=last)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("version", GENERATIONS)
@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_a_room_spans_processes(
    cluster: Cluster, browsers: Dashboards, realtime: Realtime, version: int, transports: tuple[str, ...]
) -> None:
    """[API-158] [API-160] Either generation, either transport, or one that begins as the other."""
    here, there, elsewhere = [
        await browsers.connect(url, version=version, transports=transports)
        for url in (cluster.first, cluster.second, cluster.second)
    ]
    await here.join(OWN)
    await there.join(str(OWN))
    await elsewhere.join(FOREIGN)
    for socket, rooms in ((here, {OWN}), (there, {OWN}), (elsewhere, {FOREIGN})):
        assert await heard_by(realtime, [OWN, FOREIGN, UNKNOWN], socket) == rooms


async def test_news_have_the_shape_and_the_order_that_dashboards_know(
    cluster: Cluster, browsers: Dashboards, realtime: Realtime
) -> None:
    """[API-163] [API-165] What the domain tells of an interaction, as it arrives; each piece once."""
    dashboard = await browsers.connect(cluster.second)
    await dashboard.join(OWN)
    await heard_by(realtime, [], dashboard)
    dashboard.heard.clear()
    meter = a_meter(grid_id=OWN, external_reference="47001122334", dcu_external_reference=None)
    steps = [InteractionStatus.QUEUED, InteractionStatus.PROCESSING, InteractionStatus.SUCCESSFUL]
    for second, status in enumerate(steps):
        changed = an_interaction(id=5, status=status, updated_at=AT + timedelta(seconds=second))
        task = socket_event(Operation.UPDATE if second else Operation.CREATE, changed, meter)
        assert task is not None
        told: Any = task.payload
        await realtime.emit(room=told["room"], event=told["event"], payload=told["message"])
    heard = await dashboard.wait_for(3)
    assert heard[0] == {
        "operation": "CREATE",
        "data": {
            "id": 5,
            "updated_at": "2026-03-10T09:15:00.000Z",
            "meter_interaction_type": "TOP_UP",
            "meter_interaction_status": "QUEUED",
            "meter_external_reference": "47001122334",
            "dcu_external_reference": None,
        },
    }
    assert [news["operation"] for news in heard] == ["CREATE", "UPDATE", "UPDATE"]
    assert [news["data"]["meter_interaction_status"] for news in heard] == steps


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([{"grid_id": OWN}], id="number"),
        pytest.param([{"grid_id": str(OWN)}], id="text"),
        pytest.param([{"grid_id": None}], id="null id"),
        pytest.param([{"grid_id": {"$gt": 0}}], id="object id"),
        pytest.param([{"grid_id": 1e300}], id="huge id"),
        pytest.param([{"grid_id": "x" * 10_000}], id="long id"),
        pytest.param([{}], id="empty"),
        pytest.param([], id="nothing"),
        pytest.param([None], id="null"),
        pytest.param([[OWN]], id="array"),
        pytest.param(["$binary"], id="bytes"),
        pytest.param([OWN, OWN, OWN], id="too many"),
        pytest.param([True], id="boolean"),
    ],
)
async def test_join_is_ok_whatever_comes(cluster: Cluster, browsers: Dashboards, arguments: list[Any]) -> None:
    """[API-161] The callback gets "ok" and nothing else, in every mode; the socket lives on."""
    signed_in = {"token": token_of(MEMBER)}
    for url in (cluster.first, cluster.optional, cluster.required):
        dashboard = await browsers.connect(url, auth=signed_in)
        assert await dashboard.call("join", *arguments) == ["ok"]
        assert await dashboard.call("join", {"grid_id": OWN}) == ["ok"]


@pytest.mark.parametrize("version", GENERATIONS)
async def test_unknown_events_are_ignored(cluster: Cluster, browsers: Dashboards, version: int) -> None:
    """[API-162] No callback, no error, no end of the socket."""
    dashboard = await browsers.connect(cluster.first, version=version)
    for event in ("leave", "message", NEWS, "__proto__"):
        assert await dashboard.call(event, {"grid_id": OWN}, patience_s=0.2) is None
    assert await dashboard.call("join", {"grid_id": OWN}) == ["ok"]
    assert dashboard.gone is None


@pytest.mark.parametrize(
    ("mode", "who", "rooms"),
    [
        ("first", "nobody", {OWN, FOREIGN, UNKNOWN}),
        ("first", "member", {OWN, FOREIGN, UNKNOWN}),
        ("first", "forged", {OWN, FOREIGN, UNKNOWN}),
        ("optional", "nobody", {OWN, FOREIGN, UNKNOWN}),
        ("optional", "forged", {OWN, FOREIGN, UNKNOWN}),
        ("optional", "member", {OWN}),
        ("optional", "key", {OWN}),
        ("required", "member", {OWN}),
        ("required", "key", {OWN}),
        ("required", "header", {OWN}),
        ("required", "key header", {OWN}),
        ("required", "platform", {OWN, FOREIGN, UNKNOWN}),
    ],
)
async def test_who_hears_whom(
    cluster: Cluster, browsers: Dashboards, realtime: Realtime, mode: str, who: str, rooms: set[int]
) -> None:
    """[API-159] [API-64] A refused join is "ok" like any other, and nothing is heard."""
    credentials: dict[str, dict[str, Any]] = {
        "nobody": {},
        "forged": {"auth": {"token": token_of(MEMBER)[:-3] + "abc"}},
        "member": {"auth": {"token": token_of(MEMBER)}},
        "platform": {"auth": {"token": token_of(ADMIN)}},
        "key": {"auth": {"apiKey": cluster.key}},
        "header": {"headers": {"Authorization": f"Bearer {token_of(MEMBER)}"}},
        "key header": {"headers": {"X-API-KEY": cluster.key}},
    }
    dashboard = await browsers.connect(getattr(cluster, mode), **credentials[who])
    await dashboard.join(OWN)
    await _surely_heard(realtime, OWN, dashboard)
    for room in (FOREIGN, UNKNOWN):
        await dashboard.join(room)
    mark = next(_marks)
    for room in (FOREIGN, UNKNOWN, OWN):
        await realtime.emit(room=str(room), event=NEWS, payload={"mark": mark, "room": room})
    await _surely_heard(realtime, OWN, dashboard)
    assert {news["room"] for news in dashboard.heard if news.get("mark") == mark} == rooms


@pytest.mark.parametrize("version", GENERATIONS)
@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("auth", [None, {"token": "nonsense"}, {"apiKey": "nonsense"}], ids=["none", "token", "key"])
async def test_without_the_required_credential_there_is_no_socket(
    cluster: Cluster, browsers: Dashboards, version: int, transport: str, auth: dict[str, str] | None
) -> None:
    """[API-159] ``connect_error`` with the message that dashboards look for."""
    with pytest.raises(Refused, match=r"^Unauthorized$"):
        await browsers.connect(cluster.required, version=version, transports=[transport], auth=auth)
    expired = {"token": token_of(MEMBER, lives=timedelta(seconds=-1))}
    with pytest.raises(Refused, match=r"^Unauthorized$"):
        await browsers.connect(cluster.required, version=version, transports=[transport], auth=expired)


async def test_a_socket_ends_with_its_token_where_one_is_required(cluster: Cluster, browsers: Dashboards) -> None:
    """[API-159] Elsewhere it stays, as that of nobody."""
    lives = timedelta(seconds=5)  # long enough to connect on a busy machine; the lenient one's ends first
    lenient = await browsers.connect(cluster.optional, auth={"token": token_of(MEMBER, lives=lives)})
    strict = await browsers.connect(cluster.required, auth={"token": token_of(MEMBER, lives=lives)})
    lasting = await browsers.connect(cluster.required, auth={"token": token_of(MEMBER)})
    assert await strict.wait_gone() == "io server disconnect"
    assert (lenient.gone, lasting.gone) == (None, None)
    assert await lenient.call("join", {"grid_id": OWN}) == ["ok"]
