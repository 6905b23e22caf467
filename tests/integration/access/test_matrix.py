"""Every route of the API role × every kind of caller, over a real socket, real use cases and a real database.

The role runs as ``nxt api`` starts it. What the access matrix refuses must be refused, and change nothing; what it
admits must not be refused for who is calling; and a foreign tenant's thing must look like one that nobody has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import attrs
import pytest
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.route_samples import SAMPLES, Of, Sample
from tests.support.running_roles import RunningRoles
from tests.support.two_tenants import Ids, TwoTenants
from tests.support.valkey import ValkeyServer, flush

from nxt_domain.identity.access import ACCESS, Reach
from nxt_domain.identity.model import MemberType
from nxt_entrypoints.http.catalogue import routes_by_role
from nxt_entrypoints.http.routes import Guard, Route
from nxt_entrypoints.settings.roles import Role

ROUTES = {f"{route.method} {route.path}": route for route in routes_by_role()["api"]}
SIGNED = ["POST /device-messages/events"]
"""Open to whoever can sign a body, and to nobody else [DM-177]."""
_ANYBODYS = {Guard.PUBLIC, Guard.VENDOR}
OPEN = [name for name, route in ROUTES.items() if route.guard in _ANYBODYS and name not in SIGNED]
GUARDED = [name for name in ROUTES if name not in {*OPEN, *SIGNED}]

MEMBERS = [f"own {kind}" for kind in MemberType]
USERS = {
    **dict.fromkeys(MEMBERS, "member"),
    "foreign SUPERADMIN": "member",
    "LENDER": "reader",
    "DATA_AGGREGATOR": "reader",
    "agent of Sunny Grids": "agent",
    "customer of Sunny Grids": "customer",
    "nobody": "no_role",
    "platform SUPERADMIN": "platform",
    "platform TECH": "platform",
}
"""Who signs in, and what kind of caller they are."""

KEYS = {"own key": "key", "lender's key": "reader", "key without scopes": "scopeless", "platform key": "platform"}
"""Keys that count, and what kind of caller their bearers are."""

DEAD_KEYS = ["locked key", "expired key", "revoked key", "agent's key", "deleted owner's key"]
READERS = ["own SUPERADMIN", "own key", "agent of Sunny Grids", "customer of Sunny Grids", "LENDER"]
"""Callers with a tenant, who must not tell foreign things from unknown ones."""


@attrs.frozen
class Answer:
    status: int
    content: str
    is_replayed: bool = attrs.field(default=False, eq=False)


class World:
    """The role, the rows, and everybody's credentials."""

    def __init__(self, rows: TwoTenants, api: RunningRoles) -> None:
        self.rows = rows
        self.api = api
        self._calls = 0
        secret = api.secrets.jwt_secret
        self.credentials: dict[str, dict[str, str]] = {
            name: {"Authorization": f"Bearer {self._signed_in(name)}"} for name in USERS
        } | {name: {"X-API-KEY": rows.keys[name]} for name in (*KEYS, *DEAD_KEYS)}
        good_key = {"X-API-KEY": rows.keys["platform key"]}
        expired = rows.token("platform SUPERADMIN", secret, exp=1_700_000_000)
        self.strangers: dict[str, dict[str, str]] = {
            "anonymous": {},
            "bad token": {"Authorization": "Bearer nonsense"},
            "bad token beside a good key": {"Authorization": "Bearer nonsense", **good_key},
            "expired token": {"Authorization": f"Bearer {expired}"},
            "forged token": {"Authorization": f"Bearer {rows.token('platform SUPERADMIN', 'x' * 48)}"},
            "token of a deleted account": {"Authorization": f"Bearer {rows.token('deleted', secret)}"},
            "unknown key": {"X-API-KEY": "nxt_unknown"},
            "service key": {"X-API-KEY": api.secrets.internal_api_key},
            **{name: self.credentials[name] for name in DEAD_KEYS},
        }

    def _signed_in(self, name: str) -> str:
        session = self.api.session_of(self.rows.people[name].login)
        return self.rows.token(name, self.api.secrets.jwt_secret, session_id=session)

    async def call(self, session: aiohttp.ClientSession, name: str, caller: Mapping[str, str], things: Any) -> Answer:
        """Send a route's sample; ``things`` says what stands for each thing."""
        sample, route = SAMPLES[name], ROUTES[name]
        path = route.path.format_map(_filled(sample.path, things))
        self._calls += 1
        # An address each: public routes count them [R8].
        address = {"X-Forwarded-For": f"10.{self._calls >> 16}.{self._calls >> 8 & 255}.{self._calls & 255}"}
        vendor = {"verif-hash": self.api.secrets.flutterwave_webhook_secret}
        async with session.request(
            route.method,
            self.api.urls[Role.API] + path,
            params=_filled(sample.query, things),
            headers={**vendor, **sample.headers, **address, **caller},
            **_content(sample, things),
        ) as answer:
            content = (await answer.read()).decode(errors="replace")
            return Answer(answer.status, content, is_replayed="Idempotency-Replayed" in answer.headers)


