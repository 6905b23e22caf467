"""How far a command is on its way, for whoever may see its meter."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from tests.support.meters_world import MetersWorld
from tests.support.top_ups import Desk

from nxt_domain.identity.model import AccountType, CredentialKind, Principal
from nxt_domain.messaging.model import DeliveryStatus, FailureRecord
from nxt_domain.meters.delivery import DeliveryStatusView, ReadDeliveryStatus, may_see
from nxt_domain.meters.model import InteractionOwner

NOBODY = Principal(
    account_id=1,
    supabase_id=None,
    email=None,
    full_name="Somebody",
    account_type=AccountType.MEMBER,
    member_type=None,
    organization_id=None,
    organization_type=None,
    is_admin_org=False,
    member_id=None,
    agent_id=None,
    customer_id=None,
    grid_id=None,
    kind=CredentialKind.USER,
)
PLATFORM = attrs.evolve(NOBODY, is_admin_org=True)


async def status(world: MetersWorld, caller: Principal, interaction_id: int) -> DeliveryStatusView | None:
    return await ReadDeliveryStatus(world.begin)(caller, interaction_id)


async def test_it_is_told_while_there_is_a_message(world: MetersWorld) -> None:
    """[DM-183] [MET-96] [API-136] With its failures, which are a list even if there are none; no token in it."""
    top_up = await Desk(world).buy()
    assert await status(world, PLATFORM, top_up.id) == DeliveryStatusView(
        delivery_status="QUEUED", delivery_failure_history=[]
    )
    async with world.begin() as tx:
        await tx.messages.cancel([str(top_up.id)])
        await tx.commit()
    assert await status(world, PLATFORM, top_up.id) is None
    assert await status(world, PLATFORM, 987_654) is None


async def test_failures_are_told_as_the_delivery_layer_writes_them(world: MetersWorld, monkeypatch: Any) -> None:
    """[DM-183] [DM-56] Unchanged keys."""
    top_up = await Desk(world).buy()
    (message,) = await world.messages()
    record = FailureRecord(
        timestamp=world.clock.now(), status=DeliveryStatus.SENT_TO_DEVICE, reason="no answer", error_code=17
    )
    failed = attrs.evolve(message, delivery_status=DeliveryStatus.TO_RETRY, failure_history=(record,))

    class Messages:
        async def get(self, _: str) -> Any:
            return failed

    begin = world.begin

    def with_failure() -> Any:
        tx = begin()
        tx.__dict__["messages"] = Messages()
        return tx

    told = await ReadDeliveryStatus(with_failure)(PLATFORM, top_up.id)
    assert told is not None
    (entry,) = told.delivery_failure_history
    assert (told.delivery_status, entry["errorCode"], entry["reason"], entry["isFinal"]) == (
        "TO_RETRY",
        17,
        "no answer",
        False,
    )


async def test_who_does_not_see_the_meter_sees_nothing(world: MetersWorld) -> None:
    """[R39] As if there were no such interaction."""
    top_up = await Desk(world).buy()
    assert await status(world, NOBODY, top_up.id) is None
    async with world.begin() as tx:
        owner = (await tx.interactions.owners([top_up.id]))[top_up.id]
    meter = await world.meter(world.meter_ids[0])
    assert owner == InteractionOwner(
        organization_id=meter.organization_id,
        grid_id=meter.grid_id,
        customer_account_id=meter.customer_account_id,
    )
    assert await status(world, attrs.evolve(NOBODY, organization_id=owner.organization_id), top_up.id) is not None


OWNER = InteractionOwner(organization_id=9, grid_id=50, customer_account_id=80)


@pytest.mark.parametrize(
    ("changes", "sees"),
    [
        ({"organization_id": 9}, True),
        ({"organization_id": 8}, False),
        ({"organization_id": 9, "kind": CredentialKind.KEY}, True),
        (
            {"organization_id": 8, "kind": CredentialKind.KEY, "account_type": AccountType.CUSTOMER, "account_id": 80},
            False,
        ),
        ({"account_type": AccountType.CUSTOMER, "account_id": 80, "organization_id": 9}, True),
        ({"account_type": AccountType.CUSTOMER, "account_id": 81, "organization_id": 9}, False),
        ({"account_type": AccountType.AGENT, "grid_id": 50, "organization_id": 9}, True),
        ({"account_type": AccountType.AGENT, "grid_id": 51, "organization_id": 9}, False),
    ],
)
def test_who_may_see_an_interaction(changes: dict[str, Any], sees: bool) -> None:
    """[API-64] [API-65] Customers their own meters', agents their grid's, members and keys their organization's."""
    assert may_see(attrs.evolve(NOBODY, **changes), OWNER) is sees


@pytest.mark.parametrize("account_type", list(AccountType))
def test_a_meter_that_stands_nowhere_is_nobodys(account_type: AccountType) -> None:
    """[R39] Nothing is no tenant."""
    nowhere = InteractionOwner(organization_id=None, grid_id=None, customer_account_id=None)
    assert not may_see(attrs.evolve(NOBODY, account_type=account_type), nowhere)
