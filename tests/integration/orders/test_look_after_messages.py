"""Operators look at device messages, take them back and try them again, on both stores."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from tests.support.meters_villages import OWN_KINDS, MemoryVillage, PostgresVillage, postgres_village, village
from tests.support.meters_world import MetersWorld
from tests.support.top_ups import Desk, clear_credit

from nxt_adapters.memory.messages import MemoryMessageStore
from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.journal import MessageFilter, MessageState, MessageWindow
from nxt_domain.messaging.machine import Finished
from nxt_domain.messaging.model import CancelResult, DeliveryStatus, FailureRecord
from nxt_domain.meters.model import (
    Interaction,
    InteractionStatus,
    InteractionType,
    NewInteraction,
    Origin,
    Resolution,
    VerificationState,
)
from nxt_domain.meters.use_cases.hand_over import hand_over
from nxt_domain.orders.message_story import explain_messages, tell
from nxt_domain.orders.use_cases.look_after_messages import (
    CancelMessages,
    ReadMessages,
    RetryMessage,
    RetryOutcome,
    RetryRefused,
)
from nxt_domain.shared.audit import Actor, ActorKind
from nxt_domain.shared.errors import InvalidInput, NotFound

S, T = InteractionStatus, InteractionType
ME = Actor(kind=ActorKind.OPERATOR, label="someone at a terminal")


@pytest.fixture(params=OWN_KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MetersWorld]:
    async with village(request, request.param) as built:
        yield built


@pytest.fixture
async def postgres(relational_url: str) -> AsyncIterator[PostgresVillage]:
    async with postgres_village(relational_url) as built:
        yield built


def store_of(world: MetersWorld) -> Any:
    if isinstance(world, PostgresVillage):
        return PostgresMessageStore(world.engine)
    assert isinstance(world, MemoryVillage)
    return MemoryMessageStore(world.plane.database)


async def handed_over(world: MetersWorld, kind: InteractionType = T.READ_CREDIT, **changes: Any) -> Interaction:
    """An interaction with its message."""
    facts = {"meter_id": world.meter_ids[0], "type": kind, "status": S.QUEUED, "origin": Origin.USER, "priority": 30}
    meter = await world.meter(world.meter_ids[0])
    async with world.begin() as tx:
        (stored,) = await tx.interactions.add([NewInteraction(**{**facts, **changes})])
        await hand_over(tx, [(stored, meter)], world.clock.now())
        await tx.commit()
    return stored


async def given_up(world: MetersWorld, interaction: Interaction, **changes: Any) -> None:
    """All attempts of its messages are spent, and the interaction knows."""
    live = [message for message in await world.messages() if message.correlation_id == str(interaction.id)]
    record = FailureRecord(
        timestamp=world.clock.now(), status=DeliveryStatus.DELIVERED_TO_NS, reason="nobody answered", is_final=True
    )
    async with store_of(world) as store:
        batch = await store.rows.lock([message.id for message in live])
        ends = [
            Finished(attrs.evolve(message, delivery_status=DeliveryStatus.DELIVERY_FAILED, failure_history=(record,)))
            for message in batch.messages
        ]
        await store.rows.archive(ends)
        await store.commit()
    now = await world.interaction(interaction.id)
    moved = now.moved_to(S.FAILED, resolution=Resolution.DELIVERY_FAILED, updated_at=world.clock.now())
    await world.save(attrs.evolve(moved, **changes))


async def in_flight(world: MetersWorld) -> None:
    """Every live message has been accepted by the network."""
    async with store_of(world) as store:
        batch = await store.rows.lock([message.id for message in await world.messages()])
        accepted = [
            attrs.evolve(message, delivery_status=DeliveryStatus.DELIVERED_TO_NS, delivery_queue_id=f"q-{message.id}")
            for message in batch.messages
        ]
        await store.rows.save(accepted)
        await store.commit()


def cancelling(world: MetersWorld) -> CancelMessages:
    return CancelMessages(begin=world.begin, clock=world.clock)


def retrying(world: MetersWorld) -> RetryMessage:
    return RetryMessage(begin=world.begin, clock=world.clock)


async def refusal(world: MetersWorld, what: object) -> str:
    with pytest.raises(RetryRefused) as refused:
        await retrying(world)(ME, str(what))
    return refused.value.message


class TestCancel:
    async def test_a_waiting_command_is_taken_back_with_its_interaction(self, world: MetersWorld) -> None:
        """[MET-97] [DM-65] By the interaction's id or the message's; told to dashboards, and noted who did it."""
        first, second = await handed_over(world), await handed_over(world)
        message_id = (await world.messages())[1].id
        done = await cancelling(world)(ME, [str(first.id), message_id])
        assert [(each.id, each.result) for each in done] == [
            (str(first.id), CancelResult.CANCELLED),
            (message_id, CancelResult.CANCELLED),
        ]
        assert await world.messages() == []
        for interaction in (first, second):
            after = await world.interaction(interaction.id)
            assert (after.status, after.resolution) == (S.ABORTED, Resolution.CANCELLED)
            assert after.delivery_failures[0].code == "CANCELLED"
            assert (await Desk(world).news_of(interaction.id))[-1] == ("UPDATE", "ABORTED")

    async def test_what_is_on_its_way_is_left(self, world: MetersWorld) -> None:
        """[DM-65] And what is not there is not found; one says why."""
        interaction = await handed_over(world)
        await in_flight(world)
        there, nowhere = await cancelling(world)(ME, [str(interaction.id), "987654321"])
        assert (there.result, there.why) == (
            CancelResult.NOT_CANCELLABLE,
            "it was handed over, or is being handed over",
        )
        assert (nowhere.result, nowhere.why) == (CancelResult.NOT_FOUND, None)
        assert (await world.interaction(interaction.id)).status is S.QUEUED

    async def test_what_has_ended_is_not_found(self, world: MetersWorld) -> None:
        """[DM-11] [DM-65] A terminal message has left the store; the answer says so."""
        interaction = await handed_over(world)
        await given_up(world, interaction)
        (gone,) = await cancelling(world)(ME, [str(interaction.id)])
        assert gone.result is CancelResult.NOT_FOUND
        assert (gone.why or "").endswith("has ended: DELIVERY_FAILED")

    async def test_a_paid_top_up_is_pointed_out(self, world: MetersWorld) -> None:
        """[MET-97] Its token stays valid, and its payer has paid."""
        top_up = await Desk(world).buy()
        (done,) = await cancelling(world)(ME, [str(top_up.id)])
        assert done.result is CancelResult.CANCELLED
        assert f"order {top_up.order_id} is paid" in (done.why or "")
        assert (await world.interaction(top_up.id)).token == top_up.token

    async def test_too_many_at_once(self, world: MetersWorld) -> None:
        with pytest.raises(InvalidInput, match="At most 200"):
            await cancelling(world)(ME, [str(number) for number in range(201)])


class TestRetry:
    async def test_a_failed_read_goes_out_again(self, world: MetersWorld) -> None:
        """[MET-95] With a record in front and one attempt more."""
        interaction = await handed_over(world)
        await given_up(world, interaction, result={"voltage": 1})
        done = await retrying(world)(ME, str(interaction.id))
        assert (done.outcome, done.why) == (RetryOutcome.REQUEUED, None)
        after = await world.interaction(interaction.id)
        assert (after.status, after.attempts, after.result, after.resolution) == (S.QUEUED, 1, None, None)
        assert (after.delivery_failures[0].status, after.delivery_failures[0].code) == ("DELIVERY_FAILED", "RETRY")
        assert [message.correlation_id for message in await world.messages()] == [str(interaction.id)]

    async def test_a_top_up_goes_out_with_its_own_token(self, world: MetersWorld) -> None:
        """[MET-76] A meter counts these digits once, a new token would be a gift."""
        top_up = await Desk(world).buy()
        await given_up(world, top_up, verification_state=VerificationState.INCONCLUSIVE)
        await retrying(world)(ME, str(top_up.id))
        (message,) = await world.messages()
        assert message.request_data is not None
        assert message.request_data.token == top_up.token
        assert "goes on by itself" in await refusal(world, top_up.id)  # and never a second time beside it
        assert len(await world.messages()) == 1

    async def test_after_a_retry_a_refusal_is_looked_into(self, world: MetersWorld) -> None:
        """[R21] [MET-121] An attempt of the first message may have reached the meter."""
        top_up = await Desk(world).buy()
        records = world.undelivered(top_up.id, last=DeliveryStatus.SENT_TO_DEVICE)
        await Desk(world).apply(world.handed_on(top_up.id), records)
        await given_up(world, await world.interaction(top_up.id), verification_state=VerificationState.REFUTED)
        await retrying(world)(ME, str(top_up.id))
        await Desk(world).apply(world.handed_on(top_up.id), world.refused(top_up.id))
        after = await world.interaction(top_up.id)
        assert (after.status, after.verification_state) == (S.PROCESSING, VerificationState.VERIFYING)

    async def test_what_the_grid_can_not_take_waits(self, world: MetersWorld) -> None:
        """[MET-95] It is judged again."""
        interaction = await handed_over(world)
        await given_up(world, interaction)
        await world.set_power(is_hps_on=False)
        done = await retrying(world)(ME, str(interaction.id))
        assert (done.outcome, done.why) == (RetryOutcome.SUSPENDED, "The grid has no power")
        assert await world.messages() == []

    @pytest.mark.parametrize(
        ("status", "changes", "why"),
        [
            (S.SUCCESSFUL, {}, "it has reached its meter"),
            (S.ABORTED, {"resolution": Resolution.CANCELLED}, r"it was withdrawn \(CANCELLED\)"),
            (S.PROCESSING, {"verification_state": VerificationState.VERIFYING}, "its credit is being read"),
            (S.QUEUED, {}, "is handed over by itself"),
        ],
    )
    async def test_only_what_failed_is_tried_again(
        self, world: MetersWorld, status: S, changes: dict[str, Any], why: str
    ) -> None:
        """[MET-95] [MET-52]"""
        interaction = await handed_over(world)
        await given_up(world, interaction)
        await world.save(attrs.evolve(await world.interaction(interaction.id), status=status, **changes))
        with pytest.raises(RetryRefused, match=why):
            await retrying(world)(ME, str(interaction.id))
        assert await world.messages() == []

    async def test_a_top_up_stays_behind_an_older_clear(self, world: MetersWorld) -> None:
        """[MET-117] The clear would wipe it out."""
        (clear,) = await world.add(clear_credit(world.meter_ids[0]))
        top_up = await Desk(world).buy()
        await given_up(world, await handed_on(world, top_up))
        assert "CLEAR_CREDIT of the meter is unfinished" in await refusal(world, top_up.id)
        assert (await world.interaction(clear.id)).status is S.QUEUED

    async def test_a_clear_does_not_go_out_after_a_later_top_up(self, world: MetersWorld) -> None:
        """[MET-117] Somebody paid for what it would wipe out."""
        clear = await handed_over(world, T.CLEAR_CREDIT, token="00000000000000000001")
        await given_up(world, clear)
        top_up = await Desk(world).buy()
        assert f"later interaction {top_up.id} (TOP_UP" in await refusal(world, clear.id)

    async def test_a_switch_does_not_go_out_after_a_later_one(self, world: MetersWorld) -> None:
        """[MET-95] The later command is what somebody wants now."""
        off = await handed_over(world, T.TURN_OFF)
        await given_up(world, off)
        on = await handed_over(world, T.TURN_ON)
        assert f"later interaction {on.id} (TURN_ON" in await refusal(world, off.id)

    async def test_without_a_token_none_is_made(self, world: MetersWorld) -> None:
        """[MET-75] Its vendor may have booked a sale."""
        top_up = await Desk(world).buy()
        await given_up(world, top_up, token=None)
        assert "it has no token" in await refusal(world, top_up.id)

    async def test_nobody_waits_for_an_expired_one(self, world: MetersWorld) -> None:
        interaction = await handed_over(world)
        await given_up(world, interaction, expires_at=world.clock.now() - timedelta(seconds=1))
        assert "it expired" in await refusal(world, interaction.id)

    async def test_an_unknown_one_is_not_found(self, world: MetersWorld) -> None:
        with pytest.raises(NotFound, match="There is no message 4711"):
            await retrying(world)(ME, "4711")


async def handed_on(world: MetersWorld, top_up: Interaction) -> Interaction:
    """Its message, as if it had got out before the fence was there."""
    meter = await world.meter(top_up.meter_id)
    async with world.begin() as tx:
        await hand_over(tx, [(top_up, meter)], world.clock.now())
        await tx.commit()
    return top_up


async def test_a_reversed_order_gives_no_energy(postgres: PostgresVillage) -> None:
    """[PAY-145] The payer has the money back."""
    top_up = await Desk(postgres).buy()
    await given_up(postgres, top_up)
    postgres.run("update orders set reversed_at = now() where id = %s", top_up.order_id)
    assert f"Order {top_up.order_id} was reversed" in await refusal(postgres, top_up.id)
    assert await postgres.messages() == []


async def test_who_did_it_is_in_the_evidence(postgres: PostgresVillage) -> None:
    """[R43] In the transaction of the act."""
    first, second = await handed_over(postgres), await handed_over(postgres)
    await given_up(postgres, second)
    await cancelling(postgres)(ME, [str(first.id)])
    await retrying(postgres)(ME, str(second.id))
    acts = postgres.all("select action, entity_id::text as entity from internal.audit_log order by id")
    assert [(act["action"], act["entity"]) for act in acts] == [
        ("meter_interaction.cancel", str(first.id)),
        ("meter_interaction.retry", str(second.id)),
    ]


class TestStories:
    async def test_a_purchase_tells_what_it_serves(self, postgres: PostgresVillage) -> None:
        """[DM-12] Every stage and reason with its time, the meter, interaction and order; never a token [R49]."""
        top_up = await Desk(postgres).buy()
        await in_flight(postgres)
        (message,) = await postgres.messages()
        await given_up(postgres, top_up)
        story = await ReadMessages(postgres.begin).story(message.id)
        head = "\n".join(tell(story))
        for part in (
            "TOP_UP_KWH for meter 47001000117, by calin-chirpstack",
            f"interaction {top_up.id} of origin ORDER",
        ):
            assert part in head
        assert f"order {top_up.order_id} over 1000 NGN is INITIALISED" in head
        texts = [step.text for step in explain_messages(story)]
        for expected in (
            f"interaction {top_up.id} made: TOP_UP",
            f"{message.id}: queued in queue:calin-chirpstack:network:{postgres.grid_id} with priority 50",
            f"{message.id}: accepted by the network server or vendor",
            f"{message.id}: failed while DELIVERED_TO_NS, for good: nobody answered",
            f"{message.id}: given up",
            f"{message.id}: known there as q-{message.id}",
        ):
            assert expected in texts, (expected, texts)
        everything = head + "\n".join(texts) + json.dumps(attrs.asdict(story), default=str)
        assert top_up.token is not None
        assert top_up.token not in everything

    async def test_a_waiting_one_tells_what_happens_next(self, world: MetersWorld) -> None:
        interaction = await handed_over(world)
        story = await ReadMessages(world.begin).story(str(interaction.id))
        assert [message.state for message in story.messages] == [MessageState.QUEUED]
        assert explain_messages(story)[-1].text.startswith(
            f"{story.messages[0].id}: is QUEUED after 0 failed attempts; given up at "
        )

    async def test_the_list_is_that_of_the_journal(self, world: MetersWorld) -> None:
        interaction = await handed_over(world)
        reading = ReadMessages(world.begin)
        day_ago = datetime.now(UTC) - timedelta(days=3650)
        page = await reading.page(MessageFilter(since=day_ago), MessageWindow())
        assert [record.correlation_id for record in page.items] == [str(interaction.id)]