def _filled(value: Any, things: Any) -> Any:
    match value:
        case Of():
            return things(value)
        case dict():
            return {key: _filled(item, things) for key, item in value.items()}
        case list():
            return [_filled(item, things) for item in value]
    return value


def _content(sample: Sample, things: Any) -> dict[str, Any]:
    if sample.file is not None:
        form = aiohttp.FormData()
        form.add_field("file", sample.file, filename="sample.csv", content_type="text/csv")
        return {"data": form}
    if sample.form is not None:
        return {"data": _filled(sample.form, things)}
    return {} if sample.body is None else {"json": _filled(sample.body, things)}


@pytest.fixture(scope="module")
def world(valkey_server: ValkeyServer) -> Iterator[World]:
    flush(valkey_server.url)
    try:
        server = databases.embedded_server()
    except Unobtainable as reason:
        pytest.skip(str(reason))
    with (
        databases.fresh_database(server, "relational") as relational,
        databases.fresh_database(server, "telemetry") as series,
    ):
        rows = TwoTenants(relational)
        with RunningRoles(relational, valkey_server.url, series) as api:
            yield World(rows, api)
        rows.close()


@pytest.fixture
async def session() -> Any:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as made:
        yield made


def is_admitted(name: str, caller: str) -> bool:
    """Read the matrix for a caller, in the words of the specification [API-68, R39, R42, API-48]."""
    return caller not in SAMPLES[name].not_for and _is_kind_admitted((USERS | KEYS)[caller], ROUTES[name])


def _is_kind_admitted(kind: str, route: Route) -> bool:
    row = ACCESS[f"{route.method} {route.path}"]
    match kind:
        case "platform":
            return True
        case "no_role":
            return row.no_role
        case "scopeless":
            return False
        case "reader":
            return row.member is not Reach.NONE and not route.changes
    return {"member": row.member, "key": row.key, "agent": row.agent, "customer": row.customer}[kind] is not Reach.NONE


def is_answer(name: str, answer: Answer) -> bool:
    """Tell an answer from a failure; some routes keep status 500 for a refusal that old clients know."""
    return answer.status < 500 or ROUTES[name].statuses.get(json.loads(answer.content)["code"]) == answer.status


async def test_strangers_get_401_and_change_nothing(world: World, session: aiohttp.ClientSession) -> None:
    """[API-16] [API-42] [API-43] [API-44] [API-46] [API-51] [REL-38] [R39] The service key is none here."""
    before = world.rows.snapshot()
    wrong = []
    for name in [*GUARDED, *SIGNED]:
        for caller, credential in world.strangers.items():
            answer = await world.call(session, name, credential, lambda thing: world.rows.own[thing.kind])
            body = json.loads(answer.content)
            if answer.status != 401 or body["statusCode"] != 401:
                wrong.append((name, caller, answer))
    assert wrong == []
    assert world.rows.snapshot() == before


async def test_who_is_not_admitted_gets_403_and_changes_nothing(world: World, session: aiohttp.ClientSession) -> None:
    """[API-48] [API-63] [API-68] [R39] [R42] Own things are named, so that nothing but the caller's kind refuses."""
    before = world.rows.snapshot()
    wrong, count = [], 0
    for name in GUARDED:
        for caller in USERS | KEYS:
            if is_admitted(name, caller):
                continue
            count += 1
            answer = await world.call(
                session, name, world.credentials[caller], lambda thing: world.rows.own[thing.kind]
            )
            body = json.loads(answer.content)
            if answer.status != 403 or body["message"] != _refusal(name, caller):
                wrong.append((name, caller, answer))
    assert wrong == []
    assert count > len(GUARDED)
    assert world.rows.snapshot() == before


def _refusal(name: str, caller: str) -> str:
    sample = SAMPLES[name]
    return sample.refusal if caller in sample.not_for else "You do not have access to this resource"


async def test_bad_credentials_do_not_matter_on_open_routes(world: World, session: aiohttp.ClientSession) -> None:
    """[API-42] [API-68] Anonymous is enough; whatever else is sent changes nothing about the answer."""
    for name in OPEN:
        first, *others = [
            await world.call(session, name, credential, lambda thing: world.rows.unknown[thing.kind])
            for credential in world.strangers.values()
        ]
        assert first.status not in {401, 403, 500}, (name, first)
        assert {other.status for other in others} == {first.status}, name


