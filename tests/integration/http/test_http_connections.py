"""Routes of connections and requested meters, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.support.identity_world import ADMIN, CUSTOMER, LENDER, MEMBER, IdentityWorld
from tests.support.registers import PostgresRegisters

CONNECTION = {
    "customer_id": 1,
    "currency": "NGN",
    "requested_meters": [],
    "is_public": False,
    "is_commercial": False,
    "is_residential": True,
    "women_impacted": 3,
}
UPSERT = "/connections/upsert-requested-meters"
UNKNOWN_CUSTOMER = "Could not find a customer with ID {}."
UNKNOWN_CONNECTION = "Could not find a connection with ID {}."


def meter(fee: Any, **values: Any) -> dict[str, Any]:
    return {"meter_type": "HPS", "meter_phase": "SINGLE_PHASE", "fee": fee, **values}


@pytest.fixture
def member(callers: IdentityWorld) -> dict[str, str]:
    return callers.bearer(MEMBER)


async def told(response: Any) -> tuple[int, Any]:
    return response.status, (await response.json())["message"]


async def create(api: Any, headers: dict[str, str], **values: Any) -> int:
    answer = await patiently(lambda: api.post("/connections", json={**CONNECTION, **values}, headers=headers))
    assert answer.status == 201, await answer.text()
    return int((await answer.json())["id"])


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """Call as a client does that is asked to come again [API-36]: a machine that tests may stand still for seconds."""
    for _ in range(5):
        answer = await call()
        if answer.status != 503:
            return answer
        assert answer.headers["Retry-After"] == "5"
    raise AssertionError("busy for good")


async def ids_of_requests(registers: PostgresRegisters, connection_id: int) -> list[int]:
    rows = await registers.sql(
        "select id from connection_requested_meters where connection_id = :id and deleted_at is null order by id",
        id=connection_id,
    )
    return [row.id for row in rows]


async def owed(registers: PostgresRegisters, customer_id: int) -> Decimal:
    return Decimal(await registers.value("select total_connection_fee from customers where id = :id", id=customer_id))


async def test_a_connection_with_all_that_belongs_to_it(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[API-82] [PAY-137] [REL-24] [REL-46] [R43] Connection, requested meters, wallet, fee and evidence at once."""
    made = await create(
        registers_api,
        member,
        requested_meters=[meter(5000), meter(3000.5, meter_type="FS", meter_phase="THREE_PHASE")],
        upload_uuid="form-1",
        paid=12,
        external_system=None,
        document_id="A1",
        is_hybrid="ignored",
    )
    (row,) = await registers.sql("select * from connections")
    assert (row.id, row.customer_id, row.external_system, row.document_type) == (made, 1, "EPICOLLECT", "PASSPORT")
    assert (row.paid, row.currency, row.upload_uuid, row.rls_organization_id) == (0, "NGN", "form-1", 7)
    (wallet,) = await registers.sql("select * from wallets where connection_id = :id", id=made)
    assert (wallet.wallet_type, wallet.balance, wallet.rls_organization_id) == ("VIRTUAL", 0, 7)
    assert len(await ids_of_requests(registers, made)) == 2
    assert await owed(registers, 1) == Decimal("8000.5")
    (act,) = await registers.sql("select * from internal.audit_log")
    assert (act.action, act.entity_type, act.entity_id) == ("connection.create", "connection", made)
    assert (act.actor_account_id, act.organization_id, act.grid_id) == (MEMBER.id, 7, 70)
    assert act.after["upload_uuid"] == "form-1"


async def test_an_upload_id_is_taken_once(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str], callers: IdentityWorld
) -> None:
    """[API-82] [MET-195] The form may come again and again; a blank id is none."""
    first = await create(registers_api, member, upload_uuid="form-1", requested_meters=[meter(5)])
    text = "A connection with this upload id already exists"
    for headers in (member, callers.bearer(ADMIN)):
        body = {**CONNECTION, "upload_uuid": "form-1", "requested_meters": [meter(9)]}
        again = await registers_api.post("/connections", json=body, headers=headers)
        assert await told(again) == (409, text)
    assert (await registers.value("select count(*) from wallets"), await owed(registers, 1)) == (1, 5)
    other = await create(registers_api, member, upload_uuid="")
    await create(registers_api, member, upload_uuid="")
    patch = [{"id": first, "document_id": "B"}, {"id": other, "upload_uuid": "form-1"}]
    assert await told(await registers_api.patch("/connections", json=patch, headers=member)) == (409, text)
    assert await registers.value("select document_id from connections where id = :id", id=first) is None