async def test_a_foreign_thing_is_like_one_that_nobody_has(world: World, session: aiohttp.ClientSession) -> None:
    """[API-64] [R39] Status and words are the same, for each thing that a call names; and nothing is changed."""
    before = world.rows.snapshot()
    different = []
    for name in GUARDED:
        for caller in READERS:
            for index, thing in enumerate(SAMPLES[name].things()):
                if thing.is_exempt:
                    continue
                foreign = await _with(world, session, name, caller, index, world.rows.foreign)
                unknown = await _with(world, session, name, caller, index, world.rows.unknown)
                if foreign != unknown:
                    different.append((name, caller, thing.kind, foreign, unknown))
    assert different == []
    assert world.rows.snapshot() == before


async def _with(
    world: World, session: aiohttp.ClientSession, name: str, caller: str, index: int, theirs: Ids
) -> Answer:
    """Call with one thing of somebody else, all others being one's own; the answer without that thing's name."""
    count = iter(range(1000))
    kind = SAMPLES[name].things()[index].kind

    def fill(thing: Of) -> object:
        return theirs[thing.kind] if next(count) == index else world.rows.own[thing.kind]

    answer = await world.call(session, name, world.credentials[caller], fill)
    return Answer(answer.status, _without_request_id(answer.content).replace(str(theirs[kind]), "<it>"))


def _without_request_id(content: str) -> str:
    body = _value(content)
    return body if isinstance(body, str) else json.dumps(body)


def _value(content: str) -> Any:
    """Read JSON, without the one member that differs each time; a file is taken as it is."""
    try:
        body = json.loads(content)
    except ValueError:
        return content
    if isinstance(body, dict):
        body.pop("requestId", None)
    return body


async def test_who_is_admitted_is_not_refused_for_who_they_are(world: World, session: aiohttp.ClientSession) -> None:
    """[API-63] [API-68] Nobody's things are named: the answer may be anything but 401, 403 and 500."""
    wrong = []
    for name in GUARDED:
        for caller in USERS | KEYS:
            if not is_admitted(name, caller):
                continue
            answer = await world.call(
                session, name, world.credentials[caller], lambda thing: world.rows.unknown[thing.kind]
            )
            if answer.status in {401, 403, 500}:
                wrong.append((name, caller, answer))
    assert wrong == []


async def test_a_keyed_request_is_carried_out_once(world: World, session: aiohttp.ClientSession) -> None:
    """[REL-155] [R42] [PAY-50] On every route that takes keys: the repeat gets the first answer and changes nothing."""
    wrong = []
    keyed = [name for name in GUARDED if ROUTES[name].is_keyed]
    for name in keyed:
        caller = {**world.credentials["platform SUPERADMIN"], "Idempotency-Key": f"matrix {name}"}
        first = await world.call(session, name, caller, lambda thing: world.rows.own[thing.kind])
        before = world.rows.snapshot()
        again = await world.call(session, name, caller, lambda thing: world.rows.own[thing.kind])
        is_same = (first.status, _value(first.content)) == (again.status, _value(again.content))
        if not (is_same and again.is_replayed and is_answer(name, first)) or world.rows.snapshot() != before:
            wrong.append((name, first, again))
    assert wrong == []
    assert len(keyed) > len(GUARDED) // 3


async def test_changes_that_are_repeated_change_nothing_more(world: World, session: aiohttp.ClientSession) -> None:
    """[API-36] Clients repeat PUT, PATCH and DELETE: the second finds everything done. Only the evidence grows."""
    different = []
    for name in [name for name in GUARDED if name.split()[0] in {"PUT", "PATCH", "DELETE"}]:
        answers = []
        for _ in range(2):
            caller = world.credentials["platform SUPERADMIN"]
            answers.append(await world.call(session, name, caller, lambda thing: world.rows.own[thing.kind]))
            answers.append(await _without_evidence(world))
        first, after_first, second, after_second = answers
        assert is_answer(name, first), (name, first)
        # Gone, or on its way: a repeat may be told so.
        assert second.status in {first.status, 404, 409}, (name, first, second)
        changed = [table for table in after_first if after_first[table] != after_second[table]]
        different += [(name, changed)] if changed else []
    assert different == []


async def _without_evidence(world: World) -> dict[str, Any]:
    return {name: rows for name, rows in world.rows.snapshot().items() if "audit" not in name}


async def test_the_proof_sees_what_it_is_looking_for(world: World, session: aiohttp.ClientSession) -> None:
    """A snapshot tells of one changed column; a call with own things is answered."""
    before = world.rows.snapshot()
    own = await world.call(
        session, "GET /grids/{id}", world.credentials["own TECH"], lambda thing: world.rows.own[thing.kind]
    )
    assert json.loads(own.content)["id"] == world.rows.own["grid"]
    world.rows.owner.execute("update grids set name = 'X' where id = %s", [world.rows.own["grid"]])
    assert [table for table, rows in world.rows.snapshot().items() if rows != before[table]] == ["public.grids"]