async def test_a_race_for_one_upload_id_has_one_winner(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[API-82] [PAY-137]"""
    body = {**CONNECTION, "upload_uuid": "form-1"}
    answers = await asyncio.gather(*(registers_api.post("/connections", json=body, headers=member) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
    assert await registers.value("select count(*) from wallets") == 1


async def test_what_a_new_connection_must_not_be(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[API-82] [API-22] [R53] Every text at once, 400 and nothing stored."""
    empty = await registers_api.post("/connections", json={}, headers=member)
    status, texts = await told(empty)
    assert status == 400
    assert {text.split()[0] for text in texts} == set(CONNECTION)
    wrong = {**CONNECTION, "requested_meters": [meter(-1, meter_type="XL")], "women_impacted": -1, "currency": "GBP"}
    status, texts = await told(await registers_api.post("/connections", json=wrong, headers=member))
    assert status == 400
    assert sorted(texts) == [
        "currency must be one of the following values: USD, NGN, EUR",
        "requested_meters.0.fee must not be less than 0",
        "requested_meters.0.meter_type must be one of the following values: HPS, FS",
        "women_impacted must not be less than 0",
    ]
    useless = {**CONNECTION, "is_residential": False}
    refusal = (400, "one of is_public, is_commercial, is_residential must be true")
    assert await told(await registers_api.post("/connections", json=useless, headers=member)) == refusal
    assert await registers.value("select count(*) from connections") == 0


async def test_foreign_customers_and_connections_do_not_exist(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str], callers: IdentityWorld
) -> None:
    """[R39] [API-64] A foreign row answers as an unknown one; the platform reaches all."""
    foreign = await create(registers_api, callers.bearer(ADMIN), customer_id=4, requested_meters=[meter(7)])
    own = await create(registers_api, member)
    for customer_id in (4, 999):
        answer = await registers_api.post(
            "/connections", json={**CONNECTION, "customer_id": customer_id}, headers=member
        )
        assert await told(answer) == (404, UNKNOWN_CUSTOMER.format(customer_id))
        move = [{"id": own, "customer_id": customer_id}]
        answer = await registers_api.patch("/connections", json=move, headers=member)
        assert await told(answer) == (404, UNKNOWN_CUSTOMER.format(customer_id))
    for connection_id in (foreign, 999):
        patch = [{"id": own, "women_impacted": 9}, {"id": connection_id, "women_impacted": 9}]
        answer = await registers_api.patch("/connections", json=patch, headers=member)
        assert await told(answer) == (404, UNKNOWN_CONNECTION.format(connection_id))
        body = {"connection_id": connection_id, "requested_meters": [meter(1)]}
        answer = await registers_api.post(UPSERT, json=body, headers=member)
        assert await told(answer) == (404, UNKNOWN_CONNECTION.format(connection_id))
    assert await registers.value("select max(women_impacted) from connections") == 3
    assert await owed(registers, 4) == 7
    gone = "update accounts set deleted_at = now() where id = 101"
    await registers.sql(gone)
    answer = await registers_api.post("/connections", json=CONNECTION, headers=member)
    assert await told(answer) == (404, UNKNOWN_CUSTOMER.format(1))


async def test_who_may_change_contracts(registers_api: Any, callers: IdentityWorld) -> None:
    """[API-68] [R39]"""
    key = {"X-API-KEY": await callers.api_key(MEMBER)}
    await create(registers_api, key)
    for account in (CUSTOMER, LENDER):
        answer = await registers_api.post("/connections", json=CONNECTION, headers=callers.bearer(account))
        assert await told(answer) == (403, "You do not have access to this resource")


async def test_the_example_of_the_specification(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[API-83] 5000 and 3000 before; 6000, 2500 and none of the second after: 500 more."""
    made = await create(registers_api, member, requested_meters=[meter(5000), meter(3000)])
    first, second = await ids_of_requests(registers, made)
    assert await owed(registers, 1) == 8000
    sent = [meter(6000, id=first), meter(3000, id=second, is_deleted=True), meter(2500)]
    answer = await registers_api.post(UPSERT, json={"connection_id": made, "requested_meters": sent}, headers=member)
    assert (answer.status, await answer.json()) == (201, {"id": made})
    assert await owed(registers, 1) == 8500
    acts = await registers.sql("select before, after from internal.audit_log order by id desc limit 1")
    assert [meter["fee"] for meter in acts[0].before["requested_meters"]] == [5000, 3000]
    assert acts[0].after["deleted_ids"] == [second]
    # Only what is mentioned changes, and what is deleted stays so, however often it is sent.
    assert await ids_of_requests(registers, made) == [first, *(await ids_of_requests(registers, made))[1:]]
    again = [meter(3000, id=second, is_deleted=True)]
    answer = await registers_api.post(UPSERT, json={"connection_id": made, "requested_meters": again}, headers=member)
    assert (answer.status, await owed(registers, 1)) == (201, 8500)


async def test_the_example_of_payments(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[PAY-138] 15 000 before; the same and a new one of 40 000: 40 000 more; that one deleted: 40 000 less."""
    made = await create(registers_api, member, requested_meters=[meter(15_000)])
    (first,) = await ids_of_requests(registers, made)
    both = [meter(15_000, id=first), meter(40_000, meter_type="FS")]
    answer = await registers_api.post(UPSERT, json={"connection_id": made, "requested_meters": both}, headers=member)
    assert (answer.status, await answer.json(), await owed(registers, 1)) == (201, {"id": made}, 55_000)
    _, second = await ids_of_requests(registers, made)
    both[1] = meter(40_000, id=second, meter_type="FS", is_deleted=True)
    await registers_api.post(UPSERT, json={"connection_id": made, "requested_meters": both}, headers=member)
    assert (await owed(registers, 1), await ids_of_requests(registers, made)) == (15_000, [first])


async def test_the_example_of_metering(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[MET-196] [REL-47] 5000 and 3000 before; the 3000 one deleted, the other 6000: 2000 less."""
    made = await create(registers_api, member, requested_meters=[meter(5000), meter(3000)])
    first, second = await ids_of_requests(registers, made)
    sent = [meter(3000, id=second, is_deleted=True), meter(6000, id=first, meter_type="FS")]
    await registers_api.post(UPSERT, json={"connection_id": made, "requested_meters": sent}, headers=member)
    assert await owed(registers, 1) == 6000


async def test_requested_meters_of_others_are_refused(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[API-83] An id of another connection, twice the same, a deleted one brought back: 400, and nothing changes."""
    made, other = [await create(registers_api, member, requested_meters=[meter(10), meter(20)]) for _ in range(2)]
    first, second = await ids_of_requests(registers, made)
    foreign, _ = await ids_of_requests(registers, other)
    delete = {"connection_id": made, "requested_meters": [meter(20, id=second, is_deleted=True)]}
    await registers_api.post(UPSERT, json=delete, headers=member)
    for sent in (
        [meter(1), meter(1, id=foreign)],
        [meter(1), meter(1, id=foreign, is_deleted=True)],
        [meter(1, id=first), meter(2, id=first)],
        [meter(1, id=second)],
    ):
        body = {"connection_id": made, "requested_meters": sent}
        answer = await registers_api.post(UPSERT, json=body, headers=member)
        assert await told(answer) == (400, "requested_meters must name meters of this connection, each once")
    assert await ids_of_requests(registers, made) == [first]
    assert await owed(registers, 1) == 40
    await registers_api.patch("/connections", json=[{"id": made, "deleted_at": "2026-03-01"}], headers=member)
    answer = await registers_api.post(UPSERT, json=delete, headers=member)
    assert await told(answer) == (404, UNKNOWN_CONNECTION.format(made))


async def test_a_patch_changes_what_it_names(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[API-84] [API-10] [PAY-139] Absence leaves, null clears, money stays; ids come in the order of the elements."""
    one, two = [await create(registers_api, member, requested_meters=[meter(100)], document_id="A") for _ in range(2)]
    body = [
        {"id": two, "is_lifeline": True, "women_impacted": 0, "paid": 99, "currency": "USD"},
        {"id": one, "document_id": None, "document_type": "NATIONAL_ID", "external_system": None},
        {"id": two, "is_commercial": True, "deleted_at": "2026-03-01T10:00:00+01:00"},
    ]
    answer = await registers_api.patch("/connections", json=body, headers=member)
    assert (answer.status, await answer.json()) == (200, [two, one, two])
    rows = {row.id: row for row in await registers.sql("select * from connections")}
    assert (rows[one].document_id, rows[one].document_type, rows[one].external_system) == (None, "NATIONAL_ID", None)
    assert (rows[two].is_lifeline, rows[two].is_commercial, rows[two].women_impacted) == (True, True, 0)
    assert (rows[two].currency, rows[two].paid, rows[two].document_id) == ("NGN", 0, "A")
    assert rows[two].deleted_at.isoformat() == "2026-03-01T09:00:00+00:00"
    assert await owed(registers, 1) == 100, "a deleted connection is not owed for"
    acts = await registers.sql("select after from internal.audit_log where action = 'connection.update' order by id")
    assert acts[1].after == {"document_id": None, "document_type": "NATIONAL_ID", "external_system": None}
    repeated = await registers_api.patch("/connections", json=body, headers=member)
    assert (await repeated.json(), await registers.value("select count(*) from internal.audit_log")) == (
        [two, one, two],
        4,
    )
    await registers_api.patch("/connections", json=[{"id": two, "deleted_at": None}], headers=member)
    assert await owed(registers, 1) == 200
    assert await (await registers_api.patch("/connections", json=[], headers=member)).json() == []


async def test_a_patch_that_is_not_one(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[API-84] [API-22] [API-23]"""
    made = await create(registers_api, member)
    for body, texts in (
        ([{"women_impacted": 1}], {"0.id must be an integer number"}),
        ([{"id": made, "is_public": 1}], {"0.is_public must be a boolean value"}),
        ([{"id": made, "deleted_at": "soon"}], {"0.deleted_at must be a valid ISO 8601 date string"}),
        ({}, {"body must be an array"}),
    ):
        status, found = await told(await registers_api.patch("/connections", json=body, headers=member))
        assert status == 400
        assert texts <= set(found)
    for body, text in (
        ({"id": made, "women_impacted": None}, "women_impacted should not be empty"),
        ({"id": made, "customer_id": None}, "customer_id should not be empty"),
        ({"id": made, "is_residential": False}, "one of is_public, is_commercial, is_residential must be true"),
    ):
        answer = await registers_api.patch("/connections", json=[body], headers=member)
        assert await told(answer) == (400, text)
    assert await registers.value("select women_impacted from connections") == 3


async def test_a_connection_moves_with_what_is_owed_for_it(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str], callers: IdentityWorld
) -> None:
    """[API-84] [REL-82] [REL-84] To another customer of the tenant; by the platform to any."""
    made = await create(registers_api, member, requested_meters=[meter(100)])
    await registers_api.patch("/connections", json=[{"id": made, "customer_id": 3}], headers=member)
    assert [await owed(registers, customer) for customer in (1, 3, 4)] == [0, 100, 0]
    await registers_api.patch("/connections", json=[{"id": made, "customer_id": 4}], headers=callers.bearer(ADMIN))
    assert [await owed(registers, customer) for customer in (1, 3, 4)] == [0, 0, 100]
    assert await registers.value("select rls_organization_id from wallets where connection_id = :id", id=made) == 8


async def test_fees_add_up_whoever_changes_them_at_once(
    registers_api: Any, registers: PostgresRegisters, member: dict[str, str]
) -> None:
    """[REL-82] [API-83] Changes of one customer's contracts at the same time: no change is lost."""
    mine = [await create(registers_api, member, requested_meters=[meter(1)]) for _ in range(3)]

    async def grow(connection_id: int, fee: int) -> int:
        body = {"connection_id": connection_id, "requested_meters": [meter(fee)]}
        return int((await patiently(lambda: registers_api.post(UPSERT, json=body, headers=member))).status)

    async def move(connection_id: int) -> int:
        body = [{"id": connection_id, "customer_id": 2}]
        return int((await patiently(lambda: registers_api.patch("/connections", json=body, headers=member))).status)

    grown = [grow(connection_id, 10**power) for power, connection_id in enumerate(mine * 3, start=1)]
    statuses = await asyncio.gather(
        *grown, *(create(registers_api, member, requested_meters=[meter(5)]) for _ in range(3)), move(mine[0])
    )
    assert set(statuses[:9]) == {201}
    assert statuses[-1] == 200
    for customer in (1, 2):
        expected = await registers.value(
            "select coalesce(sum(m.fee), 0) from connection_requested_meters m"
            " join connections c on c.id = m.connection_id where c.customer_id = :id",
            id=customer,
        )
        assert await owed(registers, customer) == expected
    assert await owed(registers, 1) + await owed(registers, 2) == 1_111_111_110 + 3 + 15
